"""The declarative checks of a ```` ```check ```` block: YAML, one mapping or a list of them, read strictly.

`kind: file` (or `type: file`) with its fields beside it, or `file: {...}`, or `file: output/report.md` with the other fields beside it.
Paths are relative to the workspace, with `/`, and never leave it. Patterns are Python's, in multi-line mode. Ages and
time limits are `90s`, `5m`, `24h`, `7d` or whole seconds.

| kind | fields |
|---|---|
| file | path; exists (true), min_bytes, max_bytes |
| json_schema | path; schema (a mapping) or schema_file |
| count | path; min, max (one at least); pattern: with it its matches in the file count, else files matching the glob |
| regex | path, pattern; present (true) |
| freshness | path, max_age |
| command | run (a shell line); exit (0), timeout |
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from typing import NamedTuple

from harnessos.documents.tree import Marked, split_problem
from harnessos.model.fields import Fields
from harnessos.model.jsonschema import schema_problems

_AGE = re.compile(r"([1-9]\d{0,8})\s*(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
LONGEST_TIMEOUT_S = 3600


class FileRule(NamedTuple):
    """A file is there (or, with `exists` False, is not) and its size in bytes lies within the limits."""

    path: str
    exists: bool = True
    min_bytes: int | None = None
    max_bytes: int | None = None


class SchemaRule(NamedTuple):
    """A JSON file conforms to a JSON Schema: `schema` itself, or the one in `schema_file`; the other is None."""

    path: str
    schema: Mapping[str, object] | None = None
    schema_file: str | None = None


class CountRule(NamedTuple):
    """How many files match the glob `path`, or how often `pattern` matches in the file `path`."""

    path: str
    pattern: str | None = None
    min: int | None = None
    max: int | None = None


class RegexRule(NamedTuple):
    """A pattern is found in a file, or is not."""

    path: str
    pattern: str
    present: bool = True


class FreshnessRule(NamedTuple):
    """A file was written at most so many seconds ago."""

    path: str
    max_age_s: int


class CommandRule(NamedTuple):
    """A shell line ends with an exit code; `timeout_s` None is the limit of every check."""

    run: str
    exit: int = 0
    timeout_s: int | None = None


Rule = FileRule | SchemaRule | CountRule | RegexRule | FreshnessRule | CommandRule


class ReadRule(NamedTuple):
    """One check of a block and its line; the rule is None where it could not be read."""

    line: int
    rule: Rule | None


def read_rules(body: str, first_line: int) -> tuple[list[ReadRule], list[tuple[int, str]]]:
    """Read the body of a block whose first line is `first_line`: the checks, and (line, sentence) of every problem."""
    from harnessos.documents.yamltext import load_yaml

    tree, found = load_yaml(body, first_line=first_line)
    if found:
        return [], [
            (one.line or first_line, f"{one.where}: {one.sentence}" if one.where else one.sentence) for one in found
        ]
    entries = tree if isinstance(tree, list) else [tree]
    if not entries or tree is None:
        return [], [(first_line, "this block is empty")]
    rules: list[ReadRule] = []
    problems: list[tuple[int, str]] = []
    for index, entry in enumerate(entries):
        where = f"[{index}]" if isinstance(tree, list) else ""
        said: list[str] = []
        rule = read_rule(entry, where, said)
        for text in said:
            problem = split_problem(tree, text.removeprefix("."))
            sentence = f"{problem.where}: {problem.sentence}" if problem.where else problem.sentence
            problems.append((problem.line or first_line, sentence))
        rules.append(ReadRule(entry.line if isinstance(entry, Marked) else first_line, rule))
    return rules, problems


def read_rule(entry: object, where: str, problems: list[str]) -> Rule | None:
    """Read one check from a tree; what is wrong goes to `problems` as `path: sentence`."""
    before = len(problems)
    if not isinstance(entry, Mapping) or not all(isinstance(key, str) for key in entry):
        problems.append(f"{where or 'check'}: must be a mapping such as `kind: file` and `path: output/report.md`")
        return None
    kind, values, place = _kind(entry, where, problems)
    if kind is None:
        return None
    _, known, read = _KINDS[kind]
    fields = Fields(values, place, problems)
    fields.only(known, f"of {kind}")
    rule = read(fields)
    return rule if len(problems) == before else None


def _kind(entry: Mapping[str, object], where: str, problems: list[str]) -> tuple[str | None, Mapping[str, object], str]:
    """Return the kind, its fields, and where they stand, for each of the three ways to write a check."""
    named = [key for key in entry if key in _KINDS]
    word = next((key for key in ("kind", "type") if key in entry), None)
    if word is not None:
        kind = entry[word]
        if not isinstance(kind, str) or kind not in _KINDS:
            problems.append(f"{where}.{word}: must be one of {', '.join(_KINDS)}, not {kind!r}")
            return None, {}, where
        return kind, {key: value for key, value in entry.items() if key != word}, where
    if len(named) != 1:
        said = f"names more than one kind ({', '.join(named)}): make it a list" if named else "has no kind"
        problems.append(f"{where or 'check'}: {said}; known are {', '.join(_KINDS)}")
        return None, {}, where
    kind = named[0]
    inner = entry[kind]
    rest = {key: value for key, value in entry.items() if key != kind}
    if isinstance(inner, Mapping) and not rest:
        return kind, inner, f"{where}.{kind}"
    if isinstance(inner, str):
        return kind, {"run" if kind == "command" else "path": inner, **rest}, where
    problems.append(
        f"{where}.{kind}: must be a mapping of all fields, or the {'line' if kind == 'command' else 'path'}"
    )
    return None, {}, where


def _path(fields: Fields, key: str = "path", *, needed: bool = True) -> str:
    text = fields.text(key, needed=needed)
    if text is None:
        return ""
    if text.startswith(("/", "~")) or "\\" in text or re.match(r"[A-Za-z]:", text):
        fields.problem(key, "must be relative to the workspace, with forward slashes")
    elif any(part in ("", ".", "..") for part in text.removesuffix("/").split("/")):
        fields.problem(key, "must not have empty, `.` or `..` parts")
    return text


def _pattern(fields: Fields, *, needed: bool) -> str | None:
    text = fields.text("pattern", needed=needed)
    if text is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(text, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        fields.problem("pattern", f"is no regular expression: {error}")
    return text


def _seconds(fields: Fields, key: str, *, needed: bool) -> int | None:
    if key not in fields:
        if needed:
            fields.problem(key, "is missing")
        return None
    value = fields.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**9:
        return value
    match = _AGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        fields.problem(key, "must be an age such as 90s, 5m, 24h or 7d")
        return None
    return int(match[1]) * _SECONDS[match[2]]


def _bounds(fields: Fields, low: str, high: str) -> tuple[int | None, int | None]:
    least, most = fields.number(low, None, low=0), fields.number(high, None, low=0)
    if least is not None and most is not None and least > most:
        fields.problem(high, f"must not be less than {low}")
    return least, most


def _file(fields: Fields) -> Rule:
    exists = fields.flag("exists", True)
    least, most = _bounds(fields, "min_bytes", "max_bytes")
    if not exists and (least is not None or most is not None):
        fields.problem("exists", "a file that must not exist has no size")
    return FileRule(_path(fields), exists, least, most)


def _schema(fields: Fields) -> Rule:
    if ("schema" in fields) == ("schema_file" in fields):
        fields.problem("", "needs either schema or schema_file")
    schema = fields.get("schema")
    if "schema" in fields:
        fields.extend(schema_problems(schema, f"{fields.where}.schema"))
    file = _path(fields, "schema_file", needed=False) or None
    return SchemaRule(_path(fields), schema if isinstance(schema, Mapping) else None, file)


def _count(fields: Fields) -> Rule:
    least, most = _bounds(fields, "min", "max")
    if "min" not in fields and "max" not in fields:
        fields.problem("", "needs min, max or both")
    return CountRule(_path(fields), _pattern(fields, needed=False), least, most)


def _regex(fields: Fields) -> Rule:
    return RegexRule(_path(fields), _pattern(fields, needed=True) or "", fields.flag("present", True))


def _freshness(fields: Fields) -> Rule:
    return FreshnessRule(_path(fields), _seconds(fields, "max_age", needed=True) or 0)


def _command(fields: Fields) -> Rule:
    run = fields.text("run") or ""
    if run and not run.strip():
        fields.problem("run", "is empty")
    timeout = _seconds(fields, "timeout", needed=False)
    if timeout is not None and timeout > LONGEST_TIMEOUT_S:
        fields.problem("timeout", f"must be at most {LONGEST_TIMEOUT_S} seconds")
    return CommandRule(run, fields.number("exit", 0, low=0, high=255), timeout)


_KINDS: dict[str, tuple[type[Rule], frozenset[str], Callable[[Fields], Rule]]] = {
    "file": (FileRule, frozenset({"path", "exists", "min_bytes", "max_bytes"}), _file),
    "json_schema": (SchemaRule, frozenset({"path", "schema", "schema_file"}), _schema),
    "count": (CountRule, frozenset({"path", "pattern", "min", "max"}), _count),
    "regex": (RegexRule, frozenset({"path", "pattern", "present"}), _regex),
    "freshness": (FreshnessRule, frozenset({"path", "max_age"}), _freshness),
    "command": (CommandRule, frozenset({"run", "exit", "timeout"}), _command),
}
KINDS = tuple(_KINDS)


def kind_of(rule: Rule) -> str:
    """Return the name that a contract has for a rule's kind."""
    return next(name for name, (kind, _, _) in _KINDS.items() if isinstance(rule, kind))
