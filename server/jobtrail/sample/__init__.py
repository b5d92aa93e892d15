"""The sample workspace as a store in memory; the same time always gives the same rows."""
