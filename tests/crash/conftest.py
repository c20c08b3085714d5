"""What the crash suite stands on: a new ledger on each kind of store, and a crew of processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harnessos.store.opening import create_store, open_store
from harnessos.store.transaction import Store
from tests.support import invariants
from tests.support.crew import Crew

STORES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new ledger with nothing in it, on each kind of store."""
    if request.param == "sqlite":
        made = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
        create_store(made)
        return made
    server: str = request.getfixturevalue("postgres_url")
    return server


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """The ledger, opened by the test's own process."""
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    """A leader that starts workers."""
    with Crew() as made:
        yield made


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a new ledger on the server."""
    template = request.getfixturevalue("postgres_template")("crash_template", create_store)
    database: str = request.getfixturevalue("databases").create(template=template)
    yield database
    invariants.forget(database)
