"""The RunWisp side of the plane: the seed document's runs, and what our own source asks of 1.x, under /api."""
