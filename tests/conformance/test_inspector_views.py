"""Lists, views, status, report, timeline and export read the same on both stores."""

from __future__ import annotations

import json

import pytest

from harnessos import errors
from harnessos.inspector import export, issue_view, listing, report, run_view, status, timeline, views
from harnessos.inspector.listing import Filter
from harnessos.kernel import campaigns, runs
from harnessos.kernel.ending import Closing
from harnessos.model.checkpoint import Progress, body
from harnessos.model.outcome import Outcome
from tests.support.ledger import BY_OPERATOR, COMMIT, HOUR, MINUTE, Ledger, approval, draft


def _list(ledger: Ledger, wanted: Filter = listing.ALL, cursor: str | None = "", limit: int = 50) -> listing.Page:
    return ledger.store.read(listing.query, ledger.project, wanted, cursor or "", limit)


def _reasons(ledger: Ledger) -> dict[str, str | None]:
    return {ledger.name_of(line.identifier): line.blocked_reason for line in _list(ledger).items}


def test_a_line_has_exactly_the_fields_of_the_contract(ledger: Ledger) -> None:
    ledger.plan(draft("a", priority="high"))
    page = views.document(_list(ledger))
    assert page == {
        "items": [
            {
                "identifier": "DOCS-1",
                "task": "a",
                "status": "ready",
                "blocked_reason": None,
                "priority": "high",
                "attempts": 0,
                "verdict": None,
                "milestone": "m",
            }
        ],
        "cursor": None,
    }


def test_a_list_is_read_in_pages_without_gap_or_repeat(ledger: Ledger) -> None:
    ledger.plan(*[draft(f"i{n}", milestone=f"m{n % 2}") for n in range(11)])
    for wanted in (Filter(), Filter("ready"), Filter(milestone="m0"), Filter("ready", "m1")):
        names: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = _list(ledger, wanted, cursor, 3)
            names += [line.identifier for line in page.items]
            cursor = page.cursor
        everything = [line.identifier for line in _list(ledger, wanted, limit=1000).items]
        assert names == everything
        assert len(set(names)) == len(names) == (5 if wanted.milestone == "m1" else 6 if wanted.milestone else 11)


def test_a_label_filters_also_beyond_the_first_rows(ledger: Ledger) -> None:
    ledger.plan(*[draft(f"i{n}", labels=("odd",) if n % 2 else ("even",)) for n in range(9)])
    first = _list(ledger, Filter(label="odd"), limit=2)
    second = _list(ledger, Filter(label="odd"), first.cursor, 2)
    assert [line.task for line in (*first.items, *second.items)] == ["i1", "i3", "i5", "i7"]
    assert _list(ledger, Filter(label="none")).items == ()


def test_the_issues_of_one_milestone_key_of_several_campaigns_are_one_list(ledger: Ledger) -> None:
    ledger.plan("a", into="one", plan_key="p1")
    ledger.plan("b", into="two", plan_key="p2")
    first = _list(ledger, Filter(milestone="m"), limit=1)
    second = _list(ledger, Filter(milestone="m"), first.cursor, 1)
    assert {line.task for line in (*first.items, *second.items)} == {"a", "b"}


@pytest.mark.parametrize("wanted", [Filter("sleeping"), Filter(milestone="nowhere")])
def test_a_filter_that_names_nothing_is_refused(ledger: Ledger, wanted: Filter) -> None:
    with pytest.raises(errors.BadContent):
        _list(ledger, wanted)


def test_pending_issues_say_what_they_wait_for_first(ledger: Ledger) -> None:
    ledger.plan(
        draft("a", milestone="one"),
        draft("b", milestone="one", depends=["a"]),
        draft("c", milestone="one", metadata=approval("legal")),
        draft("d", milestone="two", depends=["a"]),
        milestones={"one": (), "two": ("one",)},
    )
    assert _reasons(ledger) == {
        "a": None,
        "b": f"issue_dependency:{ledger.identifier('a')}",
        "c": "approval:legal",
        "d": "milestone_dependency:one",
    }


