"""What makes a plan right, and everything that is refused, with its path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any  # documents are plain JSON

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnessos.documents.reading import load_document
from harnessos.errors import BadPlan
from harnessos.model.gate_schema import FIELDS
from harnessos.model.plan import (
    MAX_ISSUES,
    Plan,
    PlannedIssue,
    definition_hash,
    definition_of,
)
from harnessos.plans.parse import parse_plan
from harnessos.plans.read import read_plan
from harnessos.plans.schema import plan_schema, plan_schema_text
from tests.support.json_schema import conforms

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples" / "plans").iterdir())


def issue(task: str = "t", **fields: Any) -> dict[str, Any]:
    return {"task": task, **fields}


def milestone(key: str, *issues: Any, **fields: Any) -> dict[str, Any]:
    return {"milestone_key": key, "description": "d", "issues": list(issues) or [issue()], **fields}


def plan(*milestones: Any, **fields: Any) -> dict[str, Any]:
    return {"milestones": list(milestones), **fields}


def good(document: object) -> Plan:
    parsed = parse_plan(json.loads(json.dumps(document)))
    assert parsed.problems == []
    assert parsed.plan is not None
    return parsed.plan


def wrong(document: object) -> list[str]:
    """Return the paths and sentences of a plan that must be refused."""
    parsed = parse_plan(json.loads(json.dumps(document)))
    assert parsed.plan is None
    assert parsed.problems
    return [f"{found.where}: {found.sentence}" for found in parsed.problems]


def wrong_issue(**fields: Any) -> str:
    (only,) = wrong(plan(milestone("a", issue(**fields))))
    return only.removeprefix("milestones[0].issues[0].")


def test_the_least_plan_gets_the_defaults() -> None:
    (only,) = good(plan(milestone("a"))).issues
    assert only == PlannedIssue("t", "", 2, "M", None, 0)


def test_a_full_plan_becomes_values() -> None:
    found = good(
        plan(
            milestone(
                "a", issue("one", key="x", priority="critical", size="XL", labels=["l"], files=["./src//a/", "b.py"])
            ),
            milestone(
                "b",
                issue(
                    "two",
                    key="y",
                    depends_on_keys=["x"],
                    depends_on_ids=["DOCS-4"],
                    gates=["make test"],
                    budget={"turns": 3, "usd": 0.5, "tokens": "unlimited"},
                    policy={"owner": "me"},
                    deadlineAt="1970-01-01T01:00:01.5+01:00",
                    recipients=[{"id": "r", "kind": "person"}],
                ),
                issue("three", key="z", depends_on_indices=[0]),
                depends_on_milestone_keys=["a"],
                depends_on_milestone_ids=["m-9"],
            ),
            version=1,
            plan_key="p",
            campaign={"name": "c", "objective": "o"},
        )
    )
    assert found.plan_key == "p"
    assert found.campaign is not None
    assert (found.campaign.name, found.campaign.objective) == ("c", "o")
    assert [(each.depends_on, each.depends_on_ids) for each in found.milestones] == [((), ()), ((0,), ("m-9",))]
    one, two, three = found.issues
    assert (one.priority, one.size, one.files, one.labels) == (0, "XL", ("src/a/", "b.py"), ("l",))
    assert (two.milestone, two.depends_on, two.depends_on_ids, two.deadline_at) == (1, (0,), ("DOCS-4",), 1500)
    assert two.gates[0].shell == "make test"
    assert two.budget == {"turns": 3, "usd": 0.5, "tokens": "unlimited"}
    assert two.policy is not None
    assert two.metadata == {"recipients": [{"id": "r", "kind": "person"}]}
    assert three.depends_on == (1,)


@pytest.mark.parametrize(
    "document", [None, [], "x", 3, {}, {"milestones": []}, {"milestones": {}}, {"milestones": None}]
)
def test_a_document_without_milestones_is_refused(document: object) -> None:
    wrong(document)


@pytest.mark.parametrize(
    ("fields", "begins"),
    [
        ({"foo": 1}, "foo: unknown field; known are "),
        ({"priority": "urgent"}, "priority: must be 'critical', 'high', 'medium' or 'low', not 'urgent'"),
        ({"priority": 1}, "priority: must be"),
        ({"priority": None}, "priority: must be"),
        ({"size": "s"}, "size: must be 'S', 'M', 'L' or 'XL', not 's'"),
        ({"task": ""}, "task: must not be empty"),
        ({"task": "  \n"}, "task: must not be empty"),
        ({"task": 5}, "task: must be text, not 5"),
        ({"key": "a\nb"}, "key: must be one line"),
        ({"key": " a"}, "key: must be one line"),
        ({"depends_on_indices": ["0"]}, "depends_on_indices[0]: must be a whole number, not '0'"),
        ({"depends_on_indices": [True]}, "depends_on_indices[0]: must be a whole number, not true"),
        ({"depends_on_indices": [1.0]}, "depends_on_indices[0]: must be a whole number, not 1.0"),
        ({"depends_on_indices": [-1]}, "depends_on_indices[0]: must be at least 0"),
        ({"depends_on_indices": [1]}, "depends_on_indices[0]: there is no issue 1"),
        ({"depends_on_indices": [0]}, "depends_on_indices[0]: an issue cannot depend on itself"),
        ({"depends_on_indices": 0}, "depends_on_indices: must be a list, not 0"),
        ({"depends_on_keys": ["k"]}, "depends_on_keys[0]: no issue of this plan has the key 'k'"),
        ({"key": "k", "depends_on_keys": ["k"]}, "depends_on_keys[0]: an issue cannot depend on itself"),
        ({"depends_on_ids": ["D-1", "D-1"]}, "depends_on_ids[1]: 'D-1' stands here more than once"),
        ({"labels": ["a", "a"]}, "labels[1]: 'a' stands here more than once"),
        ({"labels": [""]}, "labels[0]: must not be empty"),
        ({"files": ["/etc/passwd"]}, "files[0]: must be relative"),
        ({"files": ["~/x"]}, "files[0]: must be relative"),
        ({"files": ["C:\\x"]}, "files[0]: must be relative"),
        ({"files": ["a/../../b"]}, "files[0]: must not contain `..`"),
        ({"files": ["src/*.py"]}, "files[0]: must name a file or folder, not a pattern"),
        ({"files": ["a?"]}, "files[0]: must name a file or folder, not a pattern"),
        ({"files": ["./"]}, "files[0]: must name a file or folder"),
        ({"files": [".git/hooks/"]}, "files[0]: must not lie in .git"),
        ({"files": ["a\nb"]}, "files[0]: must have no blanks at its ends and no control"),
        ({"deadlineAt": "2026-01-01"}, "deadlineAt: must be a date and time with Z or an offset"),
        ({"deadlineAt": "2026-01-01T10:00:00"}, "deadlineAt: must be a date and time with Z or an offset"),
        ({"deadlineAt": "2026-13-01T10:00:00Z"}, "deadlineAt: is no date and time"),
        ({"deadlineAt": 5}, "deadlineAt: must be text"),
        ({"gates": [{"kind": "comand", "name": "x"}]}, "gates[0].kind: must be one of"),
        ({"gates": "make test"}, "gates: must be a list of gates"),
        ({"gates": None}, "gates: must be a list of gates"),
        ({"policy": {"x": 1}}, "policy.x: unknown field; known are"),
        ({"policy": {"serviceLevel": {}}}, "policy.serviceLevel: needs"),
        (
            {"policy": {"serviceLevel": {"resolveWithinMinutes": 0}}},
            "policy.serviceLevel.resolveWithinMinutes: must be at",
        ),
        ({"policy": {"dispatch": {}}}, "policy.dispatch.workloadClass: is missing"),
        (
            {"policy": {"escalationRules": [{"trigger": "deadline_breached", "action": "raise_priority"}]}},
            "policy.escalationRules[0].priority: is missing",
        ),
        (
            {"policy": {"escalationRules": [{"trigger": "late", "action": "annotate"}]}},
            "policy.escalationRules[0].trigger: must be",
        ),
        ({"recipients": []}, "recipients: must not be empty"),
        (
            {"recipients": [{"id": "a", "kind": "x"}, {"id": "a", "kind": "y"}]},
            "recipients[1].id: another one has the id 'a'",
        ),
        (
            {"approvals": [{"id": "a", "label": "l", "recipientIds": ["nobody"]}]},
            "approvals[0].recipientIds[0]: no recipient here has the id 'nobody'",
        ),
        ({"approvals": [{"id": "a", "label": "l", "state": "yes"}]}, "approvals[0].state: must be"),
        (
            {"externalRefs": [{"id": "a", "kind": "k", "value": "v", "url": "not a url"}]},
            "externalRefs[0].url: must be",
        ),
    ],
)
def test_a_wrong_field_is_refused_with_its_path(fields: dict[str, Any], begins: str) -> None:
    assert wrong_issue(**fields).startswith(begins)


@pytest.mark.parametrize("limit", [0, -1, None, True, "3", "", "none", [], 0.0, 10**400])
@pytest.mark.parametrize("name", ["wall_minutes", "turns", "attempts", "output_mb", "usd", "tokens"])
def test_no_unbounded_default(name: str, limit: object) -> None:
    """P01: zero, nothing and nonsense are errors; without a limit must be written as the word."""
    assert wrong_issue(budget={name: limit}).startswith(f"budget.{name}: must be a ")
    assert 'the word "unlimited"' in wrong_issue(budget={name: limit})
    assert good(plan(milestone("a", issue(budget={name: "unlimited"})))).issues[0].budget == {name: "unlimited"}


def test_a_count_has_no_fraction_and_a_budget_no_unknown_field() -> None:
    assert wrong_issue(budget={"turns": 1.5}).startswith("budget.turns: must be a whole number above 0")
    assert wrong_issue(budget={"turn": 1}).startswith("budget.turn: unknown field")
    assert wrong_issue(budget=None).startswith("budget: must be a mapping")


def test_brackets_are_ordinary_characters_of_a_path() -> None:
    (only,) = good(plan(milestone("a", issue(files=["app/[id]/page.tsx"])))).issues
    assert only.files == ("app/[id]/page.tsx",)


def test_all_causes_are_listed_and_one_never_hides_another() -> None:
    found = wrong(
        plan(
            milestone("a", issue(priority="x", budget={"usd": 0}, gates=[{}]), issue(""), foo=1),
            {"milestone_key": "b", "deadlineAt": "x"},
            7,
            version=2,
            campaign={"name": "c", "policy": {"require_gates": "yes"}},
        )
    )
    assert [line.split(": ")[0] for line in found] == [
        "version",
        "campaign.policy.require_gates",
        "milestones[0].foo",
        "milestones[0].issues[0].priority",
        "milestones[0].issues[0].gates[0].name",
        "milestones[0].issues[0].gates[0]",
        "milestones[0].issues[0].budget.usd",
        "milestones[0].issues[1].task",
        "milestones[1].description",
        "milestones[1].issues",
        "milestones[1].deadlineAt",
        "milestones[2]",
    ]


def test_a_broken_issue_still_counts_for_those_who_depend_on_it() -> None:
    (only,) = wrong(plan(milestone("a", issue("", key="x"), issue(depends_on_keys=["x"], depends_on_indices=[0]))))
    assert only.startswith("milestones[0].issues[0].task")


def test_with_plan_key_every_issue_needs_a_key() -> None:
    assert wrong(plan(milestone("a", issue(key="x"), issue()), plan_key="p")) == [
        "milestones[0].issues[1].key: is missing: a plan with plan_key needs a key on every issue"
    ]


def test_doubled_keys_are_refused() -> None:
    assert wrong(plan(milestone("a"), milestone("a"))) == ["milestones[1].milestone_key: milestones[0] is 'a' already"]
    assert wrong(plan(milestone("a", issue(key="x"), issue(key="x")))) == [
        "milestones[0].issues[1].key: issues[0] of this milestone is 'x' already"
    ]


def test_a_key_of_two_milestones_is_named_with_its_milestone() -> None:
    """The identity of an issue is (plan, milestone, key), so two milestones may use one key."""
    a, b = milestone("a", issue(key="x")), milestone("b", issue(key="x"))
    (only,) = wrong(plan(a, b, milestone("c", issue(depends_on_keys=["x"]))))
    assert "write `milestone_key/x`" in only
    assert good(plan(a, b, milestone("c", issue(depends_on_keys=["b/x"])))).issues[2].depends_on == (1,)
    assert good(plan(a, milestone("b", issue(key="x"), issue(depends_on_keys=["x"])))).issues[2].depends_on == (1,)


def test_a_milestone_names_only_others_of_the_batch() -> None:
    found = wrong(
        plan(milestone("a", depends_on_milestone_keys=["a", "z"]), milestone("b", depends_on_milestone_keys=["a", "a"]))
    )
    assert [line.split(": ")[1] for line in found] == [
        "a milestone cannot depend on itself",
        "no milestone of this plan has the key 'z'",
        "'a' stands here more than once",
    ]


def test_a_cycle_of_issues_is_named_as_the_cycle() -> None:
    chain = [issue(key=str(n), depends_on_indices=[(n + 1) % 3]) for n in range(3)]
    (only,) = wrong(plan(milestone("a", *chain)))
    assert only.endswith(
        "milestones[0].issues[0] (0) -> milestones[0].issues[1] (1) -> milestones[0].issues[2] (2) -> milestones[0].issues[0] (0)"
    )


def test_a_cycle_of_milestones_is_named_as_the_cycle() -> None:
    (only,) = wrong(
        plan(milestone("a", depends_on_milestone_keys=["b"]), milestone("b", depends_on_milestone_keys=["a"]))
    )
    assert only.endswith("these milestones wait for each other in a circle: 'a' -> 'b' -> 'a'")


def test_two_separate_cycles_are_both_named() -> None:
    pairs = [issue(depends_on_indices=[other]) for other in (1, 0, 3, 2)]
    assert len(wrong(plan(milestone("a", *pairs)))) == 2


def test_an_issue_that_waits_for_a_later_milestone_is_a_deadlock() -> None:
    """Neither graph has a cycle; together nothing could ever start."""
    (only,) = wrong(
        plan(
            milestone("first", issue(depends_on_keys=["later"])),
            milestone("second", issue(key="later"), depends_on_milestone_keys=["first"]),
        )
    )
    assert "deadlock between milestones and issues" in only
    assert "milestones[1].issues[0] (later) -> milestone 'second' may start -> milestone 'first' is done" in only


def test_an_issue_may_wait_for_an_earlier_milestone_as_well() -> None:
    good(
        plan(
            milestone("a", issue(key="x")),
            milestone("b", issue(depends_on_keys=["x"]), depends_on_milestone_keys=["a"]),
        )
    )


def chain(length: int) -> dict[str, Any]:
    links = [issue(key=f"k{n}", depends_on_keys=[f"k{n - 1}"] if n else []) for n in range(length)]
    return plan(milestone("a", *links), plan_key="p")


def test_a_chain_of_100_000_issues_is_a_plan() -> None:
    found = parse_plan(chain(MAX_ISSUES)).plan
    assert found is not None
    assert found.issues[-1].depends_on == (MAX_ISSUES - 2,)


def test_a_circle_of_100_000_issues_is_found_and_named_in_short() -> None:
    document = chain(MAX_ISSUES)
    document["milestones"][0]["issues"][0]["depends_on_indices"] = [MAX_ISSUES - 1]
    (only,) = parse_plan(document).problems
    assert "(99,988 more)" in only.sentence


def test_100_001_issues_are_too_many(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(chain(MAX_ISSUES + 1)))
    with pytest.raises(BadPlan) as caught:
        read_plan(path)
    assert caught.value.exit_code == 65
    assert caught.value.facts["causes"] == [
        f"{path}: milestones: 100,001 issues are too many: at most 100,000 a plan, divide it"
    ]


def test_a_chain_of_20_000_milestones_is_a_plan() -> None:
    links = [milestone(f"m{n}", **({"depends_on_milestone_keys": [f"m{n - 1}"]} if n else {})) for n in range(20_000)]
    assert parse_plan(plan(*links)).plan is not None


def test_a_problem_in_yaml_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "milestones:\n- milestone_key: a\n  description: d\n  issues:\n  - task: t\n    priority: urgent\n  - task: u\n"
        "    gates:\n    - name: g\n      kind: nope\n    depends_on_keys:\n    - x\n"
    )
    with pytest.raises(BadPlan) as caught:
        read_plan(path)
    found = caught.value.facts["causes"]
    assert isinstance(found, list)
    assert [line.removeprefix(str(path)).split(": ")[0] for line in found] == [":6", ":10", ":11"]


def test_toml_dates_are_instants(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    head = (
        '[[milestones]]\nmilestone_key = "a"\ndescription = "d"\ndeadlineAt = {}\n[[milestones.issues]]\ntask = "t"\n'
    )
    path.write_text(head.format("1970-01-01T00:00:01Z"))
    assert read_plan(path).milestones[0].deadline_at == 1000
    path.write_text(head.format("1970-01-01T00:00:01"))
    with pytest.raises(BadPlan, match="deadlineAt: must be a date and time with Z or an offset"):
        read_plan(path)


def test_a_definition_changes_with_what_is_asked_and_not_with_where_it_stands() -> None:
    one = good(plan(milestone("a", issue(key="x", gates=["make"], policy={"owner": "o"})))).issues[0]
    moved = good(
        plan(
            milestone("b"),
            milestone("a", issue(), issue(key="x", gates=["make"], policy={"owner": "o"}, depends_on_indices=[0])),
        )
    ).issues[2]
    assert definition_of(one) == definition_of(moved)
    assert definition_hash(one) == definition_hash(moved)
    changes: tuple[dict[str, Any], ...] = (
        {"task": "u"},
        {"description": "more"},
        {"priority": 0},
        {"size": "S"},
        {"gates": ()},
        {"budget": {"turns": 1}},
        {"labels": ("l",)},
        {"files": ("a",)},
        {"policy": None},
        {"deadline_at": 1},
        {"metadata": {"recipients": [{"id": "r", "kind": "k"}]}},
    )
    for change in changes:
        assert definition_of(one._replace(**change)) != definition_of(one)
        assert json.loads(definition_of(one._replace(**change)))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_plans_and_conform_to_the_published_schema(path: Path) -> None:
    assert read_plan(path).issues
    assert conforms(load_document(path).tree, plan_schema())


def test_there_is_an_example_of_each_format() -> None:
    assert {path.suffix for path in EXAMPLES} == {".yaml", ".json", ".toml"}


def test_the_committed_schema_is_the_generated_one() -> None:
    assert (ROOT / "docs/schemas/plan.schema.json").read_text() == plan_schema_text()


def test_the_gate_schema_knows_the_fields_that_the_reader_knows() -> None:
    from harnessos.model import gate

    assert {kind: frozenset(fields) | {"kind"} for kind, fields in FIELDS.items()} == gate._FIELDS


@pytest.mark.parametrize(
    "document",
    [
        plan(milestone("a", issue(foo=1))),
        plan(milestone("a", issue(priority="x"))),
        plan(milestone("a", issue(budget={"usd": 0}))),
        plan(milestone("a", issue(gates=[{"name": "x", "kind": "file"}]))),
        plan(milestone("a"), version=2),
        {},
    ],
)
def test_the_published_schema_refuses_what_the_reader_refuses(document: dict[str, Any]) -> None:
    wrong(document)
    assert not conforms(document, plan_schema())


NAMES = ["milestones", "milestone_key", "description", "issues", "task", "key", "depends_on_indices", "depends_on_keys"]
NAMES += [
    "depends_on_milestone_keys",
    "gates",
    "budget",
    "policy",
    "files",
    "deadlineAt",
    "approvals",
    "recipients",
    "a",
    "",
]
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | st.sampled_from([*NAMES, "high", "\ud800", "a\nb"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
nearly_an_issue = st.fixed_dictionaries(
    {"task": st.just("t") | anything},
    optional=dict.fromkeys(("key", "depends_on_indices", "gates", "budget", "policy", "files", "approvals"), anything),
)
nearly_a_plan = st.fixed_dictionaries(
    {
        "milestones": st.lists(
            st.fixed_dictionaries(
                {"milestone_key": st.sampled_from(["a", "b"]) | anything, "description": st.just("d")},
                optional={"issues": st.lists(nearly_an_issue, max_size=3), "depends_on_milestone_keys": anything},
            ),
            max_size=3,
        )
    }
)


@settings(max_examples=400, deadline=None)
@given(nearly_a_plan | anything)
def test_no_tree_crashes_the_reader(document: object) -> None:
    found, problems = parse_plan(document)
    assert (found is None) == bool(problems)
    assert all(problem.describe("f").startswith("f") for problem in problems)
