"""The store: jobs, executions, tasks, runs and output in SQLite. All SQL over it is here."""

from jobtrail.store.faults import StoreError
from jobtrail.store.store import Store

__all__ = ["Store", "StoreError"]
