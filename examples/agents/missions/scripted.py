"""What the scripted agents of the example missions share. They think nothing and call no model.

Each is started by the harness as any agent is: in the mission's workspace, the prompt on standard input, the run's token in
HARNESS_SESSION_TOKEN. It does its playbook's steps in plain Python, and calls the `harness` command for what an agent has
to say: `memory stream`, `memory learn`, and once at its end `mission done`, `fail` or `blocked`. It judges nothing: the
checks of eval_criteria.md do, after it has ended.

Python's standard library, and `harness` on PATH.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND_SECONDS = 120
SOURCE = "source.txt"


class Stopped(Exception):
    """The run is over before its last step."""

    def __init__(self, word: str, step: str, why: str) -> None:
        super().__init__(why)
        self.word = word
        self.step = step


class Mission:
    """One run: its workspace, and the `harness` command as any agent calls it."""

    def __init__(self, workspace: Path, prompt: str) -> None:
        self.workspace = workspace
        self.output = workspace / "output"
        found = re.search(r"^Breakpoint, from heartbeat\.md: (.+?)\. Go on there\.$", prompt, re.MULTILINE)
        self.breakpoint = found[1] if found else "Step 0"

    def harness(self, *words: str) -> Any:
        """Run `harness WORDS --json` and return its answer. Any: it is JSON."""
        program = shutil.which("harness")
        if program is None:
            raise SystemExit("`harness` is not on the PATH that this agent was given")
        done = subprocess.run(
            [program, *words, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            timeout=COMMAND_SECONDS,
            check=True,
        )
        return json.loads(done.stdout)

    def log(self, step: str, text: str, level: str = "INFO") -> None:
        """Write a line into the execution stream (rule 8)."""
        say(f"step {step}: {text}")
        self.harness("memory", "stream", str(self.workspace), "--step", step, "--event", text, "--level", level)

    def learn(self, topic: str, insight: str) -> None:
        """Keep what holds for later runs too; the harness notices what it knows already."""
        self.harness("memory", "learn", str(self.workspace), "--topic", topic, "--insight", insight)

    def source(self, *, folder: bool) -> Path:
        """Return the folder or file that source.txt names; without it a person has to say something."""
        kind = "folder" if folder else "file"
        try:
            named = Path((self.workspace / SOURCE).read_text(encoding="utf-8").strip()).expanduser()
        except FileNotFoundError:
            raise Stopped(
                "blocked", "1", f"{SOURCE} is missing: write the path of the {kind} to read into it"
            ) from None
        if not (named.is_dir() if folder else named.is_file()):
            raise Stopped("fail", "1", f"{named}, which {SOURCE} names, is no {kind}")
        return named

    def write(self, name: str, text: str) -> None:
        """Write a file below output/ whole or not at all."""
        path = self.output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".part")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)

    def read(self, name: str, default: Any) -> Any:
        """Return what a JSON file below output/ holds. Any: it is JSON."""
        path = self.output / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else default

    def say(self, word: str, step: str, text: str) -> None:
        """End the run in words, once: `done`, `fail` or `blocked`. It is acted on when this program has ended."""
        flag = {"done": "--summary", "fail": "--error", "blocked": "--reason"}[word]
        at = () if word == "blocked" else ("--step", step)
        say(f"{word}: {text}")
        self.harness("mission", word, str(self.workspace), *at, flag, text)
        evidence = os.environ.get("HARNESS_EVIDENCE_DIR")
        if evidence:  # a script spends nothing, and says so
            spent = {"outcome": "success", "tokens": 0, "usd": 0}
            (Path(evidence) / "outcome.json").write_text(json.dumps(spent), encoding="utf-8")


def say(text: str) -> None:
    """Print one line at once, marked as this agent's."""
    print(f"[scripted agent] {text}", flush=True)


def now() -> str:
    """Return this moment in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_json(document: object) -> str:
    """Return a document as a file holds it."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def play(doc: str | None, work: Callable[[Mission], tuple[str, str]]) -> int:
    """Do one run. `work` returns the step it reached and what came of it; Stopped ends it before that."""
    parser = argparse.ArgumentParser(
        description=doc, epilog="It thinks nothing and calls no model.", formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--source", metavar="PATH", help="is written into source.txt where there is none yet")
    given = parser.parse_args().source
    workspace = Path(os.environ.get("HARNESS_WORKSPACE") or Path.cwd())
    mission = Mission(workspace, "" if sys.stdin.isatty() else sys.stdin.read())
    if given and not (workspace / SOURCE).exists():
        (workspace / SOURCE).write_text(f"{Path(given).resolve()}\n", encoding="utf-8")
    say(f"I follow a script and think nothing. The breakpoint is {mission.breakpoint}; the script does every step.")
    try:
        mission.say("done", *work(mission))
    except Stopped as end:
        mission.say(end.word, end.step, str(end))
    except subprocess.CalledProcessError as problem:
        say(f"`{' '.join(problem.cmd)}` ended with {problem.returncode}")
        return 1
    return 0