def test_a_hold_shows_on_ready_issues_and_is_never_written_to_them(ledger: Ledger) -> None:
    ledger.plan("a", "b", draft("c", depends=["a"]))
    ledger.cap("runs", "1")
    ledger.claim("a")
    ledger.ask()
    assert _reasons(ledger) == {"a": None, "b": "budget:project", "c": f"issue_dependency:{ledger.identifier('a')}"}
    assert ledger.reason("b") is None
    ledger.do(campaigns.set_status, ledger.campaign("default"), "paused", BY_OPERATOR)
    assert _reasons(ledger)["b"] == "campaign_paused:default"


def test_a_provider_that_rests_shows_on_ready_issues(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    ledger.end(ledger.claim("a"), Outcome.PROVIDER_QUOTA, Closing(provider="acme"), reset_at=ledger.clock.now() + HOUR)
    assert _reasons(ledger)["b"] == "breaker:provider:acme"


def test_an_issue_view_shows_all_that_belongs_to_it(ledger: Ledger) -> None:
    ledger.plan("a", draft("b", depends=["a"], labels=("x",), metadata=approval("legal")), draft("c", depends=["b"]))
    ledger.do_all("a")
    ledger.approve("b", "legal")
    run = ledger.claim("b")
    made = Progress("half", "did half", "the rest", body({"plan": ["[x] one", "two"]}))
    ledger.do(runs.checkpoint, run.lease, made, ledger.cause(run))
    ledger.finish(run)
    seen = views.document(ledger.store.read(issue_view.query, ledger.identifier("b")))
    assert seen["issue"]["status"] == "done"
    assert seen["issue"]["priority"] == "medium"
    assert seen["issue"]["labels"] == ["x"]
    assert [(edge["identifier"], edge["state"]) for edge in seen["dependencies"]] == [(ledger.identifier("a"), "met")]
    assert [edge["status"] for edge in seen["dependents"]] == ["ready"]
    assert [entry["outcome"] for entry in seen["runs"]] == ["success"]
    assert [row["verdict"] for row in seen["verdicts"]] == ["verified"]
    assert [row["gate"] for row in seen["evidence"]] == ["true"]
    assert [row["state"] for row in seen["approvals"]] == ["approved"]
    assert seen["checkpoints"][0]["plan"] == ["[x] one", "two"]
    assert seen["timeline"][-1]["text"].startswith("run ended success")
    json.dumps(seen)


def test_no_view_shows_a_session_token_or_its_hash(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    token = ledger.run(run)["token_hash"]
    shown = json.dumps(
        [
            views.document(ledger.store.read(run_view.query, run.lease.run_id)),
            views.document(ledger.store.read(issue_view.query, ledger.identifier("a"))),
            views.document(ledger.store.read(status.query, ledger.project)),
            views.document(ledger.store.read(export.query, ledger.project)),
        ]
    )
    assert token not in shown


def test_a_run_view_has_evidence_checkpoints_and_the_manifest(ledger: Ledger) -> None:
    ledger.plan("a")
    run = ledger.claim("a")
    ledger.judge(run, passed=False)
    seen = ledger.store.read(run_view.query, run.lease.run_id, "kept")
    assert seen.manifest == f"kept/{run.lease.run_id}/manifest.json"
    assert [row["passed"] for row in seen.evidence] == [0]
    assert [row["verdict"] for row in seen.verdicts] == ["rejected"]


def test_runs_are_listed_newest_first_in_pages(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    for _ in range(2):
        ledger.end(ledger.claim("a"), Outcome.RELEASED)
        ledger.clock.advance(MINUTE)
    live = ledger.claim("b")
    first = ledger.store.read(run_view.listed, ledger.project, limit=2)
    second = ledger.store.read(run_view.listed, ledger.project, cursor=first.cursor or "", limit=2)
    assert [line.outcome for line in (*first.items, *second.items)] == [None, "released", "released"]
    assert second.cursor is None
    of_a = ledger.store.read(run_view.listed, ledger.project, ledger["a"], limit=1)
    rest = ledger.store.read(run_view.listed, ledger.project, ledger["a"], cursor=of_a.cursor or "")
    assert [line.epoch for line in (*of_a.items, *rest.items)] == [2, 1]
    only = ledger.store.read(run_view.listed, ledger.project, live=True)
    assert [line.id for line in only.items] == [live.lease.run_id]


def test_status_counts_from_the_milestones_and_shows_live_runs(ledger: Ledger) -> None:
    ledger.plan("a", "b", draft("c", depends=["a"]), draft("d", milestone="two"), milestones={"m": (), "two": ()})
    ledger.do_all("a")
    ledger.claim("b")
    ledger.fail(ledger.claim("d"))
    ledger.clock.advance(2_000)
    seen = ledger.store.read(status.query, ledger.project)
    assert {name: n for name, n in seen.issues.items() if n} == {"ready": 2, "in_progress": 1, "done": 1, "total": 4}
    assert [(run.identifier, run.age_ms, run.phase) for run in seen.runs] == [
        (ledger.identifier("b"), 2_000, "claimed")
    ]
    assert [(line.key, line.done, line.open) for line in seen.milestones] == [("m", 1, 2), ("two", 0, 1)]
    assert [timer.identifier for timer in seen.timers] == [ledger.identifier("d")]
    assert {budget.dimension: budget.spent for budget in seen.budgets}["runs"] == 3


def test_status_of_a_fresh_day_shows_the_caps(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.cap("runs", "7")
    ledger.clock.advance(48 * HOUR)
    budgets = {line.dimension: line for line in ledger.store.read(status.query, ledger.project).budgets}
    assert budgets["runs"].cap == 7
    assert budgets["runs"].spent == 0


def test_status_pages_its_milestones(ledger: Ledger) -> None:
    ledger.plan(*[draft(f"i{n}", milestone=f"m{n}") for n in range(5)])
    first = ledger.store.read(status.query, ledger.project, 0, 3)
    second = ledger.store.read(status.query, ledger.project, int(first.milestones_cursor or 0), 3)
    assert [line.key for line in (*first.milestones, *second.milestones)] == [f"m{n}" for n in range(5)]
    assert second.milestones_cursor is None


def test_a_report_tells_what_became_of_the_night(ledger: Ledger) -> None:
    ledger.plan("old", "good", "bad", "asks", "lost")
    ledger.do_all("old")
    ledger.clock.advance(HOUR)
    since = ledger.clock.now()
    ledger.clock.advance(MINUTE)
    ledger.do_all("good")
    ledger.fail(ledger.claim("bad"), final=True, reason="cannot be done")
    ledger.finish(ledger.claim("asks"), protected=["WORKFLOW.md"])
    ledger.end(ledger.claim("lost"), Outcome.RELEASED, Closing(salvage_ref="refs/harness/salvage/r"))
    seen = ledger.store.read(report.query, ledger.project, since)
    assert [(done.task, done.commit) for done in seen.done] == [("good", COMMIT)]
    assert [(failed.task, failed.reason) for failed in seen.failed] == [("bad", "cannot be done")]
    assert [(waiting.reason, waiting.command) for waiting in seen.blocked] == [
        ("approval:review", f"harness issue approve {ledger.identifier('asks')}")
    ]
    assert [kept.ref for kept in seen.salvaged] == ["refs/harness/salvage/r"]
    assert seen.spend.runs == 4
    assert seen.spend.unmetered == 4


def test_a_report_continues_where_its_page_ended(ledger: Ledger) -> None:
    ledger.plan("a", "b", "c")
    since = ledger.clock.now() - 1
    ledger.do_all("a", "b", "c")
    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        seen = ledger.store.read(report.query, ledger.project, since, cursor, 1)
        names += [done.task for done in seen.done]
        cursor = seen.cursor
    assert sorted(names) == ["a", "b", "c"]


def test_a_timeline_is_one_sentence_for_each_event_in_pages(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.do_all("a")
    first = ledger.store.read(timeline.query, ledger["a"]["id"], "", 2)
    second = ledger.store.read(timeline.query, ledger["a"]["id"], first.cursor or "")
    entries = (*first.items, *second.items)
    assert [entry.kind for entry in entries] == ledger.kinds("a")
    assert [entry.text for entry in entries][:2] == ["planned: a", "attempt 1 taken by worker"]
    assert all("{" not in entry.text for entry in entries)


def test_an_export_holds_every_issue_once(ledger: Ledger) -> None:
    ledger.plan(*[f"i{n}" for n in range(5)])
    first = ledger.store.read(export.query, ledger.project, "", 3)
    second = ledger.store.read(export.query, ledger.project, first.cursor or "", 3)
    assert first.summary is not None
    assert second.summary is None
    assert first.export_version == 1
    assert [issue["task"] for issue in (*first.issues, *second.issues)] == [f"i{n}" for n in range(5)]
    assert second.cursor is None
    json.dumps(views.document(first))
