"""The two calls agents make all the time stay light when they really do their work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.test_light_imports import DENIED
from tests.support.commands import registered

_LINE = re.compile(r"^import time: +[\d\[\] a-z]+\| +[\d\[\] a-z]+\| +(\S+)$", re.MULTILINE)
_ALSO = {"argparse", "shutil", "tempfile", "hashlib", "socket", "harnessos.dispatch", "harnessos.processes"}


@pytest.mark.parametrize(
    "words",
    [("heartbeat",), ("checkpoint", "--title", "t", "--summary", "s", "--next-step", "n", "--plan", "[x] a", "--json")],
    ids=["heartbeat", "checkpoint"],
)
def test_a_hot_call_imports_nothing_heavy(tmp_path: Path, words: tuple[str, ...]) -> None:
    terminal = registered(tmp_path)
    token = terminal.good("session", "begin")["session"]["token"]
    said = terminal("session", *words, HARNESS_SESSION_TOKEN=token, PYTHONPROFILEIMPORTTIME="1")
    assert said.code == 0, said.err
    imported = set(_LINE.findall(said.err))
    assert "harnessos.kernel.runs" in imported, "the import report was not understood"
    assert imported & (DENIED | _ALSO) == set()
