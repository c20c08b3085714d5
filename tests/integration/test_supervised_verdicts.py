"""From claim to verdict: who decides, what a rejection does, what waits for a person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.supervised import HARNESS, UNTIL_IDLE, WORK, Site, issue, site

__all__ = ["site"]


def test_a_finished_issue_is_done_with_its_commit_kept_and_nothing_left_behind(site: Site) -> None:
    head, tree = site.git("rev-parse", "HEAD"), site.git("status", "--porcelain")
    (one,) = site.plan(issue("make a file"))
    site.workflow(WORK)
    up = site.up()
    assert up.code == 0
    assert site.standing(one) == [("done", None)]
    run = site.run(one)
    assert (run["verdict"], run["outcome"], run["turns"]) == ("verified", "success", 1)
    assert site.accepted() == {one: run["commit_id"]}
    assert site.git("show", f"{run['commit_id']}:{one}.txt") == f"made by {one} turn 1"
    assert site.worktrees() == []
    assert not Path(run["worktree"]).exists()
    assert (site.git("rev-parse", "HEAD"), site.git("status", "--porcelain")) == (head, tree)


def test_agent_cannot_set_done(site: Site) -> None:
    """Whatever the agent says of itself, the harness judges (P05)."""
    (one,) = site.plan(issue("say done"))
    site.workflow(
        f"{HARNESS} session close --outcome finished --json; echo DONE; "
        'echo \'{"outcome": "success"}\' > $HARNESS_EVIDENCE_DIR/outcome.json',
        max_rejections=1,
        budget={"attempts": 1},
    )
    assert site.up().code == 1
    assert site.standing(one) == [("failed", None)]
    assert site.accepted() == {}


def test_rejected_verdict_is_the_next_turn_in_the_same_worktree(site: Site) -> None:
    (one,) = site.plan(issue("make two files"))
    site.workflow(
        "pwd >> $HARNESS_EVIDENCE_DIR/places; cp $HARNESS_PROMPT_FILE seen-$HARNESS_TURN; touch left-$HARNESS_TURN",
        gates=[{"name": "two", "kind": "command", "shell": "echo the second is missing; test -f left-2"}],
        prompt="{% if rejection %}Rejected: {{ rejection }}{% else %}First{% endif %}",
    )
    assert site.up().code == 0
    run = site.run(one)
    assert (run["turns"], run["rejections"], run["epoch"]) == (2, 1, 1)
    first, second = site.kept(run, "places").split()
    assert first == second == run["worktree"]
    prompt = site.kept(run, "prompt-2.md")
    assert "Rejected" in prompt
    assert "the second is missing" in prompt
    assert site.kept(run, "prompt-1.md").strip() == "First"


def test_more_rejections_than_allowed_are_the_agents_fault(site: Site) -> None:
    (one,) = site.plan(issue("never good"))
    site.workflow(
        WORK,
        gates=[{"name": "no", "kind": "command", "argv": ["false"]}],
        max_rejections=1,
        budget={"attempts": 1},
    )
    assert site.up().code == 1
    run = site.run(one)
    assert (run["outcome"], run["turns"], run["verdict"]) == ("agent_fault", 2, "rejected")
    assert site.standing(one) == [("failed", None)]


def test_a_gate_that_cannot_run_is_an_error_and_three_in_a_row_block_the_issue(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harnessos.model.outcome.BACKOFF_FIRST_MS", 1)
    (one,) = site.plan(issue("ungated"))
    site.workflow(WORK, gates=[{"name": "gone", "kind": "command", "argv": ["/nonexistent/gate"]}])
    up = site.up()
    assert [run["outcome"] for run in site.runs(one)] == ["harness_fault"] * 3
    assert [run["verdict"] for run in site.runs(one)] == ["error"] * 3
    assert site.standing(one) == [("blocked", "operator:gate_error")]
    assert len(site.attention()) == 1
    assert up.code == 0
    assert site.issue(one)["attempts"] == 0


def test_gate_files_changed_by_the_run_are_flagged(site: Site) -> None:
    """A run that edits the script that judges it needs a person (P05); approving accepts the commit as judged."""
    site.git("switch", "--quiet", "main")
    (site.root / "check.sh").write_text("exit 0\n", encoding="utf-8")
    site.git("add", "check.sh")
    site.git("commit", "--quiet", "-m", "a gate")
    one, two = site.plan(issue("edit the gate", key="a"), issue("build on it", key="b", depends_on_keys=["a"]))
    site.workflow(
        f"echo true >> check.sh; {WORK}", gates=[{"name": "check", "kind": "command", "argv": ["sh", "check.sh"]}]
    )
    assert site.up().code == 0
    assert site.standing(one) == [("blocked", "approval:review")]
    run = site.run(one)
    assert run["verdict"] == "needs_review"
    assert site.accepted() == {}
    assert site.call("issue", "approve", one).code == 0
    assert site.standing(one, two) == [("done", None), ("ready", None)]
    assert site.accepted() == {one: run["commit_id"]}
    assert site.up().code == 0


def test_without_a_person_a_changed_gate_file_is_a_rejection(site: Site) -> None:
    (site.root / "check.sh").write_text("exit 0\n", encoding="utf-8")
    site.git("add", "check.sh")
    site.git("commit", "--quiet", "-m", "a gate")
    (one,) = site.plan(issue("edit the gate"))
    site.workflow(
        f"if [ $HARNESS_TURN = 1 ]; then echo true >> check.sh; else git checkout -q HEAD~1 check.sh; fi; {WORK}",
        gates=[{"name": "check", "kind": "command", "argv": ["sh", "check.sh"]}],
        on_review="reject",
    )
    assert site.up().code == 0
    assert site.standing(one) == [("done", None)]
    assert (site.run(one)["rejections"], site.run(one)["turns"]) == (1, 2)


def test_work_without_any_gate_waits_for_a_person_where_gates_are_required(site: Site) -> None:
    (one,) = site.plan(issue("ungated"))
    site.workflow(WORK, gates=[])
    assert site.up().code == 0
    assert site.standing(one) == [("blocked", "approval:unverified")]
    assert site.accepted() == {}
    assert site.call("issue", "approve", one).code == 0
    assert site.accepted() == {one: site.run(one)["commit_id"]}


def test_work_without_any_gate_is_done_unverified_where_the_project_permits_it(site: Site) -> None:
    (one,) = site.plan(issue("ungated"))
    site.workflow(WORK, gates=[], require_gates=False)
    assert site.up().code == 0
    assert site.issue(one)["verdict"] == "unverified"
    assert site.accepted() == {one: site.run(one)["commit_id"]}


@pytest.mark.parametrize(
    ("rules", "stands"),
    [({}, ("done", None)), ({"require_gates": True}, ("blocked", "approval:unverified"))],
)
def test_a_plain_folder_requires_gates_only_where_its_workflow_says_so(
    tmp_path: Path, rules: dict[str, Any], stands: tuple[str, str | None]
) -> None:
    folder = Site(tmp_path, git=False)
    (one,) = folder.plan(issue("ungated"))
    folder.workflow("echo done > done.txt", gates=[], **rules)
    assert folder.up().code == 0
    assert folder.standing(one) == [stands]
    folder.close()


def test_leftovers_are_committed_by_the_harness(site: Site) -> None:
    (one,) = site.plan(issue("leave a file"))
    site.workflow("echo left > left.txt")
    assert site.up().code == 0
    commit = site.run(one)["commit_id"]
    assert site.git("show", f"{commit}:left.txt") == "left"
    assert site.git("log", "-1", "--format=%s", commit) == f"{one}: leave a file"


def test_refused_leftovers_are_the_agents_next_turn(site: Site) -> None:
    """Nothing the agent did can be the harness's fault: it is told what it left, and mends it."""
    (one,) = site.plan(issue("leave a file"))
    site.workflow(
        f"cp $HARNESS_PROMPT_FILE $HARNESS_EVIDENCE_DIR/p$HARNESS_TURN; test $HARNESS_TURN = 1 && touch left.txt || {{ {WORK}; }}",
        leftovers="refuse",
        prompt="{{ rejection }}",
    )
    assert site.up().code == 0
    assert (site.run(one)["turns"], site.run(one)["outcome"]) == (2, "success")
    assert "left.txt" in site.kept(site.run(one), "p2")


