"""What a repository and this machine offer: the test command and the agent a first WORKFLOW.md names."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AgentName = Literal["claude", "codex", "gemini"]
AGENTS: tuple[AgentName, ...] = ("claude", "codex", "gemini")
_LARGEST = 1024 * 1024


class Detected(NamedTuple):
    """A test command as words (None: nothing found), whether it counts tests as pytest does, files that decide
    what a prepared checkout holds, and the agent.
    """

    test: tuple[str, ...] | None = None
    pytest: bool = False
    setup: tuple[str, ...] = ()
    cache_key: tuple[str, ...] = ()
    agent: AgentName | None = None


def detect(root: Path, which: Callable[[str], str | None] = shutil.which) -> Detected:
    """Look at the files of `root` and at PATH; the first of Python, npm, Cargo, Go, make that has tests wins."""
    agent = next((name for name in AGENTS if which(name)), None)
    for look in (_python, _node, _cargo, _go, _make):
        found = look(root, which)
        if found is not None:
            return found._replace(agent=agent)
    return Detected(agent=agent)


def _python(root: Path, which: Callable[[str], str | None]) -> Detected | None:
    files = ("pyproject.toml", "pytest.ini", "setup.cfg", "setup.py", "tox.ini")
    if not any((root / name).is_file() for name in files):
        return None
    named = (root / "pytest.ini").is_file() or "pytest" in _read(root / "setup.cfg") + _read(root / "tox.ini")
    if not (named or _pyproject_has_pytest(_read(root / "pyproject.toml")) or _has_test_files(root)):
        return None
    python = "python3" if which("python3") or not which("python") else "python"
    return Detected((python, "-m", "pytest", "-q"), pytest=True)


def _pyproject_has_pytest(text: str) -> bool:
    try:
        tool = tomllib.loads(text).get("tool", {})
    except (tomllib.TOMLDecodeError, RecursionError):
        return False
    return (isinstance(tool, dict) and "pytest" in tool) or re.search(r"[\"']pytest\b", text) is not None


def _has_test_files(root: Path) -> bool:
    return any(any((root / folder).glob("test_*.py")) for folder in ("tests", "test", "."))


def _node(root: Path, _which: Callable[[str], str | None]) -> Detected | None:
    try:
        package = json.loads(_read(root / "package.json") or "null")
    except (ValueError, RecursionError):
        return None
    scripts = package.get("scripts") if isinstance(package, dict) else None
    test = scripts.get("test") if isinstance(scripts, dict) else None
    # npm init writes a test script that only fails.
    if not isinstance(test, str) or not test.strip() or "no test specified" in test:
        return None
    if (root / "package-lock.json").is_file():
        return Detected(("npm", "test"), setup=("npm ci",), cache_key=("package-lock.json",))
    return Detected(("npm", "test"), setup=("npm install",), cache_key=("package.json",))


def _cargo(root: Path, _which: Callable[[str], str | None]) -> Detected | None:
    return Detected(("cargo", "test")) if (root / "Cargo.toml").is_file() else None


def _go(root: Path, _which: Callable[[str], str | None]) -> Detected | None:
    return Detected(("go", "test", "./...")) if (root / "go.mod").is_file() else None


def _make(root: Path, _which: Callable[[str], str | None]) -> Detected | None:
    for name in ("GNUmakefile", "makefile", "Makefile"):
        if re.search(r"^test\s*:(?!=)", _read(root / name), re.MULTILINE):
            return Detected(("make", "test"))
    return None


def _read(path: Path) -> str:
    """Return the text of a small file; empty when there is none to look at."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
