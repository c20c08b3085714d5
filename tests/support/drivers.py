"""Scripted agents that drive a mission."""

from __future__ import annotations

from pathlib import Path

REPORT = "mkdir -p output; echo line >> output/report.md"
"""What an agent does whose run passes the checks of every run."""


def agent(folder: Path, script: str, name: str = "agent.sh") -> str:
    """Write a shell program that reads its prompt; return it as `--agent` takes it."""
    path = folder / name
    path.write_text(f"#!/bin/sh\ncat > last-prompt.txt\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return f"command:{path}"
