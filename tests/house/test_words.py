"""Names say what they hold, and no file names a machine, a registry or unfinished work."""

from __future__ import annotations

import re

import pytest

from tests.support.python import ROOT, SOURCE, tracked_files

VAGUE = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}

# Each pattern is put together here, so that this file does not contain what it forbids.
FORBIDDEN = {
    "a path of one machine": re.compile(r"(?<![\w.}])/(?:ro" + r"ot|wo" + r"rk|ho" + r"me/[a-z]\w*)/"),
    "the host of a registry": re.compile(
        r"(?:py" + r"pi|python" + r"hosted|npm" + r"js|ana" + r"conda|cra" + r"tes)\.(?:org|com|io)\b", re.IGNORECASE
    ),
    "unfinished work": re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b"),
}


def test_no_module_has_a_name_that_could_hold_anything() -> None:
    """`store/sql/common` is the one exception: there the word means common to both dialects."""
    names = [path.relative_to(SOURCE) for path in SOURCE.rglob("*") if path.is_dir() or path.suffix == ".py"]
    assert [str(name) for name in names if name.stem in VAGUE and name.as_posix() != "store/sql/common"] == []


def _is_quoted(line: str, column: int) -> bool:
    """Say whether the word stands inside text that a program reads: test reports have such a directive of their own."""
    before = line[:column]
    return before.count('"') % 2 == 1 or before.count("'") % 2 == 1


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_no_file_names(kind: str) -> None:
    found = []
    for path in tracked_files():
        content = path.read_bytes()
        if path.name == "LICENSE" or b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").split("\n"), start=1):
            match = FORBIDDEN[kind].search(line)
            if match and not (kind == "unfinished work" and path.suffix == ".py" and _is_quoted(line, match.start())):
                found.append(f"{path.relative_to(ROOT)}:{number} {line.strip()[:100]}")
    assert found == []
