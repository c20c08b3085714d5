"""Policies: merging, due instants, breaches, and the document the ledger keeps."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harnessos.errors import BadDocument
from harnessos.model.gate import Gate, GateKind
from harnessos.model.policy import (
    MINUTE,
    NO_POLICY,
    Breach,
    Facts,
    Policy,
    Rule,
    as_document,
    breaches,
    effective_priority,
    from_document,
    merge,
    next_due_at,
    resolve_due_at,
    response_due_at,
)

RAISE = Rule("deadline_breached", "raise_priority", 0, "now")
NOTE = Rule("deadline_breached", "annotate", None, "late")
GATE = Gate("g", GateKind.DIFF)


def test_the_issue_wins_over_the_campaign_field_by_field() -> None:
    merged = merge(Policy("c", 10, 20, workload_class="big"), Policy("i", resolve_minutes=5, require_gates=False))
    assert merged == Policy("i", 10, 5, workload_class="big", require_gates=False)


def test_false_of_an_issue_is_an_answer_and_not_an_absence() -> None:
    assert merge(Policy(require_gates=True), Policy(require_gates=False)).require_gates is False
    assert merge(Policy(require_gates=True), Policy()).require_gates is True


def test_rules_are_concatenated_and_capabilities_united() -> None:
    merged = merge(
        Policy(rules=(RAISE,), capabilities=("gpu", "net")), Policy(rules=(RAISE, NOTE), capabilities=("gpu", "arm"))
    )
    assert merged.rules == (RAISE, RAISE, NOTE)
    assert merged.capabilities == ("arm", "gpu", "net")


def test_an_issue_adds_gates_and_cannot_weaken_one_of_its_campaign() -> None:
    weaker = GATE._replace(required=False)
    other = Gate("h", GateKind.DIFF)
    assert merge(Policy(gates=(GATE,)), Policy(gates=(weaker, other))).gates == (GATE, other)


def test_nothing_merged_with_nothing_is_no_policy() -> None:
    assert merge(None, None) == NO_POLICY
    assert merge(Policy("c"), None) == Policy("c")
    assert merge(None, Policy("i")) == Policy("i")


def test_a_response_is_due_from_the_moment_an_issue_is_ready() -> None:
    assert response_due_at(Policy(response_minutes=2), 1000) == 1000 + 2 * MINUTE
    assert response_due_at(Policy(response_minutes=2), None) is None
    assert response_due_at(NO_POLICY, 1000) is None
    assert resolve_due_at(Policy(resolve_minutes=3), 5) == 5 + 3 * MINUTE
    assert resolve_due_at(NO_POLICY, 5) is None


def test_a_deadline_counts_without_a_policy() -> None:
    facts = Facts(created_at=0, deadline_at=100)
    assert breaches(NO_POLICY, facts, 99) == []
    assert breaches(NO_POLICY, facts, 100) == [("deadline_breached", "annotate", None, None)]


def test_every_rule_of_a_breach_answers_it() -> None:
    facts = Facts(created_at=0, deadline_at=100)
    assert breaches(Policy(rules=(RAISE, NOTE)), facts, 200) == [
        ("deadline_breached", "raise_priority", 0, "now"),
        ("deadline_breached", "annotate", None, "late"),
    ]


def test_a_response_in_time_is_no_breach_and_a_missing_one_is() -> None:
    policy = Policy(response_minutes=1, resolve_minutes=2)
    waiting = Facts(created_at=0, ready_at=0)
    assert [breach.trigger for breach in breaches(policy, waiting, MINUTE)] == ["response_sla_breached"]
    assert breaches(policy, waiting._replace(responded_at=10), MINUTE) == []
    assert [breach.trigger for breach in breaches(policy, waiting._replace(responded_at=10), 2 * MINUTE)] == [
        "resolve_sla_breached"
    ]


def test_what_is_over_is_not_overdue() -> None:
    facts = Facts(created_at=0, ready_at=0, resolved_at=10, deadline_at=5)
    assert breaches(Policy(response_minutes=1, resolve_minutes=1), facts, 10**12) == []


def test_the_next_due_instant_is_the_earliest_that_is_not_past() -> None:
    policy, facts = Policy(response_minutes=1, resolve_minutes=2), Facts(created_at=0, ready_at=0, deadline_at=90_000)
    assert next_due_at(policy, facts, 0) == MINUTE
    assert next_due_at(policy, facts, MINUTE) == 90_000
    assert next_due_at(policy, facts, 2 * MINUTE) is None


def test_a_priority_can_only_be_raised() -> None:
    raised = [Breach("deadline_breached", "raise_priority", 1, None), Breach("deadline_breached", "annotate", 0, None)]
    assert effective_priority(2, raised) == 1
    assert effective_priority(0, raised) == 0
    assert effective_priority(3, []) == 3


names = st.text("abc", min_size=1, max_size=3)
rules = st.builds(
    Rule,
    st.sampled_from(["deadline_breached", "response_sla_breached", "resolve_sla_breached"]),
    st.sampled_from(["raise_priority", "annotate"]),
    st.none() | st.integers(0, 3),
    st.none() | names,
)
policies = st.builds(
    Policy,
    st.none() | names,
    st.none() | st.integers(1, 9),
    st.none() | st.integers(1, 9),
    st.lists(rules, max_size=3).map(tuple),
    st.none() | names,
    st.sets(names).map(lambda found: tuple(sorted(found))),
    st.sampled_from([(), (GATE,)]),
    st.none() | st.booleans(),
)


@given(policies)
def test_a_policy_survives_the_ledger(policy: Policy) -> None:
    assert from_document(json.loads(json.dumps(as_document(policy)))) == policy


@given(policies, policies, policies)
def test_merging_keeps_every_requirement(campaign: Policy, issue: Policy, other: Policy) -> None:
    merged = merge(campaign, issue)
    assert set(merged.capabilities) == {*campaign.capabilities, *issue.capabilities}
    assert merge(merge(campaign, issue), other).owner == merge(campaign, merge(issue, other)).owner


@pytest.mark.parametrize(
    "document",
    [
        {"serviceLevel": 3},
        {"escalationRules": [{"trigger": "x", "action": "annotate"}]},
        {"escalationRules": [{}]},
        {"escalationRules": [{"trigger": "deadline_breached", "action": "annotate", "priority": "x"}]},
        {"gates": [{"kind": "x"}]},
        {"dispatch": "x"},
    ],
)
def test_a_damaged_row_is_no_policy(document: dict[str, object]) -> None:
    with pytest.raises(BadDocument, match="damaged"):
        from_document(document)
