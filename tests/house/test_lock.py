"""The lock pins every dependency by hash and names no address."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.support.python import ROOT

LOCKS = ("dev.txt", "run.txt")


def _blocks(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    return {line.split("==")[0].split("[")[0].strip(): line for line in lines}


def _names(requirements: list[object]) -> set[str]:
    words = [re.split(r"[\s\[<>=;]", item)[0] for item in requirements if isinstance(item, str)]
    return {re.sub(r"[-_.]+", "-", word).lower() for word in words} - {"harnessos"}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_the_lock_has_one_version_and_a_hash(lock: str) -> None:
    assert [line for line in _blocks(lock).values() if "==" not in line or "--hash=sha256:" not in line] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_names_no_address(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    assert re.findall(r"\w+://|--(?:extra-)?index-url|--find-links", text) == []


def test_the_lock_holds_what_the_project_asks_for() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    run = _names(declared["project"]["dependencies"]) | _names(declared["dependency-groups"]["build"])
    extras = [item for group in declared["project"]["optional-dependencies"].values() for item in group]
    groups = [item for group in declared["dependency-groups"].values() for item in group]
    assert run - set(_blocks("run.txt")) == set(), "run `make lock`"
    assert (run | _names(extras) | _names(groups)) - set(_blocks("dev.txt")) == set(), "run `make lock`"


def test_both_locks_agree() -> None:
    dev, run = _blocks("dev.txt"), _blocks("run.txt")
    assert {name for name, line in run.items() if dev.get(name) != line} == set()
