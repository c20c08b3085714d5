"""What is allowed in a mission's documents and yet rarely meant: warnings, shown by lint and at every boot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.mission.documents import contract as contracts
from harnessos.mission.documents import criteria as judging
from harnessos.mission.documents import playbook as playbooks
from harnessos.mission.documents.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harnessos.mission.documents.contract import Contract
    from harnessos.mission.documents.criteria import Criteria
    from harnessos.mission.documents.playbook import Playbook

MOST_TOOLS = 10


def lint(contract: Contract, playbook: Playbook, criteria: Criteria) -> tuple[Problem, ...]:
    """Return every finding, by document and line."""
    found = [
        *_conditions(contract, criteria),
        *_steps(playbook),
        *_tools(playbook),
        *_standards(contract, playbook, criteria),
    ]
    return tuple(sorted(found))


def _conditions(contract: Contract, criteria: Criteria) -> Iterator[Problem]:
    standards = {standard.id.casefold(): standard for standard in criteria.standards}
    for condition in contract.conditions:
        standard = standards.get(condition.id.casefold())
        if not condition.mandatory:
            continue
        if standard is None:
            text = f"the mandatory condition {condition.id!r} has no standard in eval_criteria.md, so nothing judges it"
            yield Problem(contracts.FILE, condition.line, text)
        elif not standard.checks:
            text = f"the standard {standard.id!r} has no check (a block python, sh or check), so it cannot be verified"
            yield Problem(judging.FILE, standard.line, text)
        elif not standard.mandatory:
            text = f"the standard {standard.id!r} is optional here and mandatory in mission.md: it counts as optional"
            yield Problem(judging.FILE, standard.line, text)


def _steps(playbook: Playbook) -> Iterator[Problem]:
    for step in playbook.steps:
        if any(other.number.startswith(step.number + ".") for other in playbook.steps):
            continue
        if not step.completion.strip():
            yield Problem(playbooks.FILE, step.line, f"step {step.number} has no completion criteria")
        if not step.failure.strip():
            yield Problem(playbooks.FILE, step.line, f"step {step.number} has no failure handling")


def _tools(playbook: Playbook) -> Iterator[Problem]:
    """Count the table of tools, or where there is none the names that the steps give."""
    names = [tool.name for tool in playbook.tools] or list(
        dict.fromkeys(name for step in playbook.steps for name in step.tools)
    )
    if len(names) > MOST_TOOLS:
        line = playbook.tools[MOST_TOOLS].line if playbook.tools else 1
        text = f"{len(names)} tools, more than {MOST_TOOLS}: an agent with many tools takes the wrong one"
        yield Problem(playbooks.FILE, line, text)


def _standards(contract: Contract, playbook: Playbook, criteria: Criteria) -> Iterator[Problem]:
    conditions = {condition.id.casefold() for condition in contract.conditions}
    steps = {step.number for step in playbook.steps}
    for standard in criteria.standards:
        if standard.step is not None and standard.step not in steps:
            text = f"the standard {standard.id!r} belongs to step {standard.step}, which playbook.md does not have"
            yield Problem(judging.FILE, standard.line, text)
        if standard.id.casefold() not in conditions:
            text = f"the standard {standard.id!r} belongs to no condition of mission.md; it is judged all the same"
            yield Problem(judging.FILE, standard.line, text)
    judged = [standard for standard in criteria.standards if standard.checks]
    if len(steps) > 1 and judged and all(one.step is None and not one.completion for one in judged):
        text = (
            "every check is judged after each run, though the playbook has several steps: mark the ones that only hold "
            "later with `(Step: N)` or `(Applies: completion)`"
        )
        yield Problem(judging.FILE, judged[0].line, text)
