"""Logs: what one is, its lines, searching them, walking both ways."""
