"""Stores that are made once; tests only read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jobtrail.sample.fill import fill_sample
from jobtrail.store import Store
from tests.plane.records import make_paging_store
from tests.sample_client import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def sample() -> Iterator[Store]:
    store = Store(None)
    fill_sample(store, NOW)
    yield store
    store.close()


@pytest.fixture(scope="session")
def filled_store() -> Iterator[Store]:
    store = make_paging_store()
    yield store
    store.close()
