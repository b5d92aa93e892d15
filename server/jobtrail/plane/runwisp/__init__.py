"""Serves the RunWisp API below `/api`: the documented endpoint, and the 1.0.1 endpoints that our source calls."""
