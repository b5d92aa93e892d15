"""Recorders: they run commands and tell the store how they went."""

from jobtrail.recorder.plan import Order, Outcome
from jobtrail.recorder.run import record

__all__ = ["Order", "Outcome", "record"]
