"""Paging: listings, how they combine, and the one walker over them; nothing here knows an upstream."""

from jobtrail.paging.listing import EVERYTHING, START, Batch, Chain, Edged, Listing, Spot
from jobtrail.paging.merged import Merged
from jobtrail.paging.together import AT_ONCE, together
from jobtrail.paging.walker import Budget, Trail, Walk, Walked, walk

__all__ = [
    "AT_ONCE",
    "EVERYTHING",
    "START",
    "Batch",
    "Budget",
    "Chain",
    "Edged",
    "Listing",
    "Merged",
    "Spot",
    "Trail",
    "Walk",
    "Walked",
    "together",
    "walk",
]
