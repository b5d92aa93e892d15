"""Paging: listings, how they combine, and the one walker over them; nothing here knows an upstream."""

from jobtrail.paging.checked import Checked
from jobtrail.paging.combined import Chain, Mapped
from jobtrail.paging.concurrency import AT_ONCE, run_concurrently
from jobtrail.paging.cursor_listing import CursorListing, CursorPage
from jobtrail.paging.keyset_listing import KeyRange, KeysetListing
from jobtrail.paging.listing import (
    EVERYTHING,
    NEWEST_FIRST,
    OLDEST_FIRST,
    START,
    FetchedPage,
    Listing,
    Position,
    Sort,
    Traits,
)
from jobtrail.paging.merged import Merged
from jobtrail.paging.offset_listing import CountedPage, OffsetListing
from jobtrail.paging.sorted_listing import SortedListing
from jobtrail.paging.walker import Budget, Trail, Walk, Walked, walk

__all__ = [
    "AT_ONCE",
    "EVERYTHING",
    "NEWEST_FIRST",
    "OLDEST_FIRST",
    "START",
    "Budget",
    "Chain",
    "Checked",
    "CountedPage",
    "CursorListing",
    "CursorPage",
    "FetchedPage",
    "KeyRange",
    "KeysetListing",
    "Listing",
    "Mapped",
    "Merged",
    "OffsetListing",
    "Position",
    "Sort",
    "SortedListing",
    "Trail",
    "Traits",
    "Walk",
    "Walked",
    "run_concurrently",
    "walk",
]
