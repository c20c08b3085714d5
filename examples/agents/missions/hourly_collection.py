#!/usr/bin/env python3
"""The scripted agent of examples/missions/hourly-collection: it collects items from a folder of JSON files."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from scripted import Mission, now, play

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = ("id", "title", "category")


def work(mission: Mission) -> tuple[str, str]:
    """Do the four steps of the playbook."""
    files = sorted(mission.source(folder=True).glob("*.json"))
    items = _lines(mission.output / "items.jsonl")
    known = {item["id"] for item in items}
    mission.log("1", f"{len(files)} files are there, {len(known)} items are known")

    fresh, rejected = [], []
    for file in files:
        item, problem = _read(file)
        if item is None:
            rejected.append((file.name, problem))
            mission.log("2", f"{file.name} is no item: {problem}", "WARN")
        elif item["id"] not in known:
            known.add(item["id"])
            fresh.append({**item, "file": file.name, "collected_at": now()})
    if rejected:
        mission.learn(
            "incoming_files",
            "Some files that come in are no items. They stay where they are, and the report names them.",
        )
    mission.log("2", f"{len(fresh)} new items")

    items += fresh
    history = _lines(mission.output / "history.jsonl")
    history.append({"at": now(), "total": len(items), "new": len(fresh), "rejected": len(rejected)})
    mission.write("items.jsonl", "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items))
    mission.write("history.jsonl", "".join(json.dumps(entry) + "\n" for entry in history))

    mission.write("report.md", _report(items, fresh, rejected))
    mission.log("4", "the report is written")
    return "4", f"{len(fresh)} new items, {len(items)} in all"


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _read(file: Path) -> tuple[dict[str, str] | None, str]:
    """Return the item of a file, or why it is none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as problem:
        return None, f"no JSON ({type(problem).__name__})"
    if not isinstance(found, dict):
        return None, "no JSON object"
    missing = [name for name in FIELDS if not isinstance(found.get(name), str) or not found[name].strip()]
    return (None, f"without {', '.join(missing)}") if missing else ({name: found[name].strip() for name in FIELDS}, "")


def _report(items: list[dict[str, Any]], fresh: list[dict[str, str]], rejected: list[tuple[str, str]]) -> str:
    counts = Counter(item["category"] for item in items)
    return "\n".join(
        [
            "# Collection",
            "",
            f"- Items: {len(items)}",
            f"- New in this run: {len(fresh)}",
            f"- Rejected files: {len(rejected)}",
            "",
            "## By category",
            "",
            *(f"- {name}: {counts[name]}" for name in sorted(counts)),
            "",
            "## New",
            "",
            *([f"- {item['title']} ({item['id']})" for item in fresh] or ["nothing"]),
            "",
            "## Rejected",
            "",
            *([f"- {name}: {problem}" for name, problem in rejected] or ["nothing"]),
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(play(__doc__, work))
