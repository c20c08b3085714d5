r"""Checks without code, evaluated inside the box: a pattern may run for ever, a file may be of any size.

Fields are those of a ```` ```check ```` block as read: a `kind`, and ages and times in seconds (`_s`). Paths are relative
and stay in the workspace, links included.

| kind | fields |
|---|---|
| file | path; exists (true), min_bytes, max_bytes |
| json_schema | path; schema (a mapping) or schema_file |
| count | path; min, max; pattern: without it files that the glob `path` finds are counted, with it matches in them |
| regex | path, pattern; present (true) |
| freshness | path, max_age_s |

`command` never comes here: it is a script for `sh -eu`.
"""

from __future__ import annotations

import importlib
import json
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping

LARGEST = 64 * 2**20
_MOST_COUNTED = 1_000_000
_GLOB = re.compile(r"[*?\[]")

Fields = Mapping[str, object]
Judged = tuple[bool, str]


class Missing(Exception):
    """A file cannot be judged; the message says why."""


def judged(fields: Fields, workspace: pathlib.Path, now: int) -> Judged:
    """Return whether the workspace fulfils the check, and one line about it. `now` is in ms since the epoch."""
    judge = _KINDS.get(str(fields.get("kind")))
    if judge is None:
        return False, f"kind {fields.get('kind')!r} is not one of {', '.join(_KINDS)}, command"
    try:
        return judge(fields, workspace.resolve(), now)
    except (Missing, OSError) as why:
        return False, str(why)
    except re.error as broken:
        return False, f"the pattern is no regular expression: {broken}"
    except UnicodeEncodeError:
        return False, "the path has characters that no file name has"


def _file(fields: Fields, workspace: pathlib.Path, _: int) -> Judged:
    path = str(fields["path"])
    wanted = fields.get("exists", True)
    try:
        size = _located(workspace, path).stat().st_size
    except Missing as why:
        return (False, str(why)) if wanted else (True, f"{path} does not exist")
    if not wanted:
        return False, f"{path} exists"
    least, most = fields.get("min_bytes"), fields.get("max_bytes")
    return _bounded(size, least, most, f"{path} has", "bytes")


def _json_schema(fields: Fields, workspace: pathlib.Path, _: int) -> Judged:
    path = str(fields["path"])
    schema = fields.get("schema")
    if schema is None:
        schema = _json(workspace, str(fields["schema_file"]))
    schemas = importlib.import_module("harness_jsonschema")
    wrong = schemas.schema_problems(schema, "schema")
    if wrong:
        return False, f"the schema is not understood: {'; '.join(wrong)}"
    found = schemas.value_problems(_json(workspace, path), schema)
    return (False, f"{path}: {'; '.join(found)}") if found else (True, f"{path} fits its schema")


def _count(fields: Fields, workspace: pathlib.Path, _: int) -> Judged:
    path, pattern = str(fields["path"]), fields.get("pattern")
    files = _matching(workspace, path)
    if pattern is None:
        return _bounded(sum(1 for _ in files), fields.get("min"), fields.get("max"), f"{path} finds", "files")
    search = re.compile(str(pattern), re.MULTILINE)
    total = 0
    for file in files:
        total += sum(1 for _ in search.finditer(_text(file)))
        if total > _MOST_COUNTED:
            break
    return _bounded(total, fields.get("min"), fields.get("max"), f"{path} has", "matches")


def _regex(fields: Fields, workspace: pathlib.Path, _: int) -> Judged:
    path, wanted = str(fields["path"]), fields.get("present", True)
    search = re.compile(str(fields["pattern"]), re.MULTILINE)
    found = search.search(_text(_located(workspace, path))) is not None
    return found == wanted, f"{path} {'contains' if found else 'does not contain'} the pattern"


def _freshness(fields: Fields, workspace: pathlib.Path, now: int) -> Judged:
    path, most = str(fields["path"]), float(str(fields["max_age_s"]))
    newest = max((file.stat().st_mtime for file in _matching(workspace, path)), default=None)
    if newest is None:
        raise Missing(f"{path} does not exist")
    age = max(0.0, now / 1000 - newest)
    said = f"{path} is {age:.0f} s old"
    return age <= most, said if age <= most else f"{said}, at most {most:.0f} s are allowed"


def _bounded(number: int, least: object, most: object, words: str, noun: str) -> Judged:
    said = f"{words} {number:,} {noun}"
    if least is not None and number < int(str(least)):
        return False, f"{said}, at least {int(str(least)):,} are wanted"
    if most is not None and number > int(str(most)):
        return False, f"{said}, at most {int(str(most)):,} are allowed"
    return True, said


def _matching(workspace: pathlib.Path, path: str) -> Iterator[pathlib.Path]:
    """Yield the regular files a path or glob names, none outside of the workspace."""
    if not _GLOB.search(path):
        file = _located(workspace, path)
        if file.is_file():
            yield file
        return
    if pathlib.PurePosixPath(path).is_absolute():
        raise Missing(f"{path} leads out of the workspace")
    for file in workspace.glob(path):
        place = file.resolve()
        if place.is_relative_to(workspace) and place.is_file():
            yield place


def _located(workspace: pathlib.Path, path: str) -> pathlib.Path:
    try:
        place = (workspace / path).resolve()
    except (OSError, RuntimeError, ValueError) as broken:
        raise Missing(f"{path} cannot be resolved: {broken}") from broken
    if not place.is_relative_to(workspace):
        raise Missing(f"{path} leads out of the workspace")
    if not place.exists():
        raise Missing(f"{path} does not exist")
    return place


def _text(file: pathlib.Path) -> str:
    if not file.is_file():
        raise Missing(f"{file.name} is no regular file")
    with file.open("rb") as stream:
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise Missing(f"{file.name} is larger than the {LARGEST // 2**20} MB that can be searched")
    return content.decode("utf-8", "replace")


def _json(workspace: pathlib.Path, path: str) -> object:
    try:
        return json.loads(_text(_located(workspace, path)))
    except (ValueError, RecursionError) as broken:
        raise Missing(f"{path} is no JSON: {broken}") from broken


_KINDS: dict[str, Callable[[Fields, pathlib.Path, int], Judged]] = {
    "file": _file,
    "json_schema": _json_schema,
    "count": _count,
    "regex": _regex,
    "freshness": _freshness,
}
