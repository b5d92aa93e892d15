"""`jobtrail import`: executions and runs from files, in the shapes the upstreams document.

A file is read and checked first, and then brought in with one transaction: all of it, or none.
"""

from jobtrail.importing.importer import FileSummary, ImportProgress, import_files

__all__ = ["FileSummary", "ImportProgress", "import_files"]
