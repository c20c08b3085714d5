#!/usr/bin/env python3
"""The scripted agent of examples/missions/repository-health: it looks at a git repository and never writes to it."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from scripted import Mission, Stopped, now, play, to_json

NOTE = re.compile(r"\b(TODO|FIXME)\b[:\s]*(.*)")
LARGEST = 1 << 20
LISTED = 20


def work(mission: Mission) -> tuple[str, str]:
    """Do the three steps of the playbook."""
    repository = mission.source(folder=True)
    commit, written = _git(repository, "log", "-1", "--format=%H %ct").split()
    files = [name for name in _git(repository, "ls-files", "-z").split("\0") if name]
    mission.log("1", f"{repository} is at {commit[:12]} with {len(files)} files")

    todos = _todos(repository, files)
    untested = _untested(files)
    age = (datetime.now(UTC) - datetime.fromtimestamp(int(written), UTC)).days
    mission.log("2", f"{len(todos)} open TODOs, {len(untested)} untested modules, last commit {age} days ago")
    before = mission.read("health.json", None)
    if before is not None and len(todos) > before["open_todos"]:
        mission.log("2", f"{len(todos) - before['open_todos']} TODOs more than last time", "WARN")

    health = {
        "checked_at": now(),
        "repository": str(repository),
        "commit": commit,
        "commit_age_days": max(0, age),
        "files": len(files),
        "open_todos": len(todos),
        "todos": todos,
        "untested_modules": len(untested),
        "untested": untested,
    }
    mission.write("health.json", to_json(health))
    mission.write("health.md", _page(health))
    mission.log("3", "health.json and health.md are written")
    return "3", f"{len(todos)} open TODOs, {len(untested)} untested modules at {commit[:12]}"


def _git(repository: Path, *words: str) -> str:
    """Return what git says; it changes nothing in the repository, and runs no program that its settings name."""
    done = subprocess.run(
        ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(repository), *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise Stopped("fail", "1", f"git {words[0]}: {done.stderr.decode(errors='replace').strip()[:300]}")
    return done.stdout.decode("utf-8", "replace")


def _todos(repository: Path, files: list[str]) -> list[dict[str, Any]]:
    found = []
    for name in files:
        path = repository / name
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
            continue
        data = path.read_bytes()
        if b"\0" in data:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            note = NOTE.search(line)
            if note:
                found.append({"file": name, "line": number, "text": note[2].strip()[:200]})
    return found


def _untested(files: list[str]) -> list[str]:
    """Return the Python modules that no test is named after: `parser.py` wants a `test_parser*.py` or `parser_test.py`."""
    paths = [PurePosixPath(name) for name in files if name.endswith(".py")]
    tests = [path.stem for path in paths if path.stem.startswith("test_") or path.stem.endswith("_test")]
    return [
        str(path)
        for path in paths
        if path.stem not in tests
        and not {"tests", "test"} & set(path.parts)
        and not path.stem.startswith(("__", "conftest", "setup"))
        and not any(test.removesuffix("_test") == path.stem or test.startswith(f"test_{path.stem}") for test in tests)
    ]


def _page(health: dict[str, Any]) -> str:
    todos = [f"- `{todo['file']}:{todo['line']}` {todo['text']}".rstrip() for todo in health["todos"]]
    untested = [f"- `{name}`" for name in health["untested"]]
    return "\n".join(
        [
            "# Health",
            "",
            f"- Commit: {health['commit']}",
            f"- Last commit: {health['commit_age_days']} days ago",
            f"- Open TODOs: {health['open_todos']}",
            f"- Untested modules: {health['untested_modules']}",
            "",
            "## Open TODOs",
            "",
            *_first(todos),
            "",
            "## Untested modules",
            "",
            *_first(untested),
            "",
        ]
    )


def _first(lines: list[str]) -> list[str]:
    more = [f"- and {len(lines) - LISTED} more, in health.json"] if len(lines) > LISTED else []
    return [*lines[:LISTED], *more] or ["none"]


if __name__ == "__main__":
    sys.exit(play(__doc__, work))
