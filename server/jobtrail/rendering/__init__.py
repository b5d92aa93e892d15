"""Answers as blocks, which every reader prints in its own way; and blocks as the text that agents read."""
