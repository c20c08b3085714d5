#!/usr/bin/env python3
"""A scripted agent: it thinks nothing and calls no model. It plays back what a script file says, for demonstrations and tests.

It keeps the contract of HarnessOS's `command` runner, so it also shows what a real agent gets and owes:

* the prompt comes on standard input (and lies in the file HARNESS_PROMPT_FILE);
* the work is done in HARNESS_WORKTREE, a git worktree of this run alone, and committed there;
* HARNESS_EVIDENCE_DIR/outcome.json may say how it went (docs/schemas/outcome.schema.json);
* exit 0 means "finished, please check", 75 "the provider does not answer now", everything else "I failed".

    python scripted_agent.py --script script.json < prompt

The script is JSON. Its parts are found by a line `Scripted part: NAME` in the prompt, else by the issue's identifier:

    {"commands": {"tests": ["{python}", "-m", "pytest", "-q"]},
     "parts": {"NAME": [PLAY, ...]}}

A play is {"when": {...}, "do": [ACTION, ...]}; the first whose conditions hold is played, and when none does the agent
fails. Conditions: `attempt`, `turn` (numbers), `prompt_has` (text that must stand in the prompt). Actions:

    {"say": "text"}                            print it
    {"wait": 1.5}                              wait, so that people can watch
    {"copy": "a.py", "to": "pkg/a.py"}         copy a file beside the script into the worktree
    {"write": "pkg/a.py", "text": "..."}       write a file in the worktree
    {"replace": "pkg/a.py", "old": "..", "new": ".."}   change a text that stands there exactly once
    {"needs": "from pkg.a import f"}           fail unless this Python statement works in the worktree
    {"run": "tests", "with": ["tests/test_a.py"], "expect": 0}    run a command of the script; no `expect`: any end will do
    {"commit": "message"}                      commit everything; without it the work is left uncommitted
    {"checkpoint": {"title": "..", "summary": "..", "next_step": ".."}}    `harness session checkpoint`, when there is a session
    {"quota": 3600}                            end with 75, answering again in so many seconds
    {"crash": true}                            kill itself with SIGKILL
    {"hang": true}                             do nothing until it is killed
    {"fail": "why"}                            end with exit code 1
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

NAME = "Scripted Agent"
EMAIL = "scripted-agent@localhost"
TEMPFAIL = 75
COMMAND_SECONDS = 300
MARKER = re.compile(r"^Scripted part: ([A-Za-z0-9._-]+)\s*$", re.MULTILINE)


class Ended(Exception):
    """The script is over: exit code, and what goes into outcome.json."""

    def __init__(self, code: int, outcome: str, reason: str, **more: object) -> None:
        super().__init__(reason)
        self.code = code
        self.outcome = {"outcome": outcome, "reason": reason, "tokens": 0, "usd": 0, **more}


class Agent:
    """One invocation: where it stands, and the actions it knows."""

    def __init__(self, script: Path, worktree: Path, prompt: str) -> None:
        self.folder = script.parent
        self.worktree = worktree.resolve()
        self.prompt = prompt
        document = json.loads(script.read_text(encoding="utf-8"))
        self.commands = document.get("commands", {})
        self.parts = document["parts"]

    def play(self, issue: str, attempt: int, turn: int) -> None:
        """Find the play that fits and perform it; always ends with Ended."""
        found = MARKER.search(self.prompt)
        part = found[1] if found else issue
        plays = self.parts.get(part)
        if plays is None:
            raise Ended(1, "agent_fault", f"the script has no part {part!r}")
        say(f"issue {issue}, attempt {attempt}, turn {turn}: playing the part {part!r} of a script. I think nothing.")
        play = next((play for play in plays if self.fits(play.get("when", {}), attempt, turn)), None)
        if play is None:
            raise Ended(1, "agent_fault", f"no play of {part!r} fits attempt {attempt}, turn {turn} and this prompt")
        for action in play["do"]:
            self.act(action)
        raise Ended(0, "success", play.get("reason", f"played the part {part}"))

    def fits(self, when: dict[str, object], attempt: int, turn: int) -> bool:
        """Say whether the conditions of a play hold."""
        known = {"attempt": attempt, "turn": turn}
        return all(
            str(value) in self.prompt if name == "prompt_has" else known[name] == value for name, value in when.items()
        )

    def act(self, action: dict[str, object]) -> None:
        """Do one action: its first key is the verb."""
        verb = next(iter(action))
        method = getattr(self, f"do_{verb}", None)
        if method is None:
            raise Ended(1, "agent_fault", f"the script asks for {verb!r}, which this agent cannot do")
        method(action[verb], action)

    def place(self, name: object) -> Path:
        """Return a path inside the worktree."""
        path = (self.worktree / str(name)).resolve()
        if not path.is_relative_to(self.worktree):
            raise Ended(1, "agent_fault", f"{name} lies outside of the worktree")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def do_say(self, text: object, _: dict[str, object]) -> None:
        say(str(text))

    def do_wait(self, seconds: object, _: dict[str, object]) -> None:
        time.sleep(float(str(seconds)))

    def do_copy(self, source: object, action: dict[str, object]) -> None:
        shutil.copyfile(self.folder / str(source), self.place(action["to"]))
        say(f"wrote {action['to']}")

    def do_write(self, name: object, action: dict[str, object]) -> None:
        self.place(name).write_text(str(action["text"]), encoding="utf-8")
        say(f"wrote {name}")

    def do_replace(self, name: object, action: dict[str, object]) -> None:
        path = self.place(name)
        text = path.read_text(encoding="utf-8")
        if text.count(str(action["old"])) != 1:
            raise Ended(1, "agent_fault", f"{name} does not hold the text to replace exactly once")
        path.write_text(text.replace(str(action["old"]), str(action["new"])), encoding="utf-8")
        say(f"changed {name}")

    def do_needs(self, statement: object, _: dict[str, object]) -> None:
        """Prove that work of another issue, accepted before, is here."""
        if self.run([sys.executable, "-B", "-c", str(statement)]) != 0:
            raise Ended(1, "agent_fault", f"what this builds on is not in the worktree: {statement}")
        say(f"the work I build on is here: {statement}")

    def do_run(self, name: object, action: dict[str, object]) -> None:
        words = [sys.executable if word == "{python}" else word for word in self.commands[str(name)]]
        more = action.get("with", [])
        code = self.run([*words, *(str(word) for word in more)] if isinstance(more, list) else words)
        say(f"{name}: exit {code}")
        if "expect" in action and code != action["expect"]:
            raise Ended(1, "agent_fault", f"{name} ended with {code}, the script expects {action['expect']}")

    def do_commit(self, message: object, _: dict[str, object]) -> None:
        self.git("add", "--all")
        self.git("-c", "commit.gpgSign=false", "commit", "--quiet", "--no-verify", "-m", str(message))
        say(f"committed: {message}")

    def do_checkpoint(self, fields: object, _: dict[str, object]) -> None:
        """Record progress in the ledger; an agent without a session, or without the ledger, goes on all the same."""
        if not os.environ.get("HARNESS_SESSION_TOKEN") or not isinstance(fields, dict):
            say("no session here, so no checkpoint")
            return
        words = [word for name, value in fields.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        if shutil.which("harness"):
            argv = ["harness", "session", "checkpoint", *words]
        else:
            argv = [sys.executable, "-m", "harnessos", "session", "checkpoint", *words]
        say(f"checkpoint: exit {self.run(argv)}")

    def do_quota(self, seconds: object, _: dict[str, object]) -> None:
        back = datetime.now(UTC) + timedelta(seconds=float(str(seconds)))
        raise Ended(
            TEMPFAIL,
            "provider_quota",
            "the scripted quota is used up",
            reset_at=back.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            provider="scripted",
        )

    def do_crash(self, *_: object) -> None:
        say("crashing now, as the script says")
        os.kill(os.getpid(), signal.SIGKILL)

    def do_hang(self, *_: object) -> None:
        say("hanging now, as the script says")
        while True:
            signal.pause()

    def do_fail(self, reason: object, _: dict[str, object]) -> NoReturn:
        raise Ended(1, "agent_fault", str(reason))

    def git(self, *arguments: str) -> None:
        """Run git in the worktree, signed by this agent; fail when it does."""
        who = {
            "GIT_AUTHOR_NAME": NAME,
            "GIT_AUTHOR_EMAIL": EMAIL,
            "GIT_COMMITTER_NAME": NAME,
            "GIT_COMMITTER_EMAIL": EMAIL,
        }
        if self.run(["git", *arguments], who) != 0:
            raise Ended(1, "agent_fault", f"git {arguments[0]} failed")

    def run(self, argv: list[str], extra: dict[str, str] | None = None) -> int:
        """Run a command in the worktree, its output into this agent's; return its exit code."""
        env = {**os.environ, **(extra or {}), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                argv, cwd=self.worktree, env=env, stdin=subprocess.DEVNULL, timeout=COMMAND_SECONDS, check=False
            )
        except OSError as problem:
            say(f"{argv[0]} could not be started: {problem}")
            return 127
        except subprocess.TimeoutExpired:
            say(f"{argv[0]} ran longer than {COMMAND_SECONDS} s")
            return 124
        return done.returncode


