"""The supervised run on a PostgreSQL ledger: what differs there."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harnessos.store.opening import create_store
from tests.support.supervised import WORK, Site, issue
from tests.support.waiting import eventually

pytestmark = pytest.mark.postgres


@pytest.fixture
def site(tmp_path: Path, database: str) -> Iterator[Site]:
    """A project in a ledger on the server."""
    create_store(database)
    made = Site(tmp_path, store=database)
    yield made
    made.close()


def test_an_agent_is_not_given_the_address_of_the_server(site: Site) -> None:
    one, two = site.plan(issue("look", key="a"), issue("build on it", key="b", depends_on_keys=["a"]))
    site.workflow(f"env > $HARNESS_EVIDENCE_DIR/env; {WORK}")
    assert site.up().code == 0
    assert site.standing(one, two) == [("done", None)] * 2
    seen = site.kept(site.run(one), "env")
    assert "postgresql" not in seen
    assert "HARNESS_STORE" not in seen
    assert "HARNESS_SESSION_TOKEN" in seen
    assert "postgresql" not in site.kept(site.run(one), "manifest.json")


def test_a_resting_supervisor_is_woken_by_a_notification(site: Site) -> None:
    """Its own look comes after half a minute only."""
    (first,) = site.plan(issue("early"))
    site.workflow(WORK)
    with site.start() as up:
        up.saw("run.ended")
        eventually(lambda: site.issue(first)["status"] == "done", what="the first")
        (one,) = site.plan(issue("late"), milestone="m2")
        up.saw("run.ended", count=2, within=20.0)
        up.process.send_signal(signal.SIGTERM)
        assert up.end() == 75
    assert site.issue(one)["status"] == "done"
