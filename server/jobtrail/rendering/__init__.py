"""Turns answers into blocks, and blocks into the text that agents read; the command line prints blocks itself."""
