"""The actions one by one: their answers are small and in pages, and no argument, right or wrong, breaks anything."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harnessos.mcp import schemas
from harnessos.mcp.fitting import shortened, size
from harnessos.mcp.tools import TOOLS
from tests.support.commands import registered
from tests.support.mcp_desk import Hands, agent, terminal

__all__ = ["agent", "terminal"]

USUAL = 2_000
ACTIONS = [(tool.name, action) for tool in TOOLS for action in tool.actions]


def busy(agent: Hands, count: int = 60) -> None:
    """Plan a lot, with long words."""
    issues = [{"task": f"task {number} " + "with many words " * 8, "key": f"k{number}"} for number in range(count)]
    agent.good("harness_orchestrator", "plan_issues", plan_key="many", milestones=[
        {"milestone_key": f"g{at}", "description": "a milestone of many words " * 10, "issues": issues[at :: 10]}
        for at in range(10)
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("tool", "action", "given_"),
    [
        ("harness_inspector", "get_context", {}),
        ("harness_inspector", "next_action", {}),
        ("harness_inspector", "why", {"id": "DOCS-1"}),
        ("harness_inspector", "audit", {"id": "DOCS"}),
        ("harness_inspector", "audit", {"id": "DOCS-1"}),
        ("harness_inspector", "health_snapshot", {}),
        ("harness_symphony", "inspect_state", {}),
        ("harness_symphony", "dashboard_view", {}),
        ("harness_artifacts", "list", {}),
        ("harness_mission", "list", {}),
        ("harness_orchestrator", "edit_issue", {"issue": "DOCS-1", "description": "long " * 2000}),
        ("harness_admin", "reconcile", {}),
    ],
)
def test_default_results_under_2kb_with_cursor(agent: Hands, tool: str, action: str, given_: dict[str, Any]) -> None:
    busy(agent)
    reply = agent.call(tool, action, **given_)
    assert not reply.failed, reply.document
    assert size(reply.document) <= USUAL + 400, "with `next`"


def test_a_list_is_read_to_its_end_by_following_its_cursor(agent: Hands) -> None:
    busy(agent)
    seen: list[str] = []
    page = agent.good("harness_symphony", "dashboard_view")
    while True:
        seen += [row["identifier"] for row in page["items"]]
        if page["cursor"] is None:
            break
        assert page["next"]["arguments"]["cursor"] == page["cursor"]
        page = agent.good(page["next"]["tool"], page["next"]["action"], **page["next"]["arguments"])
    assert seen == [f"DOCS-{number}" for number in range(1, 64)]


def test_a_limit_that_is_given_is_kept(agent: Hands) -> None:
    busy(agent)
    assert len(agent.good("harness_symphony", "dashboard_view", limit=40)["items"]) == 40


def test_capabilities_say_what_there_is_and_what_there_is_not(agent: Hands) -> None:
    known = agent.good("harness_inspector", "capabilities")
    assert set(known["unavailable"]) == {f"{name} {action.name}" for name, action in ACTIONS if action.needs}
    assert known["mem0"]["available"] is False
    assert known["symphony"]["runners"]["claude"] == (shutil.which("claude") is not None)
    for name, action in ACTIONS:
        one = agent.good("harness_inspector", "capabilities", tool=name, action_name=action.name)
        assert one["schema"] == schemas.precise(action)
        assert one["example"]["action"] == action.name
        assert one.get("available", True) is not bool(action.needs)
        assert action.name in known["tools"][name]["actions"] or action.needs


@pytest.mark.parametrize(
    ("tool", "action"), [(n, a) for n, a in ACTIONS if a.needs], ids=lambda one: getattr(one, "name", one)
)
def test_what_is_not_there_is_refused_and_pretends_nothing(agent: Hands, tool: str, action: Any) -> None:
    required = {field.name: "x" for field in action.fields if field.required}
    said = agent.refused(tool, action.name, **required)
    assert said["available"] is False
    assert action.needs in said["message"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30)
    | st.sampled_from(["DOCS", "DOCS-1", "DOCS-999", "finished", "/", "/tmp", "-", "hs_x", "\ud800", "\x00", "9" * 400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
SAFE = [
    (name, action)
    for name, action in ACTIONS
    if action.name not in ("supervisor_tick", "supervisor_run") and action.command != "init"
]


@pytest.mark.parametrize(("tool", "action"), SAFE, ids=[f"{name}.{action.name}" for name, action in SAFE])
def test_fuzz_of_an_action(tmp_path_factory: pytest.TempPathFactory, tool: str, action: Any) -> None:
    """No traceback (the hands look), no hang, and no write by what is no valid input."""
    folder = tmp_path_factory.mktemp("fuzz")
    terminal = registered(folder)
    agent = Hands(terminal.environment(), terminal.cwd)
    names = [field.name for field in action.fields]
    workspace = str(folder / "ws")

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.dictionaries(st.sampled_from([*names, "other"]), VALUES, max_size=len(names) + 1))
    def attack(data: dict[str, Any]) -> None:
        if isinstance(data.get("workspace"), str):
            data["workspace"] = workspace if data["workspace"].startswith("/") else data["workspace"]
        if isinstance(data.get("file"), str):
            data["file"] = str(folder / "no-such.yaml")
        reply = agent.raw(tool, {"action": action.name, **data})
        json.dumps(reply.document)
        if reply.failed and reply.document["code"] == "bad_usage":
            assert reply.document["hint"]

    attack()
    agent.desk.close()


@pytest.mark.parametrize(
    "arguments", [None, [], "text", 7, {}, {"action": None}, {"action": ["next_action"]}, {"action": "x" * 10_000}]
)
def test_arguments_that_are_no_call_are_told_what_would_be(agent: Hands, arguments: object) -> None:
    reply = agent.raw("harness_inspector", arguments)
    assert reply.failed
    assert reply.document["code"] == "bad_usage"
    assert reply.next["action"] == "capabilities"
    assert agent.raw("no_such_tool", {"action": "list"}).document["code"] == "unknown_identifier"


def test_everything_that_is_wrong_is_said_at_once(agent: Hands) -> None:
    said = agent.refused("harness_session", "checkpoint", title=7, plan="no list", extra=1)
    assert {cause.partition(":")[0] for cause in said["causes"]} == {"title", "plan", "extra", "summary", "next_step"}


def test_a_plan_with_problems_names_each_and_writes_nothing(agent: Hands) -> None:
    issues = [{"task": "t", "priority": "huge"}, {"task": "", "depends_on_indices": [9]}]
    said = agent.refused("harness_orchestrator", "plan_issues", milestones=[
        {"milestone_key": "m", "description": "d", "issues": issues, "unknown": 1}
    ])  # fmt: skip
    assert said["code"] == "bad_plan"
    assert len(said["causes"]) >= 4
    assert all("milestones[0]" in cause for cause in said["causes"])
    assert agent.refused("harness_symphony", "dashboard_view", milestone="m")["code"] == "unknown_identifier"


def test_the_earlier_products_plan_is_taken_and_behaves(agent: Hands) -> None:
    first = {
        "task": "restore the service", "priority": "low", "size": "S", "deadlineAt": "2020-01-01T00:00:00+00:00",
        "recipients": [{"id": "team", "kind": "team", "role": "approver"}],
        "approvals": [{"id": "go", "label": "go ahead", "state": "pending", "required": True, "recipientIds": ["team"]}],
        "externalRefs": [{"id": "rb", "kind": "runbook", "value": "RB-7", "url": "https://example.org/rb7"}],
        "policy": {
            "owner": "ops", "serviceLevel": {"resolveWithinMinutes": 60},
            "escalationRules": [{"trigger": "deadline_breached", "action": "raise_priority", "priority": "critical"}],
        },
    }  # fmt: skip
    made = agent.good("harness_orchestrator", "plan_issues", milestones=[
        {"milestone_key": "one", "description": "first", "issues": [first, {"task": "tell them", "depends_on_indices": [0]}]},
        {"milestone_key": "two", "description": "then", "depends_on_milestone_keys": ["one"], "issues": [{"task": "learn"}]},
    ])["created"]  # fmt: skip
    reads = Hands(agent.desk.base.environ, agent.desk.base.settings.cwd, operator=True)
    rows = {row["identifier"]: row for row in reads.good("harness_symphony", "dashboard_view", limit=50)["items"]}
    assert rows[made[0]]["blocked_reason"] == "approval:go"
    assert rows[made[2]]["blocked_reason"] == "milestone_dependency:one"
    assert reads.good("harness_orchestrator", "approve", issue=made[0], name="go")["status"] == "ready"
    reads.good("harness_admin", "reconcile")
    assert reads.good("harness_inspector", "next_action")["context"]["issue"]["identifier"] == made[0]
    told = reads.good("harness_inspector", "audit", id=made[0], limit=50)["timeline"]
    assert any("critical" in entry["text"] for entry in told), told
    begun = agent.good("harness_session", "begin")
    assert begun["issue"]["identifier"] == made[0], "it ranks before everything that was planned earlier"
    reads.desk.close()


def test_slices_compile_to_a_plan_that_is_taken(agent: Hands) -> None:
    compiled = agent.good("harness_symphony", "compile_plan", milestones=[
        {"id": "b", "description": "later", "dependsOnMilestoneIds": ["a"]}, {"id": "a", "description": "first"},
    ], slices=[
        {"id": "s2", "milestoneId": "b", "task": "second", "priority": "high", "size": "M", "dependsOnSliceIds": ["s1"]},
        {"id": "s1", "milestoneId": "a", "task": "first", "evidenceRequirements": [{"id": "e", "kind": "log", "value": "x"}]},
    ])["milestones"]  # fmt: skip
    assert [one["milestone_key"] for one in compiled] == ["a", "b"]
    assert compiled[1]["depends_on_milestone_keys"] == ["a"]
    assert compiled[1]["issues"][0]["depends_on_keys"] == ["s1"]
    made = agent.good("harness_orchestrator", "plan_issues", plan_key="compiled", milestones=compiled)
    assert made["created_count"] == 2


@pytest.mark.parametrize(
    ("milestones", "slices", "word"),
    [
        ([{"id": "a", "description": "x"}], [], "no slice"),
        ([{"id": "a", "description": "x"}], [{"id": "s", "milestoneId": "z", "task": "t"}], "no milestone"),
        ([{"id": "a", "description": "x"}] * 2, [{"id": "s", "milestoneId": "a", "task": "t"}], "twice"),
        (
            [{"id": "a", "description": "x"}],
            [{"id": "s", "milestoneId": "a", "task": "t", "dependsOnSliceIds": ["u"]},
             {"id": "u", "milestoneId": "a", "task": "t", "dependsOnSliceIds": ["s"]}],
            "circle",
        ),
        ([{"id": "a", "description": "x", "odd": 1}], [{"id": "s", "milestoneId": "a", "task": "t"}], "no field"),
    ],
)  # fmt: skip
def test_slices_that_make_no_plan_are_refused(agent: Hands, milestones: Any, slices: Any, word: str) -> None:
    said = agent.refused("harness_symphony", "compile_plan", milestones=milestones, slices=slices)
    assert said["code"] == "bad_plan"
    assert word in said["message"]


def test_what_is_too_long_is_cut_and_says_so() -> None:
    document = {"items": [{"text": "x" * 900} for _ in range(50)], "id": "kept"}
    cut = shortened(document, 1_000)
    assert size(cut) <= 1_000
    assert (cut["shortened"], cut["id"]) == (True, "kept")
    assert shortened({"a": 1}, 1_000) == {"a": 1}
