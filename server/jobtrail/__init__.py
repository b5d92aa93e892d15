"""Jobtrail: an MCP server that answers what ran, what failed and why."""

from importlib.metadata import version

__version__ = version("jobtrail")
