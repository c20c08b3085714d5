"""Promotion in bounded steps, milestones and what derives from them; an interrupted fan-out is finished by a claim."""

from __future__ import annotations

import pytest

from harnessos.kernel import claims, settling
from harnessos.model.milestone import status_of
from tests.support.ledger import BY_OPERATOR, Ledger, draft

WIDE = 1_200


def _wide(ledger: Ledger, width: int = WIDE) -> list[str]:
    names = [f"leaf{number}" for number in range(width)]
    ledger.plan("root", *(draft(name, depends=["root"]) for name in names))
    return names


def _ready(ledger: Ledger) -> int:
    counts = {row["status"]: row["n"] for row in ledger.all("issue_counts", project=ledger.project["id"])}
    return int(counts.get("ready", 0))


def test_a_finish_moves_at_most_500_dependents_in_one_transaction(ledger: Ledger) -> None:
    _wide(ledger)
    ledger.do_all("root")
    assert _ready(ledger) == settling.BATCH
    assert ledger.do(settling.step, ledger.project["id"], BY_OPERATOR) is True
    assert _ready(ledger) == 2 * settling.BATCH
    assert ledger.do(settling.step, ledger.project["id"], BY_OPERATOR) is False
    assert _ready(ledger) == WIDE


def test_an_interrupted_settlement_is_completed_by_claims(ledger: Ledger) -> None:
    """The process that finished the root died before it settled the rest."""
    _wide(ledger)
    ledger.do_all("root")
    ledger.claim()
    ledger.claim()
    assert _ready(ledger) == WIDE - 2
    assert ledger.all("settlement_next", project=ledger.project["id"], one=1) == []


def test_drain_continues_after_the_commit_until_all_is_settled(ledger: Ledger) -> None:
    _wide(ledger)
    ledger.do_all("root")
    settling.drain(ledger.store, ledger.project["id"], BY_OPERATOR)
    assert _ready(ledger) == WIDE


def test_a_settlement_overtaken_by_a_reopening_ends_where_the_truth_is(ledger: Ledger) -> None:
    names = _wide(ledger)
    ledger.do_all("root")
    ledger.reopen("root")
    ledger.settle()
    assert _ready(ledger) == 1
    assert {ledger[name]["unmet"] for name in (names[0], names[700], names[-1])} == {1}


def test_settling_says_nothing_twice(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"]))
    ledger.do_all("a")
    before = ledger.events("b")
    ledger.settle()
    ledger.settle()
    assert ledger.events("b") == before


# Milestones


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({"done": 2}, "done"),
        ({"done": 1, "cancelled": 3}, "done"),
        ({"cancelled": 3}, "pending"),
        ({"failed": 1, "in_progress": 1, "done": 1}, "failed"),
        ({"in_progress": 1, "ready": 4}, "in_progress"),
        ({"ready": 1, "blocked": 1, "pending": 1}, "ready"),
        ({"blocked": 1, "pending": 9}, "blocked"),
        ({"pending": 1, "done": 5}, "pending"),
    ],
)
def test_a_milestone_derives_its_status_from_its_own_issues(counts: dict[str, int], status: str) -> None:
    all_counts = dict.fromkeys(("pending", "ready", "in_progress", "done", "failed", "blocked", "cancelled"), 0)
    assert status_of({**all_counts, **counts}, 0) == status


