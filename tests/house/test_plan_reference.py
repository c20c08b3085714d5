"""The reference page of plans says what the JSON Schema and the model say: every field, its type and its default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from harnessos.kernel.approvals import wanted
from harnessos.model.budget import Limits, limits
from harnessos.model.gate import Gate, GateKind, ReportFormat
from harnessos.model.gate_schema import FIELDS
from harnessos.plans.parse import parse_plan
from harnessos.plans.schema import plan_schema
from tests.support.python import ROOT

Schema = Mapping[str, Any]  # any: a JSON Schema

PAGE = (ROOT / "docs" / "reference" / "plan.md").read_text(encoding="utf-8")
SCHEMA: Schema = plan_schema()
PARTS: dict[str, Schema] = SCHEMA["$defs"]
ISSUE = PARTS["Issue"]["properties"]
HEADINGS = {
    "Campaign": "Campaign",
    "Milestone": "Milestone",
    "Issue": "Issue",
    "Policy": "Policy",
    "ServiceLevel": "Service level",
    "Rule": "Escalation rule",
    "Dispatch": "Dispatch",
    "Approval": "Approval",
    "Recipient": "Recipient",
    "Reference": "Reference",
}
TABLES = {"Plan": SCHEMA, "Budget": ISSUE["budget"], **{HEADINGS[name]: part for name, part in PARTS.items()}}


def _rows(heading: str) -> dict[str, list[str]]:
    """Return the cells after the first of each row below a heading, by the field's name."""
    text = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = (re.split(r" ?\| ?", line.strip("| ")) for line in text.splitlines() if line.startswith("| `"))
    return {cells[0].strip("`"): cells[1:] for cells in found}


def _type(schema: Schema) -> str:
    """Return a type in the words of the page."""
    if "$ref" in schema:
        return _link(HEADINGS[schema["$ref"].rpartition("/")[2]])
    if "enum" in schema or "const" in schema:
        *first, last = (f"`{word}`" for word in schema.get("enum", [schema.get("const")]))
        return f"{', '.join(first)} or {last}" if first else last
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    match schema["type"]:
        case "string":
            return _text(schema)
        case "integer" | "number":
            return {"integer": "whole number", "number": "number"}[schema["type"]] + _range(schema)
        case "boolean":
            return "`true` or `false`"
        case "object":
            return "[budget](#budget)" if "usd" in schema.get("properties", {}) else "mapping"
    return f"list of {_many(schema['items'])}"


def _text(schema: Schema) -> str:
    if "format" in schema:
        return "instant"
    pattern = schema.get("pattern", "")
    if "://" in pattern:
        return "URL"
    if "{1,64}" in pattern:
        return "short name"
    return ("name" if "maxLength" in schema else "line") if "x1f" in pattern else "text"


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    return "" if low is None else f" from {low}" if high is None else f" from {low} to {high}"


def _link(heading: str) -> str:
    return f"[{heading.lower()}](#{heading.lower().replace(' ', '-')})"


def _many(items: Schema) -> str:
    if "Gate" in items.get("title", ""):
        return "[gates](#gate)"
    return re.sub(r"^\[?(?:whole number|short name|[a-z ]+)", r"\g<0>s", _type(items))


@pytest.mark.parametrize("heading", TABLES)
def test_every_field_of_a_plan_is_there_with_its_type(heading: str) -> None:
    properties = TABLES[heading]["properties"]
    assert {name: cells[0] for name, cells in _rows(heading).items()} == {
        name: _type(schema) for name, schema in properties.items()
    }


@pytest.mark.parametrize("heading", TABLES)
def test_what_is_required_is_said_and_everything_has_a_meaning(heading: str) -> None:
    rows = _rows(heading)
    assert [name for name, cells in rows.items() if cells[1] == "required"] == [
        name for name in rows if name in TABLES[heading].get("required", ())
    ]
    assert [name for name, cells in rows.items() if len(cells) != 3 or not cells[2]] == []


def test_the_defaults_of_a_plan_are_those_of_the_model() -> None:
    text = {"milestones": [{"milestone_key": "m", "description": "d", "issues": [{"task": "t"}]}]}
    plan = parse_plan(text).plan
    assert plan is not None
    rows = _rows("Issue")
    words = ("critical", "high", "medium", "low")
    assert rows["priority"][1] == f"`{words[plan.issues[0].priority]}`"
    assert rows["size"][1] == f"`{plan.issues[0].size}`"
    approval, told = wanted({"approvals": [{"id": "a", "label": "b"}]})[0], _rows("Approval")
    assert told["state"][1] == f"`{approval['state']}`"
    assert told["required"][1] == f"`{str(approval['required']).lower()}`"


def test_the_defaults_of_a_budget_are_those_of_the_model() -> None:
    told = {name: float(cells[1].strip("`")) for name, cells in _rows("Budget").items()}
    assert limits(told) == Limits()
    assert len(told) == len(Limits())


def test_every_field_of_a_gate_is_there_with_its_kinds_type_and_default() -> None:
    choices = {"kind": {"enum": [kind.value for kind in GateKind]}}
    fields: dict[str, Any] = choices | {name: schema for kind in FIELDS for name, schema in FIELDS[kind].items()}
    kinds = {name: [kind.value for kind in FIELDS if name in FIELDS[kind]] for name in fields}
    rows = _rows("Gate")
    assert {name: cells[:2] for name, cells in rows.items()} == {
        name: ["all" if len(kinds[name]) in (0, len(FIELDS)) else ", ".join(kinds[name]), _type(schema)]
        for name, schema in fields.items()
    }
    assert [name for name, cells in rows.items() if len(cells) != 4 or not cells[3]] == []
    assert {name: cells[2].split(",")[0] for name, cells in rows.items() if "`" in cells[2]} == {
        name: f"`{said}`" for name in fields if (said := _default(name))
    }
    assert [name for name, cells in rows.items() if cells[2] == "required"] == ["name", "path", "question"]


def _default(field: str) -> str:
    """Return the default of a gate's field as it is written, nothing where there is none."""
    if field == "kind":
        return GateKind.COMMAND.value
    value = Gate._field_defaults.get("where" if field == "in" else field)
    if value is None or value == ():
        return ""
    return str(getattr(value, "value", value)).lower() if not isinstance(value, bool) else str(value).lower()


def test_a_report_makes_junit_the_default_format_of_tests() -> None:
    assert f"with a report `{ReportFormat.JUNIT.value}`" in _rows("Gate")["format"][2]
