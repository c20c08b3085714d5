"""Lint warns of what is allowed and rarely meant."""

from __future__ import annotations

import pytest

from harnessos.mission.documents.contract import parse_contract
from harnessos.mission.documents.criteria import parse_criteria
from harnessos.mission.documents.lint import lint
from harnessos.mission.documents.placeholders import slots_of
from harnessos.mission.documents.playbook import parse_playbook
from harnessos.mission.documents.problems import Problem
from tests.support.mission_documents import EVAL_CRITERIA, FILLED, MISSION, PLAYBOOK
from tests.unit.test_mission_placeholders import template


def findings(mission: str = MISSION, playbook: str = PLAYBOOK, criteria: str = EVAL_CRITERIA) -> tuple[Problem, ...]:
    return lint(parse_contract(mission).sound(), parse_playbook(playbook).sound(), parse_criteria(criteria).sound())


def test_the_filled_example_has_no_finding() -> None:
    assert findings() == ()


def test_b28_the_linter_accepts_our_own_templates_once_filled() -> None:
    def filled(name: str) -> str:
        text = template(name)
        for at, slot in enumerate(sorted(slots_of(text))):
            text = text.replace(slot, f"this looks good, number {at}")
        return text

    assert findings(*(filled(name) for name in ("mission.md", "playbook.md", "eval_criteria.md"))) == ()
    assert {*FILLED} == {"mission.md", "playbook.md", "eval_criteria.md", "cron_config.md"}


def test_a_mandatory_condition_needs_a_standard_with_a_check() -> None:
    extra = MISSION.replace("| Standard 4 |", "| C9 | c | v | Mandatory |\n| C8 | c | v | Optional |\n| Standard 4 |")
    assert [(one.file, one.line) for one in findings(mission=extra)] == [("mission.md", 13)]
    without = EVAL_CRITERIA.replace("```python", "```text")
    assert [(one.file, one.line) for one in findings(criteria=without)] == [("eval_criteria.md", 10)]
    assert findings(criteria=EVAL_CRITERIA.replace("### Standard 1", "### STANDARD 1")) == ()


@pytest.mark.parametrize("label", ["Completion criteria", "Failure handling"])
def test_a_step_needs_completion_criteria_and_failure_handling(label: str) -> None:
    lines = PLAYBOOK.split("\n")
    at = next(at for at, line in enumerate(lines) if label in line)
    (found,) = findings(playbook="\n".join(lines[:at] + lines[at + 1 :]))
    assert (found.file, found.line) == ("playbook.md", 10)
    assert label.lower() in found.text


def test_a_step_of_several_parts_needs_neither() -> None:
    parted = PLAYBOOK.replace("### Step 1: Look", "### Step 1: All\n\n#### Step 1.1: Look")
    assert findings(playbook=parted) == ()


def test_more_than_ten_tools_are_too_many() -> None:
    row = "| shell | effector | `sh` | `sh -c true` | yes |\n"
    assert row in PLAYBOOK
    ten, eleven = (
        PLAYBOOK.replace(row, "".join(row.replace("shell", f"t{n}") for n in range(few))) for few in (10, 11)
    )
    assert findings(playbook=ten) == ()
    (found,) = findings(playbook=eleven)
    assert (found.line, found.text[:8]) == (16, "11 tools")
    bare = PLAYBOOK.replace(row, "").replace("use**: shell", "use**: " + ", ".join(f"t{n}" for n in range(11)))
    assert [one.text[:8] for one in findings(playbook=bare)] == ["11 tools"]


def test_a_standard_names_a_step_and_a_condition_that_exist() -> None:
    assert [one.line for one in findings(criteria=EVAL_CRITERIA.replace("[Step: 4]", "[Step: 5]"))] == [10]
    strange = EVAL_CRITERIA + "\n## C7: more (Step: 1)\n```sh\ntrue\n```\n"
    assert ["no condition of mission.md" in one.text for one in findings(criteria=strange)] == [True]


def test_several_steps_want_marked_checks() -> None:
    bare = EVAL_CRITERIA.replace(" [Step: 4]", "").replace(" (Applies: completion)", "")
    assert ["after each run" in one.text for one in findings(criteria=bare)] == [True]
    one_step = PLAYBOOK[: PLAYBOOK.index("### Step 2")]
    assert findings(playbook=one_step, criteria=bare) == ()


def test_optional_against_mandatory_is_said() -> None:
    optional = EVAL_CRITERIA.replace("### Standard 1: The", "### Standard 1 (Optional): The")
    assert ["counts as optional" in one.text for one in findings(criteria=optional)] == [True]