def say(text: str) -> None:
    """Print one line at once, marked as this agent's."""
    print(f"[scripted agent] {text}", flush=True)


def read_prompt() -> str:
    """Return the prompt: from standard input, or from the file when nothing is there."""
    text = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.buffer.read().decode("utf-8", "replace")
    if not text.strip() and (name := os.environ.get("HARNESS_PROMPT_FILE")):
        text = Path(name).read_text(encoding="utf-8", errors="replace")
    return text


def record(outcome: dict[str, object]) -> None:
    """Write outcome.json whole or not at all, when there is a place for it."""
    folder = os.environ.get("HARNESS_EVIDENCE_DIR")
    if folder:
        fresh = Path(folder) / "outcome.json.part"
        fresh.write_text(json.dumps(outcome, indent=2) + "\n", encoding="utf-8")
        fresh.replace(Path(folder) / "outcome.json")


def main() -> int:
    """Play the script and return the exit code."""
    parser = argparse.ArgumentParser(
        description="A scripted agent: it thinks nothing and calls no model, it plays back a script file.",
        epilog="Reads the prompt from standard input or HARNESS_PROMPT_FILE. The head of this file explains scripts.",
    )
    parser.add_argument("--script", type=Path, required=True, metavar="FILE", help="the JSON file to play")
    script = parser.parse_args().script
    try:
        agent = Agent(script, Path(os.environ.get("HARNESS_WORKTREE") or Path.cwd()), read_prompt())
        agent.play(
            os.environ.get("HARNESS_ISSUE", ""),
            int(os.environ.get("HARNESS_ATTEMPT", "1")),
            int(os.environ.get("HARNESS_TURN", "1")),
        )
    except Ended as end:
        say(f"{end} (exit {end.code})")
        record(end.outcome)
        return end.code
    except (OSError, ValueError, KeyError) as problem:
        say(f"the script {script} cannot be played: {type(problem).__name__}: {problem}")
        record({"outcome": "agent_fault", "reason": f"the script cannot be played: {problem}"[:500]})
        return 1
    return 1


if __name__ == "__main__":
    sys.exit(main())
