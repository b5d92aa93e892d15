"""Reads logs of any upstream: the interface of a log, its lines, searching, and reading in both directions."""
