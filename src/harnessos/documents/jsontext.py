"""JSON and TOML text to a tree."""

from __future__ import annotations

import json
import re
import tomllib

from harnessos.documents.tree import MAX_CONTAINERS, MAX_DEPTH, Doubled, Loaded, Problem, check_tree

_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def load_json(text: str) -> Loaded:
    """Parse JSON strictly: no NaN, no key twice, no bottomless nesting."""
    if text.count("{") + text.count("[") > MAX_CONTAINERS:
        return _refused(f"holds more than {MAX_CONTAINERS:,} objects and lists")
    try:
        tree = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        return _refused(f"is not JSON: {error.msg} (column {error.colno})", error.lineno)
    except RecursionError:
        return _refused(f"is nested deeper than {MAX_DEPTH} levels")
    except ValueError as error:
        return _refused(f"is not JSON: {error}")
    return Loaded(tree, check_tree(tree))


def load_toml(text: str) -> Loaded:
    """Parse TOML 1.0; dates become ISO text."""
    if text.count("{") + text.count("[") > MAX_CONTAINERS:
        return _refused(f"holds more than {MAX_CONTAINERS:,} tables and arrays")
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        place = _TOML_PLACE.search(said)
        line = int(place[1]) if place and place[1] else None
        return _refused(f"is not TOML: {_TOML_PLACE.sub('', said)}", line)
    except RecursionError:
        return _refused(f"is nested deeper than {MAX_DEPTH} levels")
    except ValueError as error:
        return _refused(f"is not TOML: {error}")
    return Loaded(tree, check_tree(tree))


def _refused(sentence: str, line: int | None = None) -> Loaded:
    return Loaded(None, [Problem("", sentence, line)])


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    doubled = Doubled(made)
    seen: set[str] = set()
    doubled.names = [name for name, _ in pairs if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
    return doubled


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number in JSON")
