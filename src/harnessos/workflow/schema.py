"""The published JSON Schema of the `harness:` section of WORKFLOW.md, draft 2020-12."""

from __future__ import annotations

import json
from typing import cast

from harnessos.workflow.shape import HARNESS


def harness_schema() -> dict[str, object]:
    """Return the schema, generated from the shape that checks the section."""
    schema = HARNESS.json_schema(ref_template="#/$defs/{model}")
    headed = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "harness section of WORKFLOW.md",
    }
    return cast("dict[str, object]", json.loads(json.dumps(headed).replace("Shape", "")))


def harness_schema_text() -> str:
    """Return the schema as the file in `docs/schemas` has it."""
    return json.dumps(harness_schema(), indent=2, sort_keys=True) + "\n"
