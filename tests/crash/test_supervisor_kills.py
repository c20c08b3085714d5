"""A supervisor that is killed anywhere in a run, and started again, has done everything exactly once (P11, G1, G2, G4)."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harnessos import errors, processes
from harnessos.dispatch import checkouts, recovery
from harnessos.dispatch import place as places_of
from harnessos.dispatch.watching import Control
from harnessos.kernel import claims, ending, issues, operations
from harnessos.kernel.claims import Claimed, ClaimRequest
from harnessos.kernel.events import Cause
from harnessos.model.budget import DOLLAR
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.process import Identity
from harnessos.model.run import OPERATOR, SUPERVISOR, WATCHED_TTL_MS
from harnessos.services import supervisor
from harnessos.store.transaction import Row, Transaction
from harnessos.testing import FakeClock
from tests.support import invariants
from tests.support.supervised import HARNESS, WORK, Site, issue, site
from tests.support.waiting import eventually

__all__ = ["site"]

GATES = [{"name": "two", "kind": "file", "path": "second.txt"}, {"name": "changes", "kind": "diff"}]
AGENT = (
    "echo $HARNESS_RUN_ID $HARNESS_TURN >> $HARNESS_HOME/launches-$HARNESS_ISSUE; "
    "if [ $HARNESS_TURN = 1 ]; then echo 1 > $HARNESS_ISSUE.txt; git add -A; git commit -qm first --allow-empty; "
    "else echo 2 > second.txt; fi; "
    "echo '{\"usd\": 1}' > $HARNESS_EVIDENCE_DIR/outcome.json"
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
        assert runs[-1]["spent_usd"] == runs[-1]["turns"] * DOLLAR, where
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
    assert [left for left in (site.home / "checkouts").glob("*/*") if left.is_dir()] == [], where
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


SLEEP = "echo begun > $HARNESS_HOME/begun; sleep 60"


def killed_at_work(site: Site, mark: str = "begun") -> None:
    """Start a supervisor, and kill it when its agent has made the mark."""
    with site.start() as up:
        eventually((site.home / mark).exists, within=30, what="the agent at work")
        up.process.kill()


@pytest.mark.parametrize("damage", ["echo garbage > .git", 'rm -rf "$(git rev-parse --absolute-git-dir)"'])
def test_a_damaged_worktree_does_not_keep_its_run_alive(
    site: Site, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr("harnessos.model.outcome.BACKOFF_FIRST_MS", 1)
    (one,) = site.plan(issue("damage it"))
    site.workflow(f"if [ ! -e $HARNESS_HOME/begun ]; then echo 1 > mine.txt; {damage}; {SLEEP}; fi; {WORK}")
    killed_at_work(site)
    assert site.up().code == 0
    lost, second = site.runs(one)
    assert (lost["outcome"], second["outcome"]) == ("lost", "success")
    assert lost["reason"].startswith("its supervisor died; not all of it was kept: ")
    if "garbage" in damage:
        assert site.git("show", f"{lost['salvage_ref']}:mine.txt") == "1"
        assert not Path(lost["worktree"]).exists()
    else:
        assert (Path(lost["worktree"]) / "mine.txt").is_file()


def test_a_finished_run_is_judged_even_where_tidying_up_before_it_fails(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = site.plan(issue("ask, then go on"))
    site.workflow(f"{WORK}; {HARNESS} session close --outcome finished; {SLEEP}")
    killed_at_work(site)

    def fails(*_: object) -> None:
        raise errors.GitFailed("git worktree list: another git is at work")

    monkeypatch.setattr(checkouts, "remove_stale", fails)
    assert site.up().code == 0
    assert [(run["outcome"], run["verdict"]) for run in site.runs(one)] == [("success", "verified")]


def test_a_takeover_that_failed_is_done_again_and_the_finished_run_still_judged(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed came after the adoption and before the first gate: nothing was verified yet."""
    (one,) = site.plan(issue("ask, then go on"))
    site.workflow(
        f"{WORK}; {HARNESS} session close --outcome finished; {SLEEP}", front={"polling": {"interval_ms": 500}}
    )
    killed_at_work(site)
    monkeypatch.setattr(supervisor, "RECOVER_S", 0.0)
    really = processes.kill_run
    failed: list[str] = []

    def fails_once(run_id: str, **given: Any) -> None:
        if not failed:
            failed.append(run_id)
            raise errors.RunnerProblem("a process would not end")
        really(run_id, **given)

    monkeypatch.setattr(processes, "kill_run", fails_once)
    up = site.up()
    assert up.code == 0
    assert [event["run"] for event in up.named("up.cannot_recover")] == failed
    assert [(run["outcome"], run["verdict"]) for run in site.runs(one)] == [("success", "verified")]


