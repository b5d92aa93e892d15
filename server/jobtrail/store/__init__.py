"""The store: SQL, and nothing else knows any."""
