"""Who answers an approval gate from the command line, when, and what an agent may not change there; on each store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harnessos import processes
from tests.support.supervised import WORK, Site, issue

ME = processes.user_name()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A project in a ledger of each kind."""
    store = request.getfixturevalue("database") if request.param == "postgres" else None
    made = Site(tmp_path, store=store)
    yield made
    made.close()


def _asking(site: Site, *who: str) -> None:
    """Declare a gate that asks a person, beside one that looks at the change."""
    asks = {"name": "lead", "kind": "approval", "question": "is it right?", "who": list(who)}
    site.workflow(WORK, gates=[asks, {"name": "changes", "kind": "diff"}])


def test_who_answers_a_gate_is_told_by_the_uid(site: Site) -> None:
    """$USER says what anybody likes: it neither lends the right nor takes it away."""
    (one,) = site.plan(issue("ask"))
    _asking(site, "alice")
    assert site.up().code == 0
    assert site.standing(one) == [("blocked", "approval:review")]
    refused = site.call("issue", "approve", one, "--json", environ={"USER": "alice"})
    assert refused.code == 65
    error = json.loads(refused.err.strip().splitlines()[-1])["error"]
    assert (error["code"], error["who"]) == ("refused", ["alice"])
    assert f"for alice to answer, not for operator:{ME}" in error["message"]
    assert site.standing(one) == [("blocked", "approval:review")]
    _asking(site, "alice", ME)
    assert site.call("issue", "approve", one, environ={"USER": "mallory"}).code == 0
    assert site.accepted() == {one: site.run(one)["commit_id"]}


def test_an_approval_given_before_the_run_starts_it_and_passes_no_gate(site: Site) -> None:
    (one,) = site.plan(issue("ask", approvals=[{"id": "lead", "label": "the lead"}]))
    _asking(site)
    assert site.call("issue", "approve", one, "--name", "lead").code == 0
    assert site.standing(one) == [("ready", None)]
    assert site.up().code == 0
    assert site.standing(one) == [("blocked", "approval:review")]
    (asked,) = [row for row in site.evidence(site.run(one)) if row["gate"] == "lead"]
    assert asked["passed"] is None
    assert site.call("issue", "approve", one).code == 0
    commit = site.run(one)["commit_id"]
    (given,) = site.json("issue", "show", one)["approvals"]
    assert (given["subject"], given["decided_by"]) == (commit, f"operator:{ME}")
    assert site.accepted() == {one: commit}
