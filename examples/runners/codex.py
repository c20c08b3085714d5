#!/usr/bin/env python3
"""Run `codex exec` under HarnessOS's `command` runner. Everything after the name goes to codex: `codex.py --model NAME`.

Permissions: `--sandbox workspace-write` lets it change files of its worktree (the default is read-only). That sandbox
keeps git's own folders read-only, so codex cannot commit: the harness does it (`harness.leftovers: commit`).
`codex.py --commit` opens git's folders to it. They hold every branch of the repository, so think twice.
Credentials: OPENAI_API_KEY or CODEX_API_KEY through `harness.env`, or a login kept below HOME.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys

from outcome import Agent, absent, after, finish, number, part

COMMAND = ["codex", "exec", "--json", "--sandbox", "workspace-write", "--skip-git-repo-check"]
# `codex exec --json` says what failed in words of its own only; these are the words of its error frame.
QUOTA = re.compile(r"usage limit|rate limit|insufficient_quota|\b429\b", re.IGNORECASE)
DOWN = re.compile(r"overloaded|high demand|stream disconnected|\b50[0234]\b", re.IGNORECASE)
WAIT = re.compile(r"(\d+)\s*(day|hour|minute|second)s?")
SECONDS = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}


def main() -> int:
    """Run codex and judge by the frame that ends its turn."""
    if problem := absent(COMMAND[0]):
        return finish("agent_fault", problem)
    words = sys.argv[1:]
    git = git_folders() if "--commit" in words else []
    agent = Agent([*COMMAND, *git, *(word for word in words if word != "--commit"), "-"])
    last: dict[str, object] = {}
    said, tokens = "", 0
    for frame in agent.frames():
        item = part(frame, "item")
        if item.get("type") == "agent_message":
            said = str(item.get("text", ""))
        if frame.get("type") in ("turn.completed", "turn.failed"):
            last = frame
            tokens += number(part(frame, "usage"), "input_tokens", "output_tokens")
    if last.get("type") == "turn.completed" and agent.code == 0:
        return finish("success", said.partition("\n")[0], tokens=tokens)
    error = str(part(last, "error").get("message", ""))
    if QUOTA.search(error):
        return finish("provider_quota", error, reset_at=reset_of(error), provider="openai")
    if DOWN.search(error):
        return finish("provider_down", error, provider="openai")
    return finish("agent_fault", error or f"codex ended with {agent.code} and without completing its turn")


def reset_of(error: str) -> str | None:
    """Return when to come back if the error says `try again in 2 hours 5 minutes`, else None."""
    _, found, rest = error.partition("try again in")
    seconds = sum(int(count) * SECONDS[unit] for count, unit in WAIT.findall(rest))
    return after(seconds) if found and seconds else None


def git_folders() -> list[str]:
    """Return the option that opens both folders a linked worktree writes to; either alone is not enough to commit."""
    asked = ["git", "rev-parse", "--path-format=absolute", "--git-common-dir", "--git-dir"]
    folders = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split("\n")[:2]
    return ["-c", f"sandbox_workspace_write.writable_roots={json.dumps(folders)}"]


if __name__ == "__main__":
    sys.exit(main())
