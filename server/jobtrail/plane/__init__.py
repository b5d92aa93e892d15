"""The embedded control plane: the documented APIs over SQLite; it knows nothing of MCP."""

from jobtrail.plane.app import build_plane
from jobtrail.plane.in_process import LocalPlane
from jobtrail.sample.fill import fill
from jobtrail.store.store import Store, StoreError

__all__ = ["LocalPlane", "Store", "StoreError", "build_plane", "fill"]
