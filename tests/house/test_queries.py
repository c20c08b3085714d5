"""Every SQL query has one name, the same parameters in each dialect, and a caller; none tells the time itself."""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from typing import NamedTuple

import pytest

from tests.support.python import SOURCE

SQL = SOURCE / "store" / "sql"
COMMON = "common"
DIALECTS = ("sqlite", "postgres")

_HEAD = re.compile(r"^-- name: *(\S+) *$", re.MULTILINE)
_COMMENT = re.compile(r"--[^\n]*")
_TEXT = re.compile(r"'(?:[^']|'')*'")
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")
_CLOCK = re.compile(
    r"\bnow\s*\(|\bcurrent_(?:timestamp|time|date)\b|\blocaltime|_timestamp\s*\(|\bunixepoch\s*\(|\bstrftime\s*\("
    r"|\bdatetime\s*\(|\bjulianday\s*\(|\btimeofday\s*\(",
    re.IGNORECASE,
)
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+\Z")


class Query(NamedTuple):
    """One named query of one folder; `notes` are the comments inside it."""

    folder: str
    file: str
    name: str
    text: str

    @property
    def notes(self) -> list[str]:
        """The words of its comments."""
        return [note for match in _COMMENT.findall(self.text) if (note := match.removeprefix("--").strip())]

    @property
    def code(self) -> str:
        """The statement without comments and quoted text."""
        return _TEXT.sub("''", _COMMENT.sub("", self.text))

    @property
    def parameters(self) -> frozenset[str]:
        """The names after a single colon; `::type` is a cast."""
        return frozenset(_PARAMETER.findall(self.code))


def _queries() -> list[Query]:
    found = []
    for folder in (COMMON, *DIALECTS):
        for path in sorted((SQL / folder).glob("*.sql")):
            pieces = _HEAD.split(path.read_text(encoding="utf-8"))
            found += [Query(folder, path.name, *pair) for pair in zip(pieces[1::2], pieces[2::2], strict=True)]
    return found


def _by_name() -> dict[str, dict[str, Query]]:
    names: dict[str, dict[str, Query]] = {}
    for query in _queries():
        names.setdefault(query.name, {})[query.folder] = query
    return names


def _literals() -> set[str]:
    return {
        node.value
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes(), str(path)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _asked_for() -> dict[str, str]:
    """Return the literal first argument of every `tx.method("...")`, and where it stands."""
    asked = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="tx") | ast.Attribute(attr="tx" | "_tx")),
                    args=[ast.Constant(value=str(name)), *_],
                ) if _NAME.match(name):
                    asked[name] = f"{path.relative_to(SOURCE)}:{node.lineno}"
    return asked


def test_each_name_stands_once_in_its_folder() -> None:
    counted = Counter((query.folder, query.name) for query in _queries())
    assert [key for key, count in counted.items() if count > 1] == []


def test_each_query_stands_in_the_file_of_its_noun() -> None:
    """The loader looks for `run_claim` in `run.sql` only."""
    assert [
        f"{query.folder}/{query.file} {query.name}"
        for query in _queries()
        if query.file != f"{query.name.split('_')[0]}.sql"
    ] == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_loader_finds_the_same_queries_and_parameters(dialect: str) -> None:
    loader = importlib.import_module("harnessos.store.queries")
    loaded = {name: query.parameters for name, query in loader.Queries(dialect).all().items()}
    assert loaded == {
        name: (places.get(dialect) or places[COMMON]).parameters
        for name, places in _by_name().items()
        if {dialect, COMMON} & set(places)
    }


def test_each_query_exists_for_both_dialects() -> None:
    lacking = [name for name, places in _by_name().items() if COMMON not in places and len(places) < len(DIALECTS)]
    assert lacking == []


def test_the_dialects_take_the_same_parameters() -> None:
    differing = {
        name: {folder: sorted(query.parameters) for folder, query in places.items()}
        for name, places in _by_name().items()
        if len({query.parameters for query in places.values()}) > 1
    }
    assert differing == {}


def test_each_query_of_one_dialect_says_why_it_is_not_common() -> None:
    silent = [
        f"{query.folder}/{query.file} {query.name}"
        for query in _queries()
        if query.folder != COMMON and not query.notes
    ]
    assert silent == []


def _prefixes() -> tuple[str, ...]:
    """Return what stands before the first brace of every `tx.method(f"event_tail_{noun}")`."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="tx")),
                    args=[ast.JoinedStr(values=[ast.Constant(value=str(prefix)), *_]), *_],
                ):
                    found.add(prefix)
    return tuple(sorted(found))


def test_each_query_has_a_caller() -> None:
    prefixes = _prefixes()
    assert sorted(name for name in set(_by_name()) - _literals() if not name.startswith(prefixes)) == []


def test_each_query_that_is_asked_for_exists() -> None:
    assert {name: place for name, place in _asked_for().items() if name not in _by_name()} == {}


def test_no_query_tells_the_time_itself() -> None:
    assert [f"{query.folder}/{query.file} {query.name}" for query in _queries() if _CLOCK.search(query.code)] == []


def test_the_reader_of_this_test_knows_parameters_casts_and_text() -> None:
    query = Query(
        "sqlite", "x.sql", "x", "-- because\nSELECT :now::bigint, 'a :b', c::text -- :d\nWHERE e = :e AND now() > 1"
    )
    assert query.parameters == {"now", "e"}
    assert query.notes == ["because", ":d"]
    assert _CLOCK.search(query.code)
