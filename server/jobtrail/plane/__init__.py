"""The embedded control plane: the documented APIs over the store; nothing here uses MCP."""

from jobtrail.plane.app import build_plane
from jobtrail.plane.in_process import InProcessPlane

__all__ = ["InProcessPlane", "build_plane"]
