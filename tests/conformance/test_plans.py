"""A plan in the ledger: all of it or nothing, and applied again only what changed."""

from __future__ import annotations

from typing import Any

import pytest

from harnessos import errors
from harnessos.model.gate import Gate, GateKind
from harnessos.model.plan import PlannedCampaign
from harnessos.model.policy import Policy
from harnessos.store.transaction import Row
from tests.support.ledger import HOUR, Ledger, agent, approval, draft, policy


def _rows(ledger: Ledger) -> list[Row]:
    return [ledger[name] for name in sorted(ledger.keys)]


def test_a_plan_creates_its_issues_in_its_order(ledger: Ledger) -> None:
    applied = ledger.plan("a", "b", "c")
    assert applied.created == ["DOCS-1", "DOCS-2", "DOCS-3"]
    assert [ledger[name]["task"] for name in applied.created] == ["a", "b", "c"]
    assert ledger.order() == ["a", "b", "c"]


def test_the_same_plan_again_changes_nothing(ledger: Ledger) -> None:
    shape = {"m1": (), "m2": ("m1",)}
    drafts = (draft("a", milestone="m1"), draft("b", milestone="m2"), draft("c", milestone="m2", depends=["b"]))
    plan = ledger.build(*drafts, milestones=shape)
    ledger.apply(plan)
    before = _rows(ledger), ledger.milestone("m1"), ledger.milestone("m2")
    ledger.clock.advance(HOUR)
    again = ledger.apply(plan)
    assert again == ([], [], ["DOCS-1", "DOCS-2", "DOCS-3"], [])
    assert (_rows(ledger), ledger.milestone("m1"), ledger.milestone("m2")) == before


