"""mission.yaml becomes four documents that say the same, whatever its texts hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnessos.documents.tree import Loaded
from harnessos.documents.yamltext import load_yaml
from harnessos.mission.documents.checks import CommandRule, CountRule, FileRule, FreshnessRule, RegexRule, SchemaRule
from harnessos.mission.documents.contract import parse_contract
from harnessos.mission.documents.criteria import parse_criteria
from harnessos.mission.documents.cron_config import DEFAULT_PROMPT, parse_cron_config
from harnessos.mission.documents.drafting import render_documents, verification
from harnessos.mission.documents.lint import lint
from harnessos.mission.documents.placeholders import unfilled
from harnessos.mission.documents.playbook import parse_playbook
from harnessos.mission.documents.typed import MissionSpec, check_of, parse_spec, schema, schema_text
from tests.support.json_schema import conforms
from tests.support.python import ROOT
from tests.unit.test_mission_placeholders import template

EXAMPLE = """\
name: collect prices
objective: |
  Collect the prices
  of | all ``` shops
conditions:
  - id: C1
    condition: output/prices.json | is `valid`
    checks:
      - kind: json_schema
        path: output/prices.json
        schema: {type: object, required: [prices]}
      - python: |
          assert (workspace / "output").is_dir()
  - id: C2
    condition: "fresh\\nand | [Whole numbers] \\\\"
    step: "2"
    checks: [{kind: freshness, path: output/prices.json, max_age: 24h}]
  - id: Standard 3
    condition: thirty prices
    completion: true
    checks: [{sh: "test 30 -le 31"}]
  - {id: C4, condition: nice, mandatory: false}
steps:
  - {title: Look, what: look, completion: seen, failure: stop}
  - {title: Fetch, what: fetch, tools: [curl, "a, b"], completion: there, failure: again}
tools:
  - {name: curl, role: sense, command: curl, probe: "curl --version"}
  - {name: page, role: effector, host_tool: browser, required: false}
schedule: {every: 2h, timezone: Europe/Berlin, dream: 0 30 4 * * *}
limits: {max_failures: 5, run_minutes: 30}
outputs: [output/prices.json]
boundaries: ["only below `output/`"]
runner: "command:./agent"
"""


def spec_of(text: str) -> MissionSpec:
    return parse_spec(load_yaml(text)).sound()


def assert_same(spec: MissionSpec) -> None:
    """Render, parse, and compare every value."""
    documents = render_documents(spec)
    contract = parse_contract(documents["mission.md"]).sound()
    assert contract.name == spec.name
    assert contract.objective == spec.objective
    assert [(one.id, one.condition, one.verification, one.mandatory) for one in contract.conditions] == [
        (one.id, one.condition, verification(one), one.mandatory) for one in spec.conditions
    ]
    assert contract.boundaries == tuple(spec.boundaries)
    assert contract.cycle == (spec.cycle or "")
    assert contract.outputs == tuple(spec.outputs)

    playbook = parse_playbook(documents["playbook.md"]).sound()
    assert [step[:6] for step in playbook.steps] == [
        (number, step.title, step.what, tuple(step.tools), step.completion, step.failure)
        for number, step in zip(spec.numbers, spec.steps, strict=True)
    ]
    assert [tool[:6] for tool in playbook.tools] == [
        (tool.name, tool.role, tool.command or "", tool.host_tool or "", tool.probe or "", tool.required)
        for tool in spec.tools
    ]
    assert playbook.dream is not None

    criteria = parse_criteria(documents["eval_criteria.md"]).sound()
    assert [(one.id, one.mandatory, one.step, one.completion) for one in criteria.standards] == [
        (one.id, one.mandatory, one.step, one.completion) for one in spec.conditions if one.checks
    ]
    assert [[(check.language, check.rule or check.body) for check in one.checks] for one in criteria.standards] == [
        [check_of(check) for check in one.checks] for one in spec.conditions if one.checks
    ]

    config = parse_cron_config(documents["cron_config.md"]).sound()
    assert (config.cron, config.interval_s) == spec.schedule.rule
    assert (config.timezone, config.dream_cron) == (spec.schedule.timezone, spec.schedule.dream)
    assert (config.repeat, config.expire) == (spec.schedule.repeat, spec.schedule.expire)
    assert config.prompt == (spec.prompt or DEFAULT_PROMPT)


def test_the_example_becomes_documents_that_say_the_same() -> None:
    spec = spec_of(EXAMPLE)
    assert_same(spec)
    documents = render_documents(spec)
    assert render_documents(spec) == documents
    assert all(unfilled(name, text, template(name)) == () for name, text in documents.items())
    values = (parse_contract(documents["mission.md"]), parse_playbook(documents["playbook.md"]))
    assert lint(values[0].sound(), values[1].sound(), parse_criteria(documents["eval_criteria.md"]).sound()) == ()
    assert (spec.limits.max_failures, spec.limits.run_minutes, spec.runner) == (5, 30, "command:./agent")


_BITS = st.sampled_from(
    [
        "`", "```", "````\n", "|", "\\|", "\\", "\\\\", "**", "**Name**: ", "Name: x", "[Name of the mission]", "[x](y)", "<b>",
        "<!-- harness:dream begin -->", "<!-- harness:dream end -->", "-->", "# ", "\n# Mission\n", "\n### Step 9: x\n", "- ",
        "1. ", "> ", "\n", "\n\n", "&#10;", "&amp;", "&", "*a*", "_", "---", "===", "(Optional)", "[Step: 3]", "Step: 3", ":", "~~~",
        "none", "host: x", "C:\\data", "{{ x }}", "{workspace}", " ", "\t", "\u2028", "\u0085", "\u00a0", "\U0001f600", "\x7f", "\x0b",
        "[Condition that holds after every run]",
    ]
)  # fmt: skip
_ANY = st.lists(
    _BITS | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5), max_size=8
)
PROSE = _ANY.map("".join).filter(lambda text: text.strip() != "")
LINE = _ANY.map(lambda bits: "".join(c for c in "".join(bits) if c >= " " and c != "\x7f").strip()).filter(bool)
IDS = st.from_regex(r"[A-Z][a-z]{0,5}( [0-9]{1,2})?", fullmatch=True)
CHECKS = st.one_of(
    PROSE.map(lambda body: {"python": body}),
    PROSE.map(lambda body: {"sh": body}),
    LINE.map(lambda run: {"kind": "command", "run": run, "exit": 2}),
    LINE.map(lambda text: {"kind": "json_schema", "path": "a", "schema": {"const": text}}),
    st.just({"kind": "file", "path": "a", "min_bytes": 1}),
)


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    ids = draw(st.lists(IDS, min_size=1, max_size=4, unique_by=str.casefold))
    count = draw(st.integers(1, 3))
    steps = [
        {
            "title": draw(LINE),
            "what": draw(PROSE),
            "tools": draw(st.lists(LINE, max_size=3)),
            "completion": draw(PROSE),
            "failure": draw(PROSE),
        }
        for _ in range(count)
    ]
    marks: list[dict[str, Any]] = [{}, {"completion": True}, {"step": str(count)}, {"mandatory": False}]
    conditions = [
        {
            "id": name,
            "condition": draw(PROSE),
            "checks": draw(st.lists(CHECKS, min_size=1, max_size=2)),
            "verification": draw(PROSE | st.none()),
            **draw(st.sampled_from(marks)),
        }
        for name in ids
    ]
    tools = [{"name": name, "role": "sense", "command": f"x {name}", "probe": name + "x"} for name in steps[0]["tools"]]
    return {
        "name": draw(LINE)[:100].strip(),
        "objective": draw(PROSE),
        "conditions": conditions,
        "steps": steps,
        "tools": list({tool["name"]: tool for tool in tools}.values()),
        "boundaries": draw(st.lists(PROSE, max_size=2)),
        "outputs": draw(st.lists(PROSE, max_size=2)),
        "cycle": draw(PROSE | st.none()),
        "prompt": draw(PROSE | st.none()),
        "schedule": draw(st.sampled_from([{}, {"every": "5m"}, {"cron": "0 0 9 * * MON", "timezone": "UTC"}])),
    }


@settings(max_examples=40, deadline=None)
@given(tree=specs())
def test_any_text_survives_the_way_through_the_documents(tree: dict[str, Any]) -> None:
    parsed = parse_spec(Loaded(tree, []))
    if parsed.problems:  # the few texts that a field refuses, such as a blank at the end of a line
        assert all(problem.text for problem in parsed.problems)
        return
    spec = parsed.sound()
    assert_same(spec)
    for name, text in render_documents(spec).items():
        if name in ("mission.md", "playbook.md"):
            assert unfilled(name, text, template(name)) == ()


@pytest.mark.parametrize(
    "rule",
    [
        FileRule("a", False),
        FileRule("a", True, 0, 9),
        SchemaRule("a", {"const": "\u2028 \x7f \U0001f600 \"'"}),
        SchemaRule("a", None, "b"),
        CountRule("*.md", "a: b # c", 0),
        RegexRule("a", "^\\d+\t$", False),
        FreshnessRule("a", 60),
        CommandRule("x 'y' \"z\" | w", 3, 9),
    ],
)
def test_a_declared_check_is_written_as_it_is_read(rule: Any) -> None:
    from harnessos.mission.documents.checks import read_rules
    from harnessos.mission.documents.drafting import rule_text

    ((_, read),), problems = read_rules(rule_text(rule), 1)
    assert (read, problems) == (rule, [])


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (("name: collect prices", "name: 3"), 1, "name: must be text"),
        (("name: collect prices", "nam: x"), 1, "is missing"),
        (("max_age: 24h", "max_age: soon"), 17, "an age such as"),
        (('step: "2"', 'step: "3"'), 1, "names step 3"),
        (("id: C2", "id: c1"), 1, "more than once"),
        (("id: C2", "id: 'C2: x'"), 14, "conditions[1].id"),
        (("every: 2h", "every: 10s"), 29, "at least 60 seconds"),
        (("every: 2h", "every: 2h, cron: '* * * * *'"), 29, "not both"),
        (("Europe/Berlin", "Europe/Berlino"), 29, "no time zone"),
        (("mandatory: false", "mandatory: true"), 22, "needs at least one check"),
        (("host_tool: browser", "host: browser"), 28, "host"),
        (("max_failures: 5", "max_failures: 0"), 30, "at least 1"),
        (("runner:", "runners:"), 33, "unknown field"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(change: tuple[str, str], line: int, said: str) -> None:
    assert change[0] in EXAMPLE
    parsed = parse_spec(load_yaml(EXAMPLE.replace(*change)))
    assert parsed.value is None
    assert any(said in problem.text for problem in parsed.problems), parsed.problems
    assert line in {problem.line for problem in parsed.problems}


def test_no_tree_makes_the_reader_fail() -> None:
    trees: list[object] = [None, [], "x", {"name": None}, {"conditions": [1], "steps": {}}, {"schedule": {"every": 5}}]
    for tree in trees:
        assert parse_spec(Loaded(tree, [])).problems


def test_the_committed_schema_is_the_generated_one() -> None:
    assert (ROOT / "docs/schemas/mission.schema.json").read_text() == schema_text()


def test_the_example_conforms_to_the_published_schema() -> None:
    tree = load_yaml(EXAMPLE).tree
    assert conforms(tree, schema())
    assert not conforms({"name": "x"}, schema())
    assert json.loads(schema_text())["title"] == "HarnessOS mission"
