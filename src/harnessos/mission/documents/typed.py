"""mission.yaml: a whole mission as one typed document, from which the four Markdown documents are rendered.

A check is `python: CODE`, `sh: SCRIPT`, or a declared one as in a ```` ```check ```` block (mission/checks.py).
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator

from harnessos.documents.shapes import Line, Name, shape_problems
from harnessos.documents.tree import Loaded, line_of, split_problem
from harnessos.mission.documents.checks import KINDS, Rule, read_rule
from harnessos.mission.documents.cron_config import (
    DEFAULT_CRON,
    DEFAULT_DREAM_CRON,
    MOST_INTERVAL_S,
    is_instant,
    is_zone,
)
from harnessos.mission.documents.playbook import HOST
from harnessos.mission.documents.problems import Parsed, Problem

FILE = "mission.yaml"
_EVERY = re.compile(r"([1-9][0-9]{0,8})\s*(s|m|h|d)?")
_UNITS = {None: 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_ID = r"^[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?(?: [A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?){0,2}$"
_NUMBER = r"^[0-9]{1,6}(?:\.[0-9]{1,6}){0,5}$"
_CHECK_SCHEMA: dict[str, Any] = {  # a JSON Schema is plain JSON
    "type": "object",
    "description": f"python: CODE, or sh: SCRIPT, or kind: one of {', '.join(KINDS)} with its fields",
}


def _clean(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _no_slot(text: str) -> str:
    if text.startswith("[") or text.lower() in ("-", "none", "never", "empty", "n/a", "\u2014"):
        raise ValueError("is no value that cron_config.md can hold")
    return text


def _zone(text: str) -> str:
    if not is_zone(text):
        raise ValueError(f"{text!r} is no time zone of the IANA list, such as Europe/Berlin or UTC")
    return text


def _instant(text: str) -> str:
    if not is_instant(text):
        raise ValueError("must be a time like 2030-12-31 23:59:59")
    return text


def every_seconds(text: str) -> int:
    """Return the seconds of `90s`, `5m`, `2h`, `1d` or `7200`; ValueError for anything else, or less than 60."""
    match = _EVERY.fullmatch(text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 60 <= seconds <= MOST_INTERVAL_S:
        raise ValueError("must be an interval such as 5m, 2h or 1d, of at least 60 seconds")
    return seconds


def _every(text: str) -> str:
    every_seconds(text)
    return text


def _check(value: object) -> object:
    check_of(value)
    return value


Prose = Annotated[str, Field(pattern=r"\S"), AfterValidator(_clean)]
Text = Annotated[Line, AfterValidator(_clean)]
Rhythm = Annotated[Line, AfterValidator(_no_slot)]
Check = Annotated[Any, AfterValidator(_check), WithJsonSchema(_CHECK_SCHEMA)]  # read by checks.py, which names problems


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ConditionShape(_Shape):
    """One condition, with the checks that judge it: after every run, by a claim of `step`, or at completion."""

    id: Annotated[str, Field(pattern=_ID, max_length=60)]
    condition: Prose
    verification: Prose | None = None
    mandatory: bool = True
    step: Annotated[str, Field(pattern=_NUMBER)] | None = None
    completion: bool = False
    checks: list[Check] = []

    @model_validator(mode="after")
    def _whole(self) -> ConditionShape:
        if self.step is not None and self.completion:
            raise ValueError("applies to a step or to completion, not to both")
        if not self.checks and (self.mandatory or self.step is not None or self.completion):
            raise ValueError("needs at least one check in `checks`")
        return self


class StepShape(_Shape):
    """One step of the playbook; without a number it has that of its place."""

    number: Annotated[str, Field(pattern=_NUMBER)] | None = None
    title: Text
    what: Prose
    tools: list[Text] = []
    completion: Prose
    failure: Prose


class ToolShape(_Shape):
    """Something the agent perceives or acts with; exactly one of `command` and `host_tool`."""

    name: Text
    role: Literal["sense", "effector"]
    command: Text | None = None
    host_tool: Text | None = None
    probe: Text | None = None
    required: bool = True

    @model_validator(mode="after")
    def _one(self) -> ToolShape:
        if (self.command is None) == (self.host_tool is None):
            raise ValueError("needs either command or host_tool")
        if self.command is not None and HOST.fullmatch(self.command):
            raise ValueError("a tool of the host stands in host_tool")
        if self.probe == "-":
            raise ValueError("leave the probe out where there is none")
        return self


class ScheduleShape(_Shape):
    """When it runs: `cron` or `every`, default every two hours."""

    cron: Rhythm | None = None
    every: Annotated[str, AfterValidator(_every)] | None = None
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    repeat: bool = True
    expire: Annotated[str, AfterValidator(_instant)] | None = None
    dream: Rhythm = DEFAULT_DREAM_CRON

    @model_validator(mode="after")
    def _one(self) -> ScheduleShape:
        if self.cron is not None and self.every is not None:
            raise ValueError("needs cron or every, not both")
        return self

    @property
    def rule(self) -> tuple[str, int | None]:
        """The cron expression (empty with an interval), and the seconds of an interval."""
        if self.every is not None:
            return "", every_seconds(self.every)
        return self.cron or DEFAULT_CRON, None


class LimitsShape(_Shape):
    """How many failures in a row trip the breaker, and how long a run may take."""

    max_failures: Annotated[int, Field(ge=1, le=1000)] = 3
    run_minutes: Annotated[int, Field(ge=1, le=10_080)] = 120


class MissionSpec(_Shape):
    """A mission as one document."""

    name: Name
    objective: Prose
    conditions: Annotated[list[ConditionShape], Field(min_length=1, max_length=200)]
    steps: Annotated[list[StepShape], Field(min_length=1, max_length=200)]
    tools: list[ToolShape] = []
    boundaries: list[Prose] = []
    cycle: Prose | None = None
    outputs: list[Prose] = []
    schedule: ScheduleShape = ScheduleShape()
    limits: LimitsShape = LimitsShape()
    prompt: Prose | None = None
    runner: Line | None = None

    @model_validator(mode="after")
    def _consistent(self) -> MissionSpec:
        _once("condition id", [one.id.casefold() for one in self.conditions])
        _once("step number", self.numbers)
        _once("tool name", [one.name for one in self.tools])
        if not any(one.checks for one in self.conditions):
            raise ValueError("at least one condition needs a check")
        for one in self.conditions:
            if one.step is not None and one.step not in self.numbers:
                raise ValueError(f"the condition {one.id!r} names step {one.step}, which is not there")
        return self

    @property
    def numbers(self) -> list[str]:
        """The numbers of the steps, in order."""
        return [step.number or str(at) for at, step in enumerate(self.steps, 1)]


def _once(what: str, values: list[str]) -> None:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"the {what} {twice[0]!r} stands there more than once")


def check_of(value: object) -> tuple[str, str | Rule]:
    """Return (`python` or `sh`, its body) or (`check`, its rule); ValueError says what is wrong with a check."""
    if isinstance(value, dict) and len(value) == 1:
        language, body = next(iter(value.items()))
        if language in ("python", "sh"):
            if not isinstance(body, str) or not body.strip() or "\0" in body:
                raise ValueError(f"{language}: must be text that does something")
            return language, body.replace("\r\n", "\n").replace("\r", "\n").strip("\n") + "\n"
    problems: list[str] = []
    rule = read_rule(value, "", problems)
    if rule is None:
        raise ValueError("; ".join(problem.removeprefix(".") for problem in problems))
    return "check", rule


_KNOWN = {
    "": MissionSpec.model_fields,
    "conditions": ConditionShape.model_fields,
    "steps": StepShape.model_fields,
    "tools": ToolShape.model_fields,
    "schedule": ScheduleShape.model_fields,
    "limits": LimitsShape.model_fields,
}


def parse_spec(loaded: Loaded, file: str = FILE) -> Parsed[MissionSpec]:
    """Check a document that was loaded (documents.reading.load_document, documents.yamltext.load_yaml)."""
    found = loaded.problems
    if not found:
        try:
            return Parsed(MissionSpec.model_validate(loaded.tree))
        except ValidationError as error:
            found = shape_problems(error, "", _KNOWN)
    placed = [split_problem(loaded.tree, f"{one.where}: {one.sentence}") if one.where else one for one in found]
    return Parsed(
        None,
        tuple(
            Problem(file, one.line or line_of(loaded.tree, one.where) or 1, f"{one.where}: {one.sentence}".lstrip(": "))
            for one in placed
        ),
    )


def schema() -> dict[str, object]:
    """Return the published JSON Schema of mission.yaml, draft 2020-12; what refers to what is checked beyond it."""
    made = MissionSpec.model_json_schema(ref_template="#/$defs/{model}")
    headed = {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "HarnessOS mission"}
    return cast("dict[str, object]", json.loads(json.dumps(headed).replace("Shape", "")))


def schema_text() -> str:
    """Return the schema as the file in `docs/schemas` has it."""
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"
