"""The embedded control plane: the documented APIs over SQLite; it knows nothing of MCP."""

from jobtrail.plane.app import SamplePlane, build_plane
from jobtrail.plane.sample import fill
from jobtrail.plane.store import Event, Store, StoreError

__all__ = ["Event", "SamplePlane", "Store", "StoreError", "build_plane", "fill"]