def test_an_edited_plan_updates_what_changed(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    applied = ledger.plan(draft("a", priority="critical"), "b")
    assert (applied.updated, applied.unchanged) == (["DOCS-1"], ["DOCS-2"])
    assert ledger.order() == ["a", "b"]
    assert ledger.kinds("a")[:2] == ["issue.planned", "issue.edited"]


def test_what_has_run_is_left_alone_and_said_so(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    run = ledger.claim("a")
    applied = ledger.plan(draft("a", task="else"), draft("b", task="else"))
    assert applied.updated == ["DOCS-2"]
    assert [name for name, _ in applied.skipped] == ["DOCS-1"]
    assert "has run" in applied.skipped[0][1]
    assert ledger["a"]["task"] == "a"
    ledger.finish(run)


def test_what_is_missing_from_the_plan_stays(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    applied = ledger.plan("a")
    assert applied.skipped == [("DOCS-2", "not_in_plan")]
    assert ledger.status("b") == "ready"


def test_an_edited_plan_adds_what_is_new(ledger: Ledger) -> None:
    ledger.plan("a")
    applied = ledger.plan("a", draft("b", depends=["a"]))
    assert (applied.created, applied.unchanged) == (["DOCS-2"], ["DOCS-1"])
    assert ledger.status("b") == "pending"
    ledger.do_all("a")
    assert ledger.status("b") == "ready"


@pytest.mark.parametrize(("end", "status"), [("done", "ready"), ("cancelled", "blocked"), ("failed", "blocked")])
def test_a_new_issue_sees_how_its_dependency_in_the_plan_already_ended(ledger: Ledger, end: str, status: str) -> None:
    ledger.plan("a")
    _bring(ledger, "a", end)
    ledger.plan("a", draft("b", depends=["a"]))
    assert ledger.status("b") == status


@pytest.mark.parametrize(
    ("end", "status"), [("done", "ready"), ("cancelled", "blocked"), ("failed", "blocked"), ("ready", "pending")]
)
def test_a_new_issue_sees_how_a_stored_dependency_stands(ledger: Ledger, end: str, status: str) -> None:
    ledger.plan("a")
    _bring(ledger, "a", end)
    ledger.plan(draft("b", milestone="n", depends_on_ids=("DOCS-1",)), plan_key="second")
    assert ledger.status("b") == status
    if status == "blocked":
        assert ledger.reason("b") == "dependency_failed:DOCS-1"
        ledger.retry("a") if end == "failed" else ledger.reopen("a")
        assert ledger.status("b") == "pending"
    if status != "ready":
        ledger.do_all("a")
        assert ledger.status("b") == "ready"


def _bring(ledger: Ledger, name: str, end: str) -> None:
    if end == "done":
        ledger.do_all(name)
    if end == "cancelled":
        ledger.cancel(name)
    if end == "failed":
        ledger.fail(ledger.claim(name), final=True)


def test_the_same_dependency_named_twice_counts_once(ledger: Ledger) -> None:
    ledger.plan("a")
    ledger.plan("a", draft("b", depends=["a"], depends_on_ids=("DOCS-1",)))
    assert ledger["b"]["unmet"] == 1
    ledger.do_all("a")
    assert ledger.status("b") == "ready"


def test_changed_dependencies_are_an_update(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    applied = ledger.plan("a", draft("b", depends=["a"]))
    assert (applied.updated, applied.unchanged) == (["DOCS-2"], ["DOCS-1"])
    assert ledger.status("b") == "pending"
    applied = ledger.plan("a", "b")
    assert applied.updated == ["DOCS-2"]
    assert ledger.status("b") == "ready"


def test_dependencies_of_what_has_run_are_left_alone_and_said_so(ledger: Ledger) -> None:
    ledger.plan("a", "b")
    ledger.claim("b")
    applied = ledger.plan("a", draft("b", depends=["a"]))
    assert [name for name, _ in applied.skipped] == ["DOCS-2"]
    assert ledger["b"]["unmet"] == 0


def test_an_approval_that_an_edited_plan_adds_is_asked_for(ledger: Ledger) -> None:
    ledger.plan("a")
    assert ledger.plan(draft("a", metadata=approval("legal"))).updated == ["DOCS-1"]
    assert (ledger.status("a"), ledger["a"]["approvals_open"]) == ("pending", 1)
    ledger.approve("a", "legal")
    assert ledger.status("a") == "ready"


def test_an_approval_that_an_edited_plan_drops_is_waited_for_no_longer(ledger: Ledger) -> None:
    ledger.plan(draft("a", metadata=approval("legal")))
    ledger.plan("a")
    assert (ledger.status("a"), ledger["a"]["approvals_open"]) == ("ready", 0)


def test_an_approval_a_person_gave_is_not_forgotten_by_the_plan_applied_again(ledger: Ledger) -> None:
    ledger.plan(draft("a", metadata=approval("legal")))
    ledger.approve("a", "legal")
    ledger.plan(draft("a", task="better words", metadata=approval("legal")))
    assert (ledger.status("a"), ledger["a"]["task"]) == ("ready", "better words")


def test_a_milestone_of_another_plan_is_refused_with_what_to_do(ledger: Ledger) -> None:
    ledger.plan("a")
    for plan_key in (None, "other"):
        with pytest.raises(errors.BadPlan, match="milestone m") as caught:
            ledger.plan(draft("b"), plan_key=plan_key)
        assert "plan_key" in caught.value.hint
    assert list(ledger.keys) == ["a"]


def test_a_plan_that_is_refused_writes_nothing(ledger: Ledger) -> None:
    plan = ledger.build("a", draft("b", depends_on_ids=("DOCS-99", "DOCS-98")))
    before = ledger.all("event_after", after=0, most=99)
    with pytest.raises(errors.BadPlan) as caught:
        ledger.apply(plan)
    assert "DOCS-98" in str(caught.value)
    assert "DOCS-99" in str(caught.value)
    assert ledger.all("event_after", after=0, most=99) == before
    assert ledger.one("milestone_by_key", campaign=ledger.campaign("default")["id"], key="m") is None
    assert ledger.plan("a").created == ["DOCS-1"]


def test_a_stored_milestone_is_waited_for(ledger: Ledger) -> None:
    ledger.plan("a")
    first = ledger.milestone()["id"]
    plan = ledger.build(draft("b", milestone="n"), plan_key="second")
    ledger.apply(plan._replace(milestones=(plan.milestones[0]._replace(depends_on_ids=(first,)),)))
    assert ledger.status("b") == "pending"
    ledger.do_all("a")
    ledger.settle()
    assert ledger.status("b") == "ready"


def test_an_unknown_stored_milestone_is_refused(ledger: Ledger) -> None:
    plan = ledger.build("a")
    with pytest.raises(errors.BadPlan, match="mil-none"):
        ledger.apply(plan._replace(milestones=(plan.milestones[0]._replace(depends_on_ids=("mil-none",)),)))


def test_a_cycle_through_stored_milestones_is_refused(ledger: Ledger) -> None:
    shape = {"m1": (), "m2": ("m1",)}
    plan = ledger.build(draft("a", milestone="m1"), draft("b", milestone="m2"), milestones=shape)
    ledger.apply(plan)
    second = ledger.milestone("m2")["id"]
    first = plan.milestones[0]._replace(depends_on_ids=(second,))
    with pytest.raises(errors.BadPlan, match="m1"):
        ledger.apply(plan._replace(milestones=(first, plan.milestones[1])))
    assert ledger.status("a") == "ready"


def test_a_milestone_dependency_added_later_demotes_in_the_same_transaction(ledger: Ledger) -> None:
    drafts = draft("a", milestone="m1"), draft("b", milestone="m2")
    ledger.plan(*drafts, milestones={"m1": (), "m2": ()})
    assert ledger.statuses("a", "b") == ["ready", "ready"]
    ledger.plan(*drafts, milestones={"m1": (), "m2": ("m1",)})
    assert ledger.statuses("a", "b") == ["ready", "pending"]


def test_the_same_keyed_plan_stays_in_its_campaign(ledger: Ledger) -> None:
    """Identity is (project, plan_key, milestone_key, key): a second campaign would share its issues."""
    ledger.plan("a")
    with pytest.raises(errors.BadPlan, match="default"):
        ledger.plan("a", into="elsewhere")


def test_a_plan_that_only_names_its_campaign_keeps_its_policy(ledger: Ledger) -> None:
    rich = PlannedCampaign("heavy", "to lift", Policy(owner="ann"))
    ledger.plan("a", campaign=rich)
    before = ledger.campaign("heavy")
    ledger.plan(draft("b", milestone="n"), plan_key="second", campaign=PlannedCampaign("heavy"))
    after = ledger.campaign("heavy")
    assert (after["objective"], after["policy_json"]) == (before["objective"], before["policy_json"])


def test_a_plan_without_keys_is_a_batch_of_its_own(ledger: Ledger) -> None:
    applied = ledger.plan("a", draft("b", depends=["a"]), plan_key=None)
    assert applied.created == ["DOCS-1", "DOCS-2"]
    assert ledger.statuses("a", "b") == ["ready", "pending"]


def test_a_chain_of_5000_is_planned_without_recursion_and_promotes_one_by_one(ledger: Ledger) -> None:
    _chain(ledger, 5_000)


@pytest.mark.soak
def test_a_chain_of_100000_is_planned(ledger: Ledger) -> None:
    _chain(ledger, 100_000)


def _chain(ledger: Ledger, length: int) -> None:
    names = [f"n{number}" for number in range(length)]
    before = [[], *([name] for name in names)]
    applied = ledger.plan(*(draft(name, depends=on) for name, on in zip(names, before, strict=False)))
    assert len(applied.created) == length
    assert ledger.milestone()["n_pending"] == length - 1
    ledger.do_all("n0", "n1")
    assert ledger.statuses("n2", "n3") == ["ready", "pending"]


def test_the_policy_of_an_issue_goes_over_its_campaign_s(ledger: Ledger) -> None:
    ledger.campaign("heavy", {"dispatch": {"workloadClass": "build", "requiredHostCapabilities": ["gpu"]}})
    ledger.plan(draft("a", policy=policy(workload_class="write", capabilities=("net",))), into="heavy")
    assert ledger.refusal(classes=("build",), capabilities=("gpu", "net"))
    assert ledger.refusal(classes=("write",), capabilities=("gpu",))
    assert ledger.taken(classes=("write",), capabilities=("gpu", "net")) == "a"


# What an agent may rewrite


@pytest.mark.parametrize(
    "fields",
    [
        {"gates": ()},
        {"budget": {"attempts": 1}},
        {"policy": policy(owner="me")},
        {"metadata": {}},
        {"size": "XL"},
    ],
)
def test_an_agent_does_not_change_how_an_issue_of_others_is_judged(ledger: Ledger, fields: dict[str, Any]) -> None:
    gate = Gate("made", GateKind.FILE, path="a")
    ledger.plan(draft("a", gates=(gate,), metadata=approval("lead")))
    before = _rows(ledger)
    changed = draft("a", **{"gates": (gate,), "metadata": approval("lead"), **fields})
    with pytest.raises(errors.OperatorOnly, match="DOCS-1"):
        ledger.plan(changed, by=agent("run-1"))
    assert _rows(ledger) == before
    ledger.plan(changed)
    assert _rows(ledger) != before, "a person may"


def test_an_agent_may_change_texts_of_others_and_gates_of_its_own(ledger: Ledger) -> None:
    ledger.plan("a")
    assert ledger.plan(draft("a", task="else"), "b", by=agent("run-1")).updated == ["DOCS-1"]
    gated = draft("b", gates=(Gate("made", GateKind.FILE, path="a"),))
    assert ledger.plan(draft("a", task="else"), gated, by=agent("run-1")).updated == ["DOCS-2"]
    with pytest.raises(errors.OperatorOnly):
        ledger.plan(draft("a", task="else"), "b", by=agent("run-2"))


def test_an_agent_does_not_take_a_required_approval_away_from_its_own_issue(ledger: Ledger) -> None:
    """A person may have rejected it: planning it again without the approval would undo that."""
    ledger.plan(draft("a", metadata=approval("lead")), by=agent("run-1"))
    with pytest.raises(errors.OperatorOnly, match="lead"):
        ledger.plan("a", by=agent("run-1"))
    assert ledger.status("a") == "pending"


def test_an_agent_does_not_change_a_campaign_that_is_there(ledger: Ledger) -> None:
    strict = PlannedCampaign("night", "sleep", policy(require_gates=True))
    ledger.plan("a", campaign=strict)
    with pytest.raises(errors.OperatorOnly, match="night"):
        ledger.plan("a", campaign=PlannedCampaign("night", "sleep", policy(owner="me")), by=agent("run-1"))
    with pytest.raises(errors.OperatorOnly, match="night"):
        ledger.plan("a", campaign=PlannedCampaign("night", "wake"), by=agent("run-1"))
    again = ledger.plan("a", "b", campaign=PlannedCampaign("night"), by=agent("run-1"))
    assert again.created == ["DOCS-2"], "naming it is not changing it"
