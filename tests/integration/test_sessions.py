"""Sessions: agents that come by themselves, through the command line, with real repositories."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from harnessos.app.harness import fingerprint
from tests.support.repositories import commit_files, user_git
from tests.support.supervised import UNTIL_IDLE, Called, Site, Started, issue, site
from tests.support.waiting import eventually

__all__ = ["site"]

CHECK = [{"name": "good", "kind": "command", "shell": "test -f good.txt"}]


@pytest.fixture
def work(site: Site) -> Site:
    """A project with two issues whose gate asks for a file."""
    site.plan(issue("make a good file"), issue("another"))
    site.workflow("true", gates=CHECK)
    return site


def begin(site: Site, *words: str) -> dict[str, Any]:
    """Begin a session."""
    document: dict[str, Any] = site.json("session", "begin", "--project", site.key, "--agent", "me", *words)
    return document


def close(site: Site, begun: dict[str, Any], *words: str, cwd: Path | None = None) -> Called:
    """Close a session as finished."""
    return site.call(
        "session", "close", "--session", begun["session"]["token"], "--outcome", "finished", "--json", *words, cwd=cwd
    )


def test_a_session_works_in_a_worktree_of_its_own_and_is_verified_on_close(work: Site) -> None:
    begun = begin(work, "--worktree")
    tree = Path(begun["worktree"])
    assert tree.is_dir()
    assert begun["briefing"]["task"]
    commit = commit_files(tree, {"good.txt": "yes"})
    done = close(work, begun, cwd=tree)
    assert done.code == 0, done
    said = json.loads(done.out)
    assert (said["verdict"], said["commit"], said["session_open"]) == ("verified", commit, False)
    assert work.issue("WORK-1")["status"] == "done"
    assert work.accepted() == {"WORK-1": commit}
    assert work.manifest(work.run("WORK-1"))["outcome"] == "success"


def test_a_tree_with_changes_cannot_be_closed(work: Site) -> None:
    begun = begin(work, "--worktree")
    (Path(begun["worktree"]) / "loose.txt").write_text("x", encoding="utf-8")
    done = close(work, begun)
    assert done.code == 65
    assert "loose.txt" in done.err
    assert work.run("WORK-1")["live"] == 1


def test_after_rejected_the_session_stays_open_is_mended_and_closed_again(work: Site) -> None:
    begun = begin(work, "--worktree")
    tree = Path(begun["worktree"])
    commit_files(tree, {"bad.txt": "no"})
    first = close(work, begun)
    assert first.code == 1
    said = json.loads(first.out)
    assert (said["verdict"], said["session_open"]) == ("rejected", True)
    assert work.issue("WORK-1")["status"] == "in_progress"
    commit_files(tree, {"good.txt": "yes"})
    assert json.loads(close(work, begun).out)["verdict"] == "verified"
    run = work.run("WORK-1")
    assert (run["epoch"], run["rejections"]) == (1, 1)


def test_without_a_worktree_the_caller_names_its_commit(work: Site) -> None:
    begun = begin(work)
    assert begun["worktree"] is None
    work.git("switch", "--quiet", "-c", "mine")
    commit = commit_files(work.root, {"good.txt": "yes"})
    work.git("switch", "--quiet", "main")
    assert json.loads(close(work, begun, "--commit", commit).out)["verdict"] == "verified"
    assert work.accepted() == {"WORK-1": commit}


def test_a_commit_that_is_not_in_the_repository_is_refused(work: Site, tmp_path: Path) -> None:
    begun = begin(work)
    done = close(work, begun, "--commit", "0123456789abcdef0123456789abcdef01234567")
    assert done.code in (65, 70, 1, 69)
    assert work.run("WORK-1")["live"] == 1
    elsewhere = tmp_path / "elsewhere"
    user_git(tmp_path, "init", "--quiet", str(elsewhere))
    commit_files(elsewhere, {"good.txt": "yes"})
    done = close(work, begun, cwd=elsewhere)
    assert done.code != 0
    assert work.run("WORK-1")["live"] == 1


def test_advance_closes_and_takes_the_next_issue(work: Site) -> None:
    begun = begin(work, "--worktree")
    commit_files(Path(begun["worktree"]), {"good.txt": "yes"})
    token = begun["session"]["token"]
    done = work.json("session", "advance", "--session", token, "--outcome", "finished", "--agent", "me")
    assert done["closed"]["verdict"] == "verified"
    assert done["issue"]["identifier"] == "WORK-2"
    assert done["session"]["token"] != token


def test_advance_takes_nothing_after_a_rejection(work: Site) -> None:
    begun = begin(work, "--worktree")
    commit_files(Path(begun["worktree"]), {"bad.txt": "x"})
    done = work.json("session", "advance", "--session", begun["session"]["token"], "--outcome", "finished")
    assert (done["closed"]["verdict"], done["session"]) == ("rejected", None)
    assert work.issue("WORK-2")["status"] == "ready"


def test_a_failed_session_has_used_an_attempt_and_a_released_one_has_not(work: Site) -> None:
    for outcome, attempts in (("released", 0), ("failed", 1)):
        begun = begin(work, "--worktree", "--issue", "WORK-1")
        (Path(begun["worktree"]) / "half.txt").write_text("half", encoding="utf-8")
        token = begun["session"]["token"]
        done = work.call("session", "close", "--session", token, "--outcome", outcome, "--reason", "so", "--json")
        assert done.code == 0, done
        assert work.issue("WORK-1")["attempts"] == attempts
        run = work.runs("WORK-1")[-1]
        assert work.git("show", f"{run['salvage_ref']}:half.txt") == "half"
        assert work.worktrees() == []


@pytest.mark.parametrize("outcome", ["released", "failed"])
def test_a_session_can_be_given_up_while_the_workflow_is_broken(work: Site, outcome: str) -> None:
    begun = begin(work, "--worktree")
    (Path(begun["worktree"]) / "half.txt").write_text("half", encoding="utf-8")
    (work.root / "WORKFLOW.md").write_text("---\nharness: 7\n---\n", encoding="utf-8")
    done = work.call("session", "close", "--session", begun["session"]["token"], "--outcome", outcome, "--json")
    assert done.code == 0, done
    run = work.run("WORK-1")
    assert run["live"] == 0
    assert work.git("show", f"{run['salvage_ref']}:half.txt") == "half"
    assert work.worktrees() == []


def test_a_stale_token_writes_nothing_and_says_lease_lost(work: Site) -> None:
    begun = begin(work, "--ttl", "1")
    expired = work.run("WORK-1")["expires_at"]
    eventually(lambda: work.ledger.clock.now() > expired, what="the end of the lease")
    again = begin(work, "--issue", "WORK-1")
    assert again["session"]["epoch"] == 2
    token = begun["session"]["token"]
    before = work.ledger.read(lambda tx: tx.all("event_after", after=0, most=10_000))
    for words in (
        ("heartbeat",),
        ("checkpoint", "--title", "t", "--summary", "s", "--next-step", "n"),
        ("close", "--outcome", "finished", "--commit", work.git("rev-parse", "HEAD")),
        ("close", "--outcome", "failed"),
        ("close", "--outcome", "released"),
    ):
        done = work.call("session", *words, "--session", token, "--json")
        assert done.code == 75, done
        assert "lease_lost" in done.out + done.err
    assert work.ledger.read(lambda tx: tx.all("event_after", after=0, most=10_000)) == before


def test_a_lost_run_is_taken_up_again_with_what_it_had_noted(work: Site) -> None:
    begun = begin(work, "--ttl", "1", "--worktree")
    note = ("--title", "half", "--summary", "the parser is done", "--next-step", "the printer")
    assert work.call("session", "checkpoint", "--session", begun["session"]["token"], *note).code == 0
    (Path(begun["worktree"]) / "half.txt").write_text("half", encoding="utf-8")
    expired = work.run("WORK-1")["expires_at"]
    eventually(lambda: work.ledger.clock.now() > expired, what="the end of the lease")
    again = work.json("session", "begin-recovery", "--project", work.key, "--agent", "other", "--worktree")
    assert again["issue"]["identifier"] == "WORK-1"
    assert "the printer" in json.dumps(again["briefing"])
    assert (Path(again["worktree"]) / "half.txt").read_text(encoding="utf-8") == "half"
    assert work.json("session", "begin-recovery", "--project", work.key, "--agent", "other")["session"] is None


SLOW = [{"name": "slow", "kind": "command", "shell": "touch {}; while [ ! -e {}.go ]; do sleep 0.05; done"}]


def slow_gate(site: Site) -> Path:
    """Have a gate wait until the test lets it go; return the file that says it has begun."""
    begun = site.folder / "gate-begun"
    gate = {**SLOW[0], "shell": SLOW[0]["shell"].replace("{}", str(begun))}
    site.workflow("true", gates=[gate])
    return begun


def closing(site: Site, begun: dict[str, Any]) -> Started:
    """Start a close that the test waits for, or kills."""
    return Started(site, ["session", "close", "--session", begun["session"]["token"], "--outcome", "finished"], {})


def test_one_verifies_at_a_time_and_the_other_waits_for_its_verdict(work: Site) -> None:
    at_work = slow_gate(work)
    begun = begin(work, "--worktree")
    commit_files(Path(begun["worktree"]), {"good.txt": "yes"})
    with closing(work, begun) as first:
        eventually(at_work.exists, within=30, what="the gate")
        second = close(work, begun)
        assert second.code == 75
        assert "being verified" in second.err + second.out
        shown = work.json("session", "show", "--session", begun["session"]["token"])
        assert shown["session"]["phase"] == "verifying"
        at_work.with_name("gate-begun.go").touch()
        waited = work.json("session", "show", "--wait", "--session", begun["session"]["token"])
        assert waited["session"]["verdict"] == "verified"
        assert first.end() == 0
    assert len(work.evidence(work.run("WORK-1"))) == 1


@pytest.mark.parametrize("by", ["show", "tick"])
def test_a_dead_verifier_is_replaced_under_the_same_epoch(work: Site, by: str) -> None:
    """By whoever looks next: the agent itself, or a supervisor's tick when the agent has gone."""
    at_work = slow_gate(work)
    begun = begin(work, "--worktree")
    commit_files(Path(begun["worktree"]), {"good.txt": "yes"})
    with closing(work, begun) as first:
        eventually(at_work.exists, within=30, what="the gate")
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
    at_work.with_name("gate-begun.go").touch()
    if by == "show":
        waited = work.json("session", "show", "--wait", "--session", begun["session"]["token"])
        assert waited["session"]["verdict"] == "verified"
    else:
        work.up(UNTIL_IDLE._replace(until_idle=False, once=True))
    run = work.run("WORK-1")
    assert (run["epoch"], run["outcome"]) == (1, "success")