def test_a_leftover_whose_name_is_no_text_is_refused_like_any_other(site: Site) -> None:
    (one,) = site.plan(issue("leave a file"))
    site.workflow(
        f"if test $HARNESS_TURN = 1; then touch \"$(printf 'x\\377y')\"; else git clean -fdq; {WORK}; fi",
        leftovers="refuse",
    )
    assert site.up().named("up.bug") == []
    assert (site.run(one)["turns"], site.run(one)["outcome"]) == (2, "success")
    assert "x\\udcffy" in site.evidence(site.run(one))[0]["detail"]


def test_an_agent_that_closes_its_session_finished_is_verified_after_it_ended(site: Site) -> None:
    (one,) = site.plan(issue("close it"))
    site.workflow(f"{WORK}; {HARNESS} session close --outcome finished --json > $HARNESS_EVIDENCE_DIR/said; exit 3")
    assert site.up().code == 0
    run = site.run(one)
    assert '"verdict":null' in site.kept(run, "said").replace(" ", "")
    assert run["verdict"] == "verified"


def test_an_agent_that_gives_up_has_used_an_attempt(site: Site) -> None:
    (one,) = site.plan(issue("give up"))
    site.workflow(f"{HARNESS} session close --outcome failed --reason 'too hard: truly' --json", budget={"attempts": 1})
    assert site.up().code == 1
    run = site.run(one)
    assert (run["outcome"], run["reason"]) == ("agent_fault", "too hard: truly")
    assert site.issue(one)["attempts"] == 1


