"""A supervisor that is killed anywhere in a run, and started again, has done everything exactly once (P11, G1, G2, G4)."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from harnessos import processes
from tests.support import invariants
from tests.support.supervised import Site, issue

GATES = [{"name": "two", "kind": "file", "path": "second.txt"}, {"name": "changes", "kind": "diff"}]
AGENT = (
    "echo $HARNESS_RUN_ID $HARNESS_TURN >> $HARNESS_HOME/launches-$HARNESS_ISSUE; "
    "if [ $HARNESS_TURN = 1 ]; then echo 1 > $HARNESS_ISSUE.txt; git add -A; git commit -qm first --allow-empty; "
    "else echo 2 > second.txt; fi"
)
FIRST, OTHER = "WORK-1", "WORK-2"


class Killed(NamedTuple):
    """One experiment: where the first supervisor died, and how the second one ended."""

    place: str
    code: int
    said: str


def prepared(folder: Path, store: str | None) -> Site:
    """A project with two issues, both rejected once; the second one's agent needs no mending."""
    site = Site(folder, store=store)
    site.plan(issue("first"), issue("other", files=["other/"]))
    site.workflow(AGENT, gates=GATES, front={"agent": {"max_concurrent_agents": 2}})
    return site


def supervise(site: Site, number: int) -> tuple[int, str]:
    """Run the deadly supervisor; return how it ended and what it said."""
    done = site.module("tests.support.deadly", str(site.folder / "places"), str(number))
    return done.code, done.out + done.err


def places(site: Site) -> list[str]:
    """Return the places that were passed."""
    return (site.folder / "places").read_text(encoding="utf-8").splitlines()


def experiment(folder: Path, number: int, store: str | None) -> Killed:
    """Kill a supervisor at the n-th place, start another, and check what is there then."""
    site = prepared(folder, store)
    try:
        code, said = supervise(site, number)
        assert code == -signal.SIGKILL, said
        passed = places(site)
        told = [row["seq"] for row in events(site)]
        again, said = supervise(site, 0)
        found = Killed(passed[-1], again, said)
        check(site, found, told)
        return found
    finally:
        site.close()


def events(site: Site) -> list[dict[str, object]]:
    """Return every event of the ledger: what was committed, and so acknowledged."""
    return site.ledger.read(lambda tx: tx.all("event_after", after=0, most=10_000))


def check(site: Site, found: Killed, told: list[object]) -> None:
    """Everything was done once, nothing acknowledged is missing, and nothing is left over."""
    where = f"after a kill at {found.place}: {found.said}"
    assert found.code == 0, where
    tables = invariants.check(site.ledger.store.url)
    assert {row["seq"] for row in events(site)} >= set(told), where
    for name in (FIRST, OTHER):
        row, runs = site.issue(name), site.runs(name)
        assert (row["status"], row["verdict"], row["attempts"]) == ("done", "verified", 1), where
        assert [run["outcome"] for run in runs if run["outcome"] != "lost"] == ["success"], where
        assert len(runs) <= 2, where
        assert runs[-1]["rejections"] == runs[-1]["turns"] - 1, where
        assert site.accepted()[name] == row["accepted_commit"] == runs[-1]["commit_id"], where
        assert site.git("show", f"{row['accepted_commit']}:second.txt") == "2", where
        launches = (site.home / f"launches-{name}").read_text(encoding="utf-8").splitlines()
        # An agent that had been started and was not yet noted has been killed, and its turn begins again.
        unnoted = name == OTHER or found.place == "runs.launch begun"
        assert len(launches) - len(set(launches)) <= unnoted, where
        for run in runs:
            assert processes.marked(run["id"]) == [], where
            assert run["worktree"] is None or site.manifest(run)["cleanup"] in ("removed", "being removed"), where
            assert run["worktree"] is None or site.manifest(run)["outcome"] == run["outcome"], where
    assert site.worktrees() == [], where
    assert list((site.home / "checkouts").iterdir()) == [], where
    assert [row for row in tables["intents"] if row["state"] == "planned"] == [], where
    assert tables["slots"] == tables["run_files"] == tables["locks"] == [], where
    # A turn whose end was recorded is judged, not repeated.
    if "start_verifying" in found.place or "judge" in found.place or "accept" in found.place or "reject" in found.place:
        assert len(site.runs(FIRST)) == 1, where


@pytest.mark.scales
@pytest.mark.timeout(400)
def test_finished_but_unfinalised_turn_is_harvested_not_repeated(tmp_path: Path) -> None:
    """Every place of a run, one kill each."""
    site = prepared(tmp_path / "whole", None)
    code, said = supervise(site, 0)
    site.close()
    assert code == 0, said
    count = len(places(site))
    assert count >= 26

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda number: experiment(tmp_path / f"{number}", number, None), range(1, count + 1)))
    assert {kill.place for kill in found} == set(places(site))


@pytest.mark.postgres
@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", [2, 5, 9, 12, 16, 20])
def test_a_killed_supervisor_on_a_server_leaves_nothing_undone(tmp_path: Path, postgres_url: str, number: int) -> None:
    experiment(tmp_path / "site", number, postgres_url)
