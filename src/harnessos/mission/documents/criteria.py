"""eval_criteria.md: standards, each a heading, and the fenced blocks below it that are their checks.

The heading starts with the id the condition has in mission.md (`### Standard 1: ...`, `## C1: ...`), and may carry
marks anywhere, in brackets or after the title: `(Optional)`, `[Step: 3]`, `(Applies: completion)`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from harnessos.mission.documents.checks import Rule, read_rules
from harnessos.mission.documents.markdown import Fence, Section, parse_markdown
from harnessos.mission.documents.problems import Parsed, Problem

if TYPE_CHECKING:
    from harnessos.mission.documents.contract import Contract

FILE = "eval_criteria.md"
LONGEST_HEADING = 500
"""Characters of a heading that are read; longer ones are cut."""

Language = Literal["python", "sh", "check"]

_LANGUAGES = frozenset(("python", "sh", "check"))
_MISNAMED = {"py": "python", "python3": "python", "bash": "sh", "shell": "sh", "zsh": "sh", "checks": "check"}
_COLON = re.compile(r"(?P<id>[^:\uff1a]{1,80}?)\s*[:\uff1a]\s*(?P<title>.*)", re.DOTALL)
_DASHED = re.compile(r"(?P<id>\S{1,80}(?:\s\S+){0,3}?)\s+[\u2013\u2014-]\s+(?P<title>.*)", re.DOTALL)
_WORDS = re.compile(r"(?P<id>(?:[^\W\d_]+\s+)?[\w.-]*\d[\w.]*)\s+(?P<title>.*)", re.DOTALL)
_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_STEP = re.compile(r"step\s*[:=\uff1a]\s*(?:step\s+)?(.*)", re.IGNORECASE | re.DOTALL)
_APPLIES = re.compile(r"applies\s*[:=\uff1a]\s*(.*)", re.IGNORECASE | re.DOTALL)
_LOOSE = re.compile(
    r"[\s,;|\u2013\u2014-]*\b(step\s*:\s*[0-9]+(?:\.[0-9]+)*|applies\s*:\s*completion)(?![\w.])", re.IGNORECASE
)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)*")


class Check(NamedTuple):
    """One check. `body` is the snippet or the YAML, `rule` its meaning in a `check` block and None for the others.

    `line` is that of the body's first line, of the mapping in a list of a `check` block. `name` is unique in the file.
    """

    name: str
    language: Language
    body: str
    line: int
    rule: Rule | None = None


class Standard(NamedTuple):
    """What one condition is judged by: in every run, or by the claim of `step`, or (`completion`) at the end."""

    id: str
    title: str
    mandatory: bool
    step: str | None
    completion: bool
    line: int
    checks: tuple[Check, ...]


class Criteria(NamedTuple):
    """What eval_criteria.md says."""

    standards: tuple[Standard, ...]


def parse_criteria(text: str, file: str = FILE) -> Parsed[Criteria]:
    """Read eval_criteria.md. Needed: at least one standard; ids once; every check readable."""
    root = parse_markdown(text, file)
    reader = _Reader(file)
    reader.read(root)
    if not reader.found and not reader.problems:
        reader.say(1, "no standard: write headings like `### Standard 1: what must hold`, each with its checks")
    return Parsed(Criteria(tuple(reader.found)), tuple(sorted(reader.problems)))


def mandatory(criteria: Criteria, contract: Contract) -> frozenset[str]:
    """Return the ids of the standards that must hold: Optional in either document makes a standard optional."""
    optional = {condition.id.casefold() for condition in contract.conditions if not condition.mandatory}
    return frozenset(one.id for one in criteria.standards if one.mandatory and one.id.casefold() not in optional)


def unjudged(criteria: Criteria, contract: Contract) -> tuple[str, ...]:
    """Return the ids of the mandatory conditions that no check judges; a standard that is optional lets its condition off."""
    judged = {one.id.casefold() for one in criteria.standards if one.checks or not one.mandatory}
    return tuple(one.id for one in contract.conditions if one.mandatory and one.id.casefold() not in judged)


class _Heading(NamedTuple):
    id: str
    title: str
    mandatory: bool
    step: str | None
    completion: bool
    marked: bool
    certain: bool  # it is a standard even without a check: its id has a digit, or it carries a mark
    problems: tuple[str, ...]


class _Reader:
    def __init__(self, file: str) -> None:
        self.found: list[Standard] = []
        self.problems: list[Problem] = []
        self._file = file
        self._lines: dict[str, int] = {}

    def say(self, line: int, text: str) -> None:
        self.problems.append(Problem(self._file, line, text))

    def read(self, root: Section) -> None:
        for fence in self._checks(root):
            self.say(fence.line, "this check stands below no heading: give it one that names its standard")
        for child in root.children:
            self._section(child)

    def _section(self, section: Section) -> None:
        heading = read_heading(section.title)
        fences = self._checks(section)
        is_title = section.level == 1 and (not heading.certain or bool(section.children and not fences))
        if is_title or not (fences or heading.certain):
            for fence in fences:
                self.say(fence.line, f"this check stands below the title {section.title!r}, which is no standard")
            for child in section.children:
                self._section(child)
            return
        others: list[Section] = []
        self._belonging(section, fences, others)
        self._standard(section, heading, fences)
        for child in others:
            self._section(child)

    def _belonging(self, section: Section, fences: list[Fence], others: list[Section]) -> None:
        """Take the checks below sub-headings that are no standards of their own."""
        for child in section.children:
            heading = read_heading(child.title)
            if heading.certain and (heading.title or heading.marked):
                others.append(child)
            else:
                fences.extend(self._checks(child))
                self._belonging(child, fences, others)

    def _checks(self, section: Section) -> list[Fence]:
        found = []
        for block in section.blocks:
            if not isinstance(block, Fence):
                continue
            if not block.closed:
                self.say(block.line, "this block is not closed: it runs to the end of the document")
            if block.word in _LANGUAGES:
                found.append(block)
            elif block.word in _MISNAMED:
                self.say(block.line, f"a block `{block.word}` is no check: write `{_MISNAMED[block.word]}`")
        return found

    def _standard(self, section: Section, heading: _Heading, fences: list[Fence]) -> None:
        for problem in heading.problems:
            self.say(section.line, problem)
        earlier = self._lines.setdefault(heading.id.casefold(), section.line)
        if earlier != section.line:
            self.say(section.line, f"the standard {heading.id!r} stands in line {earlier} already")
            return
        checks: list[Check] = []
        for fence in fences:
            checks.extend(self._read(fence))
        named = tuple(one._replace(name=_name(heading.id, at)) for at, one in enumerate(checks, 1))
        self.found.append(
            Standard(
                heading.id, heading.title, heading.mandatory, heading.step, heading.completion, section.line, named
            )
        )

    def _read(self, fence: Fence) -> list[Check]:
        language = cast("Language", fence.word)
        if not fence.body.strip():
            self.say(fence.line, "this block is empty")
            return []
        if language != "check":
            return [Check("", language, fence.body, fence.body_line)]
        rules, problems = read_rules(fence.body, fence.body_line)
        for line, text in problems:
            self.say(line, text)
        return [Check("", language, fence.body, one.line, one.rule) for one in rules if one.rule is not None]


def _name(standard: str, number: int) -> str:
    return standard if number == 1 else f"{standard} #{number}"


def read_heading(words: str) -> _Heading:
    """Take a heading apart: the id, the title without marks, and what the marks say."""
    marks: list[str] = []

    def bracket(match: re.Match[str]) -> str:
        parts = [part.strip() for part in re.split(r"[,;]", match[1])]
        if not parts or not all(_is_mark(part) for part in parts):
            return match[0]
        marks.extend(parts)
        return " "

    def loose(match: re.Match[str]) -> str:
        marks.append(match[1])
        return " "

    words = " ".join(words[:LONGEST_HEADING].split())
    bare = " ".join(_LOOSE.sub(loose, _BRACKETS.sub(bracket, words)).split()).strip("*_ ")
    found = _COLON.fullmatch(bare) or _DASHED.fullmatch(bare) or _WORDS.fullmatch(bare)
    name = found["id"].strip("*_` ") if found else bare
    title = found["title"].strip("*_ ") if found else ""
    certain = bool(marks) or (re.search(r"\d", name) is not None and len(name.split()) <= 3)
    return _marked(_Heading(name, title, True, None, False, bool(marks), certain, ()), marks)


def _is_mark(part: str) -> bool:
    return part.lower() in ("optional", "mandatory") or bool(_STEP.fullmatch(part) or _APPLIES.fullmatch(part))


def _marked(heading: _Heading, marks: list[str]) -> _Heading:
    problems: list[str] = []
    for mark in marks:
        if mark.lower() in ("optional", "mandatory"):
            heading = heading._replace(mandatory=heading.mandatory and mark.lower() == "mandatory")
        elif step := _STEP.fullmatch(mark):
            number = step[1].strip()
            if not _NUMBER.fullmatch(number):
                problems.append(f"`Step: {number}` must name the number of a step, such as `Step: 3`")
            elif heading.step not in (None, number):
                problems.append(f"names two steps, {heading.step} and {number}: write two standards")
            else:
                heading = heading._replace(step=number)
        elif applies := _APPLIES.fullmatch(mark):
            if applies[1].strip().lower() != "completion":
                problems.append(f"`Applies: {applies[1].strip()}` must be `Applies: completion`")
            else:
                heading = heading._replace(completion=True)
    if heading.completion and heading.step is not None:
        problems.append("applies to a step or to completion, not to both")
    if not heading.id:
        problems.append("this standard has no id: begin the heading with the one from mission.md")
    return heading._replace(problems=tuple(problems))
