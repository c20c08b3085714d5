#!/usr/bin/env python3
"""The scripted agent of examples/missions/document-digest: it coordinates three workers, which digest a document each.

The workers are this program again (`--worker NAME`), as processes of their own: each reads the task in its inbox and
writes the result to its outbox, as the task says. A run hands out one task a worker, so that a folder of documents takes
some runs. `Digest` is a big word for what a script can do: title, first sentence, length, most frequent long words.
"""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

from scripted import Mission, Stopped, play, say, to_json

WORKERS = 3
ASKS = "Digest the document "
WORKER_SECONDS = 300


def work(mission: Mission) -> tuple[str, str]:
    """Do the four steps of the playbook."""
    folder = mission.source(folder=True)
    plan = mission.read("plan.json", None) or _plan(mission, folder)
    digests = mission.read("digest.json", {})
    left = [one["name"] for one in plan if one["name"] not in digests]
    mission.log("1", f"{len(plan)} documents are planned, {len(left)} of them are left")

    place = str(mission.workspace)
    mission.harness("mission", "agents", "init", place, "--agents", str(WORKERS))
    asked = _asked(mission)
    for name in [name for name in left if name not in asked][: max(0, WORKERS - len(asked))]:
        mission.harness("mission", "agents", "dispatch", place, "--task", f"{ASKS}{json.dumps(name)}", "--step", "2")
    mission.log("2", f"tasks in the inboxes: {len(_asked(mission))}")

    _let_work(mission)
    for result in mission.harness("mission", "agents", "collect", place)["results"]:
        if result["outcome"] == "done":
            found = json.loads(result["summary"])
            digests[found.pop("name")] = found
        elif result["outcome"] != "known":
            mission.log("3", f"task {result['task']}: {result['outcome']}, {result['reason']}", "WARN")
    mission.harness("mission", "agents", "cleanup", place)
    mission.log("3", f"{len(digests)} of {len(plan)} documents are digested")

    mission.write("digest.json", to_json(digests))
    mission.write("digest.md", _page(plan, digests))
    return "4", f"{len(digests)} of {len(plan)} documents are digested"


def _plan(mission: Mission, folder: Path) -> list[dict[str, str]]:
    """Write down once which documents the mission is about: it is complete when all of these are digested."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".md", ".txt"))
    if not files:
        raise Stopped("blocked", "1", f"{folder} holds no document (*.md, *.txt)")
    plan = [{"name": path.name, "sha256": sha256(path.read_bytes()).hexdigest()} for path in files]
    mission.write("plan.json", to_json(plan))
    return plan


def _inboxes(mission: Mission) -> dict[str, Path]:
    """Return the task file that each worker has."""
    found = sorted((mission.workspace / "agents").glob("worker-*/inbox/task_*.md"))
    return {path.parent.parent.name: path for path in found}


def _asked(mission: Mission) -> list[str]:
    """Return the documents that lie in the inboxes already, as after a run that was cut off."""
    return [_document(path.read_text(encoding="utf-8")) for path in _inboxes(mission).values()]


def _document(task: str) -> str:
    described = task.partition("\n## Task Description\n")[2].partition("\n## Expected Output\n")[0]
    return str(json.loads(html.unescape(described.strip().removeprefix(ASKS))))


def _let_work(mission: Mission) -> None:
    """Start the workers that have a task, all at once, and wait for them."""
    started = [
        (name, subprocess.Popen([sys.executable, __file__, "--worker", name], stdin=subprocess.DEVNULL))
        for name in _inboxes(mission)
    ]
    for name, process in started:
        if process.wait(WORKER_SECONDS):
            mission.log("3", f"{name} ended with {process.returncode}", "ERROR")


def worker(mission: Mission, name: str) -> int:
    """Do the task in a worker's inbox: read it, work, write the result where it says."""
    task = _inboxes(mission)[name].read_text(encoding="utf-8")
    found = re.search(r"^Write the file `([^`]+)` in the workspace", task, re.MULTILINE)
    known = re.search(r"^<id>(.+)</id>$", task, re.MULTILINE)
    if found is None or known is None:
        raise SystemExit(f"{name}: this is no task I understand")
    document = _document(task)
    status, output = _digest(mission.source(folder=True) / document, document)
    place = mission.workspace / found[1]
    fresh = place.with_name(f".{place.name}.part")
    fresh.write_text(f"## Result: task_{known[1]}\n**Status**: {status}\n**Output**:\n{output}\n", encoding="utf-8")
    fresh.replace(place)
    say(f"{name}: {document}: {status}")
    return 0


def _digest(path: Path, name: str) -> tuple[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as problem:
        return "failed", f"{name} cannot be read: {problem}"
    prose = re.sub(r"[#*`_>]", "", text).strip()
    words = re.findall(r"\w+", prose)
    if not words:
        return "failed", f"{name} is empty"
    title, _, rest = prose.partition("\n")
    first = re.match(r".*?[.!?](?=\s|$)", " ".join(rest.split()))
    long = Counter(word.lower() for word in words if len(word) > 6)
    terms = sorted(long, key=lambda word: (-long[word], word))[:5]
    summary = (first[0] if first else title)[:300]
    found = {"name": name, "title": title.strip()[:200], "words": len(words), "summary": summary, "terms": terms}
    return "success", json.dumps(found)


def _page(plan: list[dict[str, str]], digests: dict[str, Any]) -> str:
    lines = ["# Digest", "", f"{len(digests)} of {len(plan)} documents."]
    for name in sorted(digests):
        one = digests[name]
        lines += ["", f"## {one['title']}", "", f"{one['summary']}", ""]
        lines += [f"- File: `{name}`, {one['words']} words", f"- About: {', '.join(one['terms'])}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        sys.exit(worker(Mission(Path.cwd(), ""), sys.argv[2]))
    sys.exit(play(__doc__, work))
