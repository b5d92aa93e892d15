"""The store: jobs, executions, tasks, runs and output in SQLite. All SQL of the project is here."""

from jobtrail.store.faults import StoreError
from jobtrail.store.store import Store

__all__ = ["Store", "StoreError"]
