"""The published JSON Schema of plans, draft 2020-12, generated from the shapes that check them."""

from __future__ import annotations

import json
from typing import Any, cast

from harnessos.model.plan import MAX_ISSUES
from harnessos.plans.shape import ISSUE, MILESTONE, PLAN

_REF = "#/$defs/{model}"


def plan_schema() -> dict[str, object]:
    """Return the schema; references between issues, cycles and gate details beyond it are checked by `read_plan`."""
    plan, milestone, issue = (adapter.json_schema(ref_template=_REF) for adapter in (PLAN, MILESTONE, ISSUE))
    definitions: dict[str, Any] = {}  # pydantic's own type for JSON Schema
    for part in (plan, milestone, issue):
        definitions |= part.pop("$defs", {})
    definitions |= {"MilestoneShape": milestone, "IssueShape": issue}
    few = {"minItems": 1, "maxItems": MAX_ISSUES}
    plan["properties"]["milestones"] = {"type": "array", "items": {"$ref": "#/$defs/MilestoneShape"}, **few}
    milestone["properties"]["issues"] = {"type": "array", "items": {"$ref": "#/$defs/IssueShape"}, **few}
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **plan, "title": "HarnessOS plan"}
    return cast("dict[str, object]", json.loads(json.dumps({**schema, "$defs": definitions}).replace("Shape", "")))


def plan_schema_text() -> str:
    """Return the schema as the file in `docs/schemas` has it."""
    return json.dumps(plan_schema(), indent=2, sort_keys=True) + "\n"
