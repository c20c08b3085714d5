"""Gates: what the harness itself checks before it believes that work is done, as values.

Document keys are the field names, with `in` for `where`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple

from harnessos.model.fields import Fields
from harnessos.model.jsonschema import schema_problems
from harnessos.model.scorecard import LEAST

DEFAULT_TIMEOUT_S = 600
LONGEST_TIMEOUT_S = 24 * 3600
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class GateKind(Enum):
    """What a gate looks at."""

    COMMAND = "command"
    TESTS = "tests"
    FILE = "file"
    DIFF = "diff"
    APPROVAL = "approval"
    SCORECARD = "scorecard"


class Place(Enum):
    """Where a gate runs: a clean checkout of the commit, or the run's own worktree."""

    CHECKOUT = "checkout"
    WORKTREE = "worktree"


class ReportFormat(Enum):
    """How a `tests` gate counts: `pytest` reads the closing summary in the output (also unittest's and similar)."""

    JUNIT = "junit"
    TAP = "tap"
    PYTEST = "pytest"


class Pattern(NamedTuple):
    """A regular expression (multi-line mode) and how often it must be found; `max_count` None is unbounded.

    In a document `min_count` is 1, or 0 when only `max_count` is written (`max_count: 0` forbids the words).
    """

    regex: str
    min_count: int = 1
    max_count: int | None = None


class Gate(NamedTuple):
    """One check. Sizes are bytes, times seconds, paths relative to the repository's root.

    Exactly one of `argv` and `shell` is set for command and tests; the fields of other kinds keep their default.
    """

    name: str
    kind: GateKind
    required: bool = True
    argv: tuple[str, ...] | None = None
    shell: str | None = None
    timeout_s: int = DEFAULT_TIMEOUT_S
    expected_exit: int = 0
    where: Place = Place.CHECKOUT
    report: str | None = None
    format: ReportFormat = ReportFormat.PYTEST
    min_tests: int = 1
    path: str | None = None
    min_size: int = 1
    max_size: int | None = None
    schema: Mapping[str, object] | None = None
    patterns: tuple[Pattern, ...] = ()
    allowed: tuple[str, ...] = ()
    non_empty: bool = True
    question: str | None = None
    who: tuple[str, ...] = ()
    target: int = LEAST
    protect: tuple[str, ...] = ()

    @property
    def runs_command(self) -> bool:
        """Whether this gate starts a program."""
        return self.kind in (GateKind.COMMAND, GateKind.TESTS)

    def as_document(self) -> dict[str, object]:
        """Return the document that `parse_gate` reads back as this gate, defaults left out."""
        document: dict[str, object] = {"name": self.name, "kind": self.kind.value}
        defaults = Gate._field_defaults | ({"format": ReportFormat.JUNIT} if self.report is not None else {})
        for field, default in defaults.items():
            value = getattr(self, field)
            if value != default:
                document["in" if field == "where" else field] = _plain(value)
        return document


def _plain(value: object) -> object:
    match value:
        case Enum():
            return value.value
        case Pattern():
            return {key: item for key, item in value._asdict().items() if item is not None}
        case tuple():
            return [_plain(item) for item in value]
        case _:
            return value


_EVERY = frozenset({"name", "kind", "required", "protect"})
_RUN = frozenset({"argv", "shell", "timeout_s", "expected_exit", "in"})
_FIELDS: dict[GateKind, frozenset[str]] = {
    GateKind.COMMAND: _EVERY | _RUN,
    GateKind.TESTS: _EVERY | _RUN | {"report", "format", "min_tests"},
    GateKind.FILE: _EVERY | {"in", "path", "min_size", "max_size", "schema", "patterns"},
    GateKind.DIFF: _EVERY | {"allowed", "non_empty"},
    GateKind.APPROVAL: _EVERY | {"question", "who"},
    GateKind.SCORECARD: _EVERY | {"target"},
}


def parse_gate(value: object, where: str, problems: list[str]) -> Gate | None:
    """Read one gate; a plain string is a shell command named after its words.

    Every problem is appended as `path: sentence`; with any, the answer is None.
    """
    if isinstance(value, str):
        if not value.strip():
            problems.append(f"{where}: the command is empty")
            return None
        return Gate(name=_name_of(value), kind=GateKind.COMMAND, shell=value)
    fields = Fields.of(value, where, problems, expected="a gate (an object, or a command as text)")
    if fields is None:
        return None
    before = len(problems)
    kind = fields.choice("kind", GateKind, GateKind.COMMAND)
    if fields.failed("kind"):
        return None  # which fields it may have is unknown, so every other complaint would be a guess
    fields.only(_FIELDS[kind], f"for a gate of kind {kind.value}")
    name = fields.text("name") or ""
    if not fields.failed("name") and not NAME.fullmatch(name):
        fields.problem("name", "must be 1 to 64 of letters, digits, dot, underscore, hyphen")
    gate = Gate(
        name=name, kind=kind, required=fields.flag("required", True), protect=fields.texts("protect", paths=True)
    )
    gate = _READERS[kind](gate, fields)
    return gate if len(problems) == before else None


