"""A store that is made once; tests only read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plane.records import make_paging_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobtrail.store import Store


@pytest.fixture(scope="session")
def filled_store() -> Iterator[Store]:
    store = make_paging_store()
    yield store
    store.close()
