"""The tools as hosts see them: small, portable, precise on request, and nothing in them that is not there."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import ValidationError

from harnessos.commands import quick
from harnessos.mcp import schemas
from harnessos.mcp.actions import SERVES, Action, Tool, command_of
from harnessos.mcp.following import of_hint, of_words
from harnessos.mcp.profiles import PROFILES, tools_of
from harnessos.mcp.server import tool_document
from harnessos.mcp.tools import TOOLS

ACTIONS = [(tool, action) for tool in TOOLS for action in tool.actions]
EACH = pytest.mark.parametrize(("tool", "action"), ACTIONS, ids=[f"{t.name}.{a.name}" for t, a in ACTIONS])
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]*")
BARRED = {"$ref", "$defs", "oneOf", "allOf", "not"}
TOOL_BYTES = 10_000


def shown(profile: str) -> list[dict[str, Any]]:
    """The list of tools of a profile, as hosts get it."""
    return [tool_document(tool) for tool in TOOLS if tool.name in tools_of(profile)]


@pytest.mark.parametrize("profile", PROFILES)
def test_tools_list_under_10kb_and_8_tools_for_every_profile(profile: str) -> None:
    tools = shown(profile)
    assert 0 < len(tools) <= 8
    assert schemas.size(tools) <= TOOL_BYTES


def test_profile_filter_really_shrinks_tools_list() -> None:
    assert schemas.size(shown("research")) < 0.85 * schemas.size(shown("coding"))
    assert {tool["name"] for tool in shown("research")} < {tool["name"] for tool in shown("ops")}


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_schema_portable(tool: Tool) -> None:
    document = tool_document(tool)
    assert NAME.fullmatch(tool.name)
    assert len(f"harness_{tool.name}") <= 60
    schema = document["inputSchema"]
    assert (schema["type"], schema["required"], schema["additionalProperties"]) == ("object", ["action"], False)
    assert schema["properties"]["action"]["enum"] == [action.name for action in tool.actions]
    for name, part in schema["properties"].items():
        assert NAME.fullmatch(name)
        assert part["type"] in ("string", "integer", "number", "boolean", "array", "object"), name
        assert set(part) <= {"type", "enum"}


@EACH
def test_the_precise_schema_of_an_action_is_flat_and_says_a_word_of_every_field(tool: Tool, action: Action) -> None:
    schema = schemas.precise(action)
    assert not BARRED & set(re.findall(r'"(\$?\w+)":', json.dumps(schema)))
    assert "anyOf" not in schema
    assert set(schema["properties"]) == {field.name for field in action.fields}
    assert all(part.get("description") for part in schema["properties"].values())
    assert set(schema["properties"]) <= set(schemas.published(tool)["properties"])


@EACH
def test_an_action_reads_its_example_and_nothing_it_does_not_know(tool: Tool, action: Action) -> None:
    read = schemas.model(action)
    required = {field.name for field in action.fields if field.required}
    assert required <= set(action.example) or action.needs, f"{tool.name} {action.name} has no whole example"
    if not action.needs:
        read.model_validate(dict(action.example))
    with pytest.raises(ValidationError):
        read.model_validate({**action.example, "no_such_field": 1})


@EACH
def test_an_action_does_something_or_says_why_not(tool: Tool, action: Action) -> None:
    assert bool(action.command or action.run) != bool(action.needs), f"{tool.name} {action.name}"
    if action.command:
        known = {quick.dest(argument) for argument in command_of(action.command).arguments}
        own = {field.name for field in action.adds}
        for field in action.fields:
            assert field.dest in known or field.name in own or field.name == "host_capabilities"
        assert set(action.rename) <= known
        assert set(action.operator) <= {field.name for field in action.fields}
        assert set(action.drop) <= known


def test_each_tool_and_action_has_one_name() -> None:
    for tool in TOOLS:
        names = [action.name for action in tool.actions]
        assert len(set(names)) == len(names)
    assert [tool.name for tool in TOOLS] == list(tools_of("coding"))


# What leads on


@EACH
def test_a_command_of_the_table_becomes_the_call_that_fills_it(tool: Tool, action: Action) -> None:
    if not action.command or (action.run is not None and tool.name != "harness_session"):
        return
    if action.required:
        return  # the command line has a default where an action has none
    words = ["harness", *action.command.split()]
    for argument in command_of(action.command).arguments:
        plain = not argument.names[0].startswith("-")
        if (plain and argument.options.get("nargs") is None) or argument.options.get("required"):
            choices = argument.options.get("choices")
            words += [*([] if plain else [argument.names[0]]), choices[0] if choices else "7"]
    then = of_words(words, TOOLS, "why not", operator=True)
    assert then.tool is not None, words
    assert then.command is None
    schemas.model(next(a for t, a in ACTIONS if (t.name, a.name) == (then.tool, then.action))).model_validate(
        then.arguments
    )


def test_a_claim_that_serves_a_lane_says_so_in_host_capabilities() -> None:
    words = [
        "harness",
        "session",
        "begin",
        "--project",
        "DOCS",
        "--issue",
        "DOCS-1",
        "--workload-class",
        "gpu",
        "--capability",
        "cuda",
    ]
    then = of_words(words, TOOLS, "r", operator=False)
    assert (then.tool, then.action) == ("harness_session", "begin")
    assert then.arguments == {
        "project": "DOCS",
        "issue": "DOCS-1",
        "host_capabilities": {"workloadClasses": ["gpu"], "capabilities": ["cuda"]},
    }


@pytest.mark.parametrize("words", ["issue approve DOCS-1", "mission resume /w", "db upgrade", "budget set DOCS runs 9"])
def test_what_only_a_person_may_do_keeps_its_words_and_no_tool(words: str) -> None:
    then = of_words(["harness", *words.split()], TOOLS, "r", operator=False)
    assert (then.tool, then.command) == (None, f"harness {words}")


def test_a_hint_with_a_gap_in_it_leads_nowhere_by_itself() -> None:
    assert of_hint("`harness init PATH --key KEY` registers it", TOOLS, operator=False) is None
    then = of_hint("`harness why DOCS-1` says more", TOOLS, operator=False)
    assert then is not None
    assert (then.tool, then.action, then.arguments) == ("harness_inspector", "why", {"id": "DOCS-1"})


def test_no_field_of_the_command_line_is_forgotten() -> None:
    """Whoever adds a flag to a command sees it in the tool, or leaves it out by name."""
    for _, action in ACTIONS:
        if action.command:
            known = {quick.dest(argument) for argument in command_of(action.command).arguments}
            given = {field.dest for field in action.fields} | set(action.drop) | {*SERVES, "fail_if_empty"}
            assert known <= given, (action.name, known - given)