def parse_gates(value: object, where: str, problems: list[str]) -> tuple[Gate, ...]:
    """Read a list of gates (None is an empty list) and refuse two of one name."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        problems.append(f"{where}: must be a list of gates")
        return ()
    gates: list[Gate] = []
    for index, item in enumerate(value):
        gate = parse_gate(item, f"{where}[{index}]", problems)
        if gate is None:
            continue
        if any(other.name == gate.name for other in gates):
            problems.append(f"{where}[{index}].name: another gate is named {gate.name!r} already")
        gates.append(gate)
    return tuple(gates)


def _name_of(command: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", command).strip("-.")[:64] or "command"


def _read_command(gate: Gate, fields: Fields) -> Gate:
    argv = fields.texts("argv") or None
    shell = fields.text("shell", needed=False)
    if ("argv" in fields) == ("shell" in fields):
        fields.problem("", "needs exactly one of argv (a list of words) and shell (a command line)")
    elif "argv" in fields and not (argv and argv[0].strip()) and not fields.failed("argv"):
        fields.problem("argv", "must name a program")
    elif shell is not None and not shell.strip():
        fields.problem("shell", "the command is empty")
    return gate._replace(
        argv=argv,
        shell=shell,
        timeout_s=fields.number("timeout_s", DEFAULT_TIMEOUT_S, low=1, high=LONGEST_TIMEOUT_S),
        expected_exit=fields.number("expected_exit", 0, low=0, high=255),
        where=fields.choice("in", Place, Place.CHECKOUT),
    )


def _read_tests(gate: Gate, fields: Fields) -> Gate:
    gate = _read_command(gate, fields)
    report = fields.path("report", needed=False)
    form = fields.choice("format", ReportFormat, ReportFormat.PYTEST if report is None else ReportFormat.JUNIT)
    if form is ReportFormat.JUNIT and "report" not in fields:
        fields.problem("format", "junit needs `report`, the path of the XML file the command writes")
    if form is ReportFormat.PYTEST and "report" in fields:
        fields.problem("format", "pytest reads the output, take `report` away or say junit or tap")
    return gate._replace(report=report, format=form, min_tests=fields.number("min_tests", 1, low=1))


def _read_file(gate: Gate, fields: Fields) -> Gate:
    smallest = fields.number("min_size", 1, low=0)
    largest = fields.number("max_size", None, low=0)
    if largest is not None and largest < smallest:
        fields.problem("max_size", "is smaller than min_size")
    schema = fields.get("schema")
    if "schema" in fields:
        fields.extend(schema_problems(schema, f"{fields.where}.schema"))
    return gate._replace(
        where=fields.choice("in", Place, Place.CHECKOUT),
        path=fields.path("path"),
        min_size=smallest,
        max_size=largest,
        schema=schema if isinstance(schema, Mapping) else None,
        patterns=tuple(_read_patterns(fields.objects("patterns"))),
    )


def _read_patterns(entries: Iterable[Fields]) -> Iterable[Pattern]:
    for entry in entries:
        entry.only(frozenset(Pattern._fields), "in a pattern")
        regex = entry.text("regex") or ""
        complaint = _regex_problem(regex)
        if complaint:
            entry.problem("regex", complaint)
        most = entry.number("max_count", None, low=0)
        least = entry.number("min_count", 0 if "max_count" in entry else 1, low=0)
        if most is not None and most < least:
            entry.problem("max_count", "is smaller than min_count")
        yield Pattern(regex, least, most)


def _regex_problem(regex: str) -> str:
    if len(regex) > 1000:
        return "is longer than 1,000 characters"
    try:
        re.compile(regex, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as broken:
        return f"is no regular expression: {broken}"
    return ""


def _read_diff(gate: Gate, fields: Fields) -> Gate:
    return gate._replace(allowed=fields.texts("allowed", paths=True), non_empty=fields.flag("non_empty", True))


def _read_approval(gate: Gate, fields: Fields) -> Gate:
    return gate._replace(question=fields.text("question"), who=fields.texts("who"))


def _read_scorecard(gate: Gate, fields: Fields) -> Gate:
    return gate._replace(target=fields.number("target", LEAST, low=1, high=10))


_READERS = {
    GateKind.COMMAND: _read_command,
    GateKind.TESTS: _read_tests,
    GateKind.FILE: _read_file,
    GateKind.DIFF: _read_diff,
    GateKind.APPROVAL: _read_approval,
    GateKind.SCORECARD: _read_scorecard,
}