def test_a_lease_that_is_lost_while_the_gates_run_accepts_nothing(work: Site) -> None:
    from harnessos.kernel import operations
    from harnessos.kernel.events import Cause
    from harnessos.model.run import OPERATOR

    at_work = slow_gate(work)
    begun = begin(work, "--worktree")
    commit_files(Path(begun["worktree"]), {"good.txt": "yes"})
    with closing(work, begun) as first:
        eventually(at_work.exists, within=30, what="the gate")
        work.ledger.write(operations.cancel, "WORK-1", "not wanted", Cause(OPERATOR, "test"))
        at_work.with_name("gate-begun.go").touch()
        assert first.end() == 75
    assert work.accepted() == {}
    assert work.issue("WORK-1")["status"] == "cancelled"


def test_a_token_is_stored_as_its_hash_only(work: Site) -> None:
    begun = begin(work)
    token = begun["session"]["token"]
    assert work.run("WORK-1")["token_hash"] == fingerprint(token)
    files = [path for path in work.home.rglob("*") if path.is_file()]
    assert all(os.fsencode(token) not in path.read_bytes() for path in files)


def test_nothing_ready_is_an_answer_and_a_failure_where_asked_for(work: Site) -> None:
    begin(work)
    begin(work)
    assert begin(work)["session"] is None
    done = work.call("session", "begin", "--project", work.key, "--agent", "me", "--fail-if-empty", "--json")
    assert done.code == 75


def test_a_worktree_in_a_plain_folder_is_refused_and_costs_the_issue_nothing(tmp_path: Path) -> None:
    plain = Site(tmp_path, git=False)
    try:
        (one,) = plain.plan(issue("work here"))
        plain.workflow("true", gates=[])
        done = plain.call("session", "begin", "--project", plain.key, "--agent", "me", "--worktree")
        assert done.code == 65
        assert plain.runs(one) == []
    finally:
        plain.close()


def test_the_commit_of_another_session_in_the_same_checkout_is_no_work_of_this_one(site: Site) -> None:
    """Both stand in one checkout: whoever did nothing finds the other's commit there (write-gates.md)."""
    site.plan(issue("write a"), issue("write b"))
    site.workflow("true")
    first, second = begin(site), begin(site)
    commit = commit_files(site.root, {"a.txt": "a"})
    assert close(site, first).code == 0
    idle = close(site, second)
    assert idle.code == 1
    assert f"nothing changed since {commit[:12]}, which was accepted for WORK-1" in idle.out
    commit_files(site.root, {"b.txt": "b"})
    assert close(site, second).code == 0
    assert site.issue("WORK-2")["status"] == "done"