def test_a_milestone_follows_its_issues(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    seen = [ledger.milestone()["status"]]
    run = ledger.claim("a")
    seen.append(ledger.milestone()["status"])
    ledger.finish(run)
    seen.append(ledger.milestone()["status"])
    ledger.fail(ledger.claim("b"), final=True)
    seen.append(ledger.milestone()["status"])
    ledger.cancel("b")
    seen.append(ledger.milestone()["status"])
    ledger.reopen("a")
    seen.append(ledger.milestone()["status"])
    assert seen == ["ready", "in_progress", "ready", "failed", "done", "ready"]


def test_the_counters_of_a_milestone_are_what_its_issues_are(ledger: Ledger) -> None:
    ledger.plan("a", "b", "c", draft("d", depends=["a"]))
    ledger.do_all("a")
    ledger.claim("b")
    ledger.cancel("c")
    row = ledger.milestone()
    assert {name: row[name] for name in row if name.startswith("n_")} == {
        "n_pending": 0,
        "n_ready": 1,
        "n_in_progress": 1,
        "n_done": 1,
        "n_failed": 0,
        "n_blocked": 0,
        "n_cancelled": 1,
    }


def test_a_dependency_milestone_that_is_done_releases_the_next(ledger: Ledger) -> None:
    ledger.plan(draft("a", milestone="m1"), draft("b", milestone="m2"), milestones={"m1": (), "m2": ("m1",)})
    assert ledger.status("b") == "pending"
    ledger.do_all("a")
    ledger.settle()
    assert ledger.status("b") == "ready"
    assert ledger.milestone("m2")["unmet"] == 0


def test_a_claim_alone_releases_the_next_milestone(ledger: Ledger) -> None:
    ledger.plan(draft("a", milestone="m1"), draft("b", milestone="m2"), milestones={"m1": (), "m2": ("m1",)})
    ledger.do_all("a")
    assert ledger.taken() == "b"


def test_reopening_an_issue_of_a_finished_milestone_demotes_the_next(ledger: Ledger) -> None:
    ledger.plan(draft("a", milestone="m1"), draft("b", milestone="m2"), milestones={"m1": (), "m2": ("m1",)})
    ledger.do_all("a")
    ledger.settle()
    ledger.reopen("a")
    ledger.settle()
    assert ledger.statuses("a", "b") == ["ready", "pending"]
    ledger.do_all("a")
    ledger.settle()
    ledger.do_all("b")
    assert ledger.milestone("m2")["status"] == "done"


def test_a_milestone_that_waits_for_others_is_blocked_while_its_issues_are_pending(ledger: Ledger) -> None:
    ledger.plan(draft("a", milestone="m1"), draft("b", milestone="m2"), milestones={"m1": (), "m2": ("m1",)})
    assert (ledger.milestone("m2")["status"], ledger.status("b")) == ("blocked", "pending")


def test_milestones_release_in_a_diamond_only_when_all_are_done(ledger: Ledger) -> None:
    shape = {"top": (), "left": ("top",), "right": ("top",), "end": ("left", "right")}
    ledger.plan(*(draft(name, milestone=name) for name in shape), milestones=shape)
    ledger.do_all("top")
    ledger.settle()
    ledger.do_all("left")
    ledger.settle()
    assert ledger.statuses("right", "end") == ["ready", "pending"]
    ledger.do_all("right")
    ledger.settle()
    assert ledger.status("end") == "ready"


def test_a_wide_milestone_is_released_in_bounded_steps(ledger: Ledger) -> None:
    names = [f"leaf{number}" for number in range(WIDE)]
    ledger.plan(
        draft("root", milestone="m1"),
        *(draft(name, milestone="m2") for name in names),
        milestones={"m1": (), "m2": ("m1",)},
    )
    ledger.do_all("root")
    sizes = []
    while _ready(ledger) < WIDE:
        before = _ready(ledger)
        ledger.do(settling.step, ledger.project["id"], BY_OPERATOR)
        sizes.append(_ready(ledger) - before)
        assert len(sizes) < 10
    assert max(sizes) <= settling.BATCH


def test_an_issue_waits_for_its_own_dependency_and_its_milestones(ledger: Ledger) -> None:
    ledger.plan(
        draft("a", milestone="m1"),
        draft("b", milestone="m2"),
        draft("c", milestone="m2", depends=["b"]),
        milestones={"m1": (), "m2": ("m1",)},
    )
    ledger.do_all("a")
    ledger.settle()
    assert ledger.statuses("b", "c") == ["ready", "pending"]
    ledger.do_all("b")
    assert ledger.status("c") == "ready"


def test_claim_next_returns_none_not_error_when_empty(ledger: Ledger) -> None:
    """P02."""
    assert ledger.refusal() == "nothing is ready for this caller"
    assert isinstance(ledger.ask(), claims.Nothing)


def test_what_stands_on_a_reopened_issue_is_not_claimed_before_it_was_told(ledger: Ledger) -> None:
    """More dependents than two settlements reach: the claim itself looks at what the issue it takes stands on."""
    names = [f"leaf{number}" for number in range(2 * settling.BATCH + 20)]
    ledger.plan(draft("root", priority="low"), *(draft(name, depends=["root"]) for name in names))
    ledger.do_all("root")
    ledger.settle()
    ledger.reopen("root")
    assert _ready(ledger) > 1
    assert ledger.taken() == "root"


def test_an_issue_planned_into_a_done_milestone_makes_its_dependents_wait_again(ledger: Ledger) -> None:
    shape = {"m1": (), "m2": ("m1",)}
    first = (draft("a", milestone="m1"), draft("b", milestone="m2"))
    ledger.plan(*first, milestones=shape)
    ledger.do_all("a")
    ledger.settle()
    assert ledger.status("b") == "ready"
    ledger.plan(*first, draft("c", milestone="m1"), milestones=shape)
    ledger.settle()
    assert ledger.status("b") == "pending"