def test_an_agent_that_hands_its_issue_back_uses_no_attempt_and_is_not_started_again_at_once(site: Site) -> None:
    """A release that came back in the same second would start agents without end (P01)."""
    (one,) = site.plan(issue("hand back"))
    site.workflow(f"{HARNESS} session close --outcome released --reason 'not for me' --json")
    up = site.up(UNTIL_IDLE._replace(max_wait_ms=1000))
    assert up.code == 75
    assert [run["outcome"] for run in site.runs(one)] == ["released"]
    assert site.issue(one)["attempts"] == 0


_BOUND = "mkdir ignored; printf '#!%s/ignored/sh\\necho ok\\n' \"$PWD\" > ignored/tool; cp /bin/sh ignored/; chmod +x ignored/tool"


def test_what_setup_makes_is_made_once_and_works_in_the_next_verification_too(site: Site) -> None:
    """A virtual environment names its own path, so a checkout's path comes back."""
    one, two = site.plan(issue("a"), issue("b"))
    count = site.folder / "setups"
    site.workflow(
        WORK,
        gates=[{"name": "tool", "kind": "command", "argv": ["ignored/tool"]}],
        checkout={"setup": [f"echo x >> {count}; {_BOUND}"]},
        front={"agent": {"max_concurrent_agents": 1}},
    )
    assert site.up().code == 0
    assert site.standing(one, two) == [("done", None)] * 2
    assert count.read_text(encoding="utf-8") == "x\n"


def test_verifications_at_once_have_checkouts_of_their_own(site: Site) -> None:
    one, two = site.plan(issue("a"), issue("b"))
    places = site.folder / "places"
    meet = f"pwd >> {places}; while [ $(wc -l < {places}) -lt 2 ]; do sleep 0.05; done"
    site.workflow(
        WORK,
        gates=[{"name": "meet", "kind": "command", "shell": meet}],
        checkout={"setup": [_BOUND]},
    )
    assert site.up().code == 0
    assert site.standing(one, two) == [("done", None)] * 2
    below = site.home / "checkouts" / site.key
    assert sorted(places.read_text(encoding="utf-8").split()) == [str(below / "1"), str(below / "2")]
    assert [left for left in below.iterdir() if left.is_dir()] == []


def test_the_setup_of_a_project_nobody_trusts_does_not_run(site: Site) -> None:
    site.plan(issue("by hand"))
    mark = site.folder / "ran"
    site.workflow("true", checkout={"setup": [f"touch {mark}"]})
    assert site.call("project", "distrust").code == 0
    token = site.json("session", "begin")["session"]["token"]
    (site.root / "made").touch()
    site.git("add", "made")
    site.git("commit", "--quiet", "-m", "made")
    closed = site.json("session", "close", "--session", token, "--outcome", "finished")
    assert closed["verdict"] == "error"
    assert "trust" in json.dumps(closed)
    assert not mark.exists()
