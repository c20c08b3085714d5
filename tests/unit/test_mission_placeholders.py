"""Rule 2: nothing of a template may be left in a document before a mission runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harnessos.mission.documents.contract import parse_contract
from harnessos.mission.documents.criteria import parse_criteria
from harnessos.mission.documents.cron_config import DEFAULT_CRON, DEFAULT_DREAM_CRON, DEFAULT_PROMPT, parse_cron_config
from harnessos.mission.documents.placeholders import slots_of, unfilled
from harnessos.mission.documents.playbook import parse_playbook
from harnessos.mission.documents.problems import Parsed
from tests.support.mission_documents import FILLED
from tests.support.python import SOURCE

TEMPLATES = SOURCE / "skills" / "harness-24h" / "templates"
PARSERS: dict[str, Callable[[str], Parsed[Any]]] = {
    "mission.md": parse_contract,
    "playbook.md": parse_playbook,
    "eval_criteria.md": parse_criteria,
    "cron_config.md": parse_cron_config,
}


def template(name: str) -> str:
    return Path(TEMPLATES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FILLED)
def test_rule_2_an_untouched_template_is_not_filled_in(name: str) -> None:
    problems = unfilled(name, template(name), template(name))
    assert problems[0].text == "is the template, nothing is filled in yet"
    assert {problem.text.split("slot ")[1].removesuffix(" is not filled in") for problem in problems[1:]} == slots_of(
        template(name)
    )
    padded = template(name).replace("\n", "\r\n").replace(" | ", "   |  ")
    assert unfilled(name, padded, template(name))[0].text == problems[0].text


@pytest.mark.parametrize("name", FILLED)
def test_rule_2_every_single_slot_counts(name: str) -> None:
    slots = slots_of(template(name))
    assert slots
    for slot in slots:
        text = FILLED[name] + f"\nsome words {slot} more\n"
        (problem,) = unfilled(name, text, template(name))
        assert problem == (name, FILLED[name].count("\n") + 2, f"the slot {slot} is not filled in")


def test_rule_2_a_slot_counts_where_an_editor_broke_its_line() -> None:
    (problem,) = unfilled("mission.md", "x\n[Condition that holds\n  after every run]\n", template("mission.md"))
    assert problem.line == 2


@pytest.mark.parametrize("text", ["", "\n\n", " \t\r\n", "\ufeff"])
@pytest.mark.parametrize("name", FILLED)
def test_rule_2_an_empty_document_is_not_filled_in(name: str, text: str) -> None:
    assert [problem.text for problem in unfilled(name, text, template(name))] == ["is empty"]


@pytest.mark.parametrize("name", FILLED)
def test_rule_2_legitimate_brackets_pass(name: str) -> None:
    text = FILLED[name] + (
        "\nSee [the page](https://example.com) and [another one][ref], [e.g., a value], [Fill in nothing],\n"
        "- [ ] open\n- [x] done\n`data[index]` and [Some words of one's own]\n\n```python\nx = [1][0]\n```\n"
    )
    assert unfilled(name, text, template(name)) == ()
    assert unfilled(name, FILLED[name], template(name)) == ()


def test_rule_2_what_dream_wrote_cannot_stop_a_mission() -> None:
    slot = min(slots_of(template("playbook.md")))
    begin = "<!-- harness:dream begin -->\n"
    inside = FILLED["playbook.md"].replace(begin, f"{begin}- warning: {slot}\n")
    assert unfilled("playbook.md", inside, template("playbook.md")) == ()


@pytest.mark.parametrize("name", PARSERS)
def test_a_template_has_no_problem_but_its_slots(name: str) -> None:
    slots = {problem.line for problem in unfilled(name, template(name), template(name))[1:]}
    assert [problem for problem in PARSERS[name](template(name)).problems if problem.line not in slots] == []


def test_the_templates_name_all_that_a_mission_needs() -> None:
    contract = parse_contract(template("mission.md")).value
    assert contract is not None
    assert [one.mandatory for one in contract.conditions] == [True, False, True]
    assert contract.boundaries
    assert contract.cycle
    assert contract.outputs
    playbook = parse_playbook(template("playbook.md")).value
    assert playbook is not None
    assert all(step.what and step.tools and step.completion and step.failure for step in playbook.steps)
    assert playbook.tools
    assert playbook.dream is not None
    criteria = parse_criteria(template("eval_criteria.md")).value
    assert criteria is not None
    assert {check.language for one in criteria.standards for check in one.checks} == {"python", "sh", "check"}
    assert [(one.mandatory, one.step, one.completion) for one in criteria.standards] == [
        (True, None, False),
        (False, "2", False),
        (True, None, True),
    ]


def test_the_template_of_the_schedule_has_the_defaults() -> None:
    config = parse_cron_config(template("cron_config.md")).value
    assert config is not None
    assert (config.kind, config.cron, config.dream_cron) == ("cron", DEFAULT_CRON, DEFAULT_DREAM_CRON)
    assert config.prompt == DEFAULT_PROMPT


def test_rule_10_the_prompt_reads_what_is_static_first() -> None:
    names = ["/mission.md", "/eval_criteria.md", "/playbook.md", "/heartbeat.md", "/knowledge/"]
    places = [DEFAULT_PROMPT.index("{workspace}" + name) for name in names]
    assert places == sorted(places)
    assert all(DEFAULT_PROMPT.count("{workspace}" + name) == 1 for name in names)


def test_the_templates_are_plain_text_without_a_carriage_return() -> None:
    names = {path.name for path in TEMPLATES.iterdir()}
    assert names == {*PARSERS, "knowledge_README.md"}
    assert all("\r" not in path.read_text(encoding="utf-8") for path in TEMPLATES.iterdir())
