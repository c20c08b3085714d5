"""What agents call hundreds of times a day imports nothing heavy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.python import SOURCE, run_python
from tests.support.workspaces import Workspace

DENIED = frozenset({
    "asyncio", "dataclasses", "importlib.metadata", "importlib.resources", "inspect", "liquid", "logging", "psutil",
    "pydantic", "rich", "ruamel", "secrets", "subprocess", "urllib.request", "uuid",
})  # fmt: skip

# Modules that a hot command reaches. One that does not exist yet is passed over.
MODULES = (
    "harnessos", "harnessos.errors", "harnessos.files", "harnessos.kernel.runs", "harnessos.model", "harnessos.ports",
    "harnessos.settings", "harnessos.store", "harnessos.version",
)  # fmt: skip

# Hot commands, as words after `python -m harnessos`. They may fail (no such session); what they import counts.
HOT: list[list[str]] = [
    ["session", "heartbeat", "--session", "hs_none"],
    ["session", "checkpoint", "--session", "hs_none", "--title", "t", "--summary", "s", "--next-step", "n"],
]

_LINE = re.compile(r"^import time: +[\d\[\] a-z]+\| +[\d\[\] a-z]+\| +(\S+)$", re.MULTILINE)


def _imported(*arguments: str) -> set[str]:
    answer = run_python("-X", "importtime", *arguments)
    assert "ModuleNotFoundError" not in answer.stderr, answer.stderr[-2000:]
    names = set(_LINE.findall(answer.stderr))
    assert "site" in names, "the import report was not understood"
    return names


def _denied(names: set[str]) -> list[str]:
    """Return the denied modules; what the bare interpreter imports in this environment is not ours."""
    return sorted((names - _imported("-c", "pass")) & DENIED)


def _exists(module: str) -> bool:
    path = SOURCE.joinpath(*module.split(".")[1:])
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@pytest.mark.parametrize("module", [module for module in MODULES if _exists(module)])
def test_module_is_light(module: str) -> None:
    assert _denied(_imported("-c", f"import {module}")) == []


@pytest.mark.parametrize("words", HOT, ids=" ".join)
def test_hot_command_is_light(words: list[str]) -> None:
    assert _denied(_imported("-m", "harnessos", *words)) == []


def test_a_stream_line_of_a_live_run_is_light(tmp_path: Path) -> None:
    ws = Workspace(tmp_path)
    ws.start()
    words = ("memory", "stream", str(ws.path), "--step", "1", "--event", "x")
    assert _denied(_imported("-m", "harnessos", *words)) == []


def test_a_heavy_import_is_seen() -> None:
    assert _denied(_imported("-c", "import subprocess")) == ["subprocess"]
