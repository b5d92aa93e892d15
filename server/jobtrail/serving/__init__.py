"""HTTP servers and who may reach them: the MCP transports, the plane and the board use it."""

from jobtrail.serving.access import AccessMiddleware, HttpBind, is_loopback
from jobtrail.serving.http_server import receive_signals, run_app

__all__ = ["AccessMiddleware", "HttpBind", "is_loopback", "receive_signals", "run_app"]
