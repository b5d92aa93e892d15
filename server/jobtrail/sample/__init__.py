"""Generates the sample workspace as rows of the store; the same time always gives the same rows."""
