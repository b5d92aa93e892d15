"""The store: SQL, and nothing else knows any."""

from jobtrail.store.database import StoreError
from jobtrail.store.store import Store

__all__ = ["Store", "StoreError"]
