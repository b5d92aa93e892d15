"""HTTP servers and who may reach them: the MCP transports, the plane and the board use it."""

from jobtrail.serving.access import AccessMiddleware, HttpBind
from jobtrail.serving.http_server import receive_signals, run_app

__all__ = ["AccessMiddleware", "HttpBind", "receive_signals", "run_app"]
