"""The sample workspace, as rows: a function of absolute time."""
