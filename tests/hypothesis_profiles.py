"""How many examples a property is tried with: few at every change, many in CI (`--hypothesis-profile=ci`)."""

from __future__ import annotations

from hypothesis import settings

__all__ = ["register_profiles", "scale_examples"]

_CI = 100


def register_profiles() -> None:
    """Register both profiles and load the one for every change, which the option replaces."""
    settings.register_profile("ci", settings.get_profile("ci"), max_examples=_CI, deadline=None)
    settings.register_profile("dev", settings.get_profile("default"), max_examples=_CI // 10, deadline=None)
    settings.load_profile("dev")


def scale_examples(ci: int) -> int:
    """Return how many examples to try of a property that is tried with so many in CI."""
    return max(1, ci * settings().max_examples // _CI)