def test_a_ref_that_approving_did_not_come_to_is_made_by_the_sweep(site: Site) -> None:
    """`approve` commits first and moves the ref then; who dies between leaves a commit that git could forget."""
    (one,) = site.plan(issue("be approved"))
    site.workflow(WORK, gates=[])
    assert site.up().code == 0
    site.ledger.write(operations.approve, one, None, "approved", "", Cause(OPERATOR, "approve"))
    assert site.accepted() == {}
    assert site.up().code == 0
    assert site.accepted() == {one: site.run(one)["commit_id"]}


def test_who_does_not_get_an_orphan_kills_nothing_of_it(site: Site) -> None:
    """Another supervisor was faster, and its agent may be at work already."""
    (one,) = site.plan(issue("work"))
    site.workflow(SLEEP)
    with site.start():
        eventually((site.home / "begun").exists, within=30, what="the agent at work")
        run = site.run(one)
        place = places_of.find(site.ledger.ground, site.ledger.project(site.key))
        seen = {**run, "pid": run["pid"] + 1}
        assert recovery.take_over(site.ledger.ground, place, seen, Control()) is None
        assert processes.marked(run["id"]) != []


def test_a_clone_of_this_machine_that_renews_its_lease_is_not_taken_for_dead(tmp_path: Path, clock: FakeClock) -> None:
    """Two machines of one image may have one machine id, and differ by their boot only."""
    site = Site(tmp_path, clock=clock)
    try:
        (one,) = site.plan(issue("work"))
        here = site.ledger.ground.process
        request = ClaimRequest(
            site.ledger.project(site.key)["id"],
            Identity(here.machine_id, "another-boot", here.pid, here.started),
            "0" * 64,
            "agent",
            supervised=True,
            max_live=1,
            ttl_ms=WATCHED_TTL_MS,
        )
        assert isinstance(site.ledger.write(claims.claim, request, Cause(SUPERVISOR, "up")), Claimed)
        clock.advance(WATCHED_TTL_MS - 1000)
        assert recovery.orphans(site.ledger.ground, ()) == []
        clock.advance(1000)
        assert [run["id"] for run in recovery.orphans(site.ledger.ground, ())] == [site.run(one)["id"]]
    finally:
        site.close()


def test_what_a_reaped_run_of_another_project_left_running_here_is_ended(tmp_path: Path) -> None:
    first = Site(tmp_path / "first", key="ONE")
    second = Site(tmp_path / "second", key="TWO", home=first.home)
    try:
        (one,) = first.plan(issue("leave a server"))
        first.workflow(f"setsid sleep 60 & {SLEEP}")
        killed_at_work(first)
        run = first.run(one)
        first.ledger.write(reap, run)
        second.workflow(WORK)
        assert second.up().code == 0
        assert processes.marked(run["id"]) == []
    finally:
        second.close()
        first.close()


def reap(tx: Transaction, run: Row) -> None:
    """Reap a run as a session on another machine does when its lease has run out."""
    held = issues.lock(tx, run["issue_id"])
    ended = tx.one(
        "run_reap", run=run["id"], epoch=run["epoch"], seen=run["expires_at"], reason="reaped", now=run["expires_at"]
    )
    assert ended is not None
    ending.conclude(tx, held, ended, Ended(Outcome.LOST, "reaped"), Cause(SUPERVISOR, "up"))
