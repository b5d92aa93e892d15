"""A store of each test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jobtrail.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def store() -> Iterator[Store]:
    one = Store(None)
    yield one
    one.close()
