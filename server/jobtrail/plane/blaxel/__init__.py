"""The Blaxel side of the plane: the documented job reads and logs under /v0."""
