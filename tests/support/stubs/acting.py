"""What the stub agents share: they change a file and commit it, if what they stand for would be allowed to.

STUB_SAYS chooses how they end: empty (the work is done), `quota`, `overloaded`, `talk` (the work is done, and the agent
talks about rate limits), `talk_and_fail`. Extra words and folders come from the recipe under test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

SAYS = os.environ.get("STUB_SAYS", "")
TALK = "I read error 429: rate limit exceeded, usage limit reached, the model is overloaded, try again in 5 hours"
RESET = int(time.time()) + 3600


def value_of(words: list[str], name: str) -> str:
    """Return the word after an option, empty when it is not there."""
    return words[words.index(name) + 1] if name in words[:-1] else ""


def credential(variable: str, file: str) -> bool:
    """Say whether there is a key in the environment or a login below HOME."""
    return bool(os.environ.get(variable)) or (Path(os.environ.get("HOME", "/nowhere")) / file).is_file()


def edit() -> None:
    """Do the task."""
    Path("done.txt").write_text("done\n", encoding="utf-8")


def commit() -> str:
    """Commit as an agent would; return what git complained about."""
    who = [*("-c", "user.name=Stub"), *("-c", "user.email=stub@localhost")]
    subprocess.run(["git", "add", "--all"], check=False, capture_output=True)
    done = subprocess.run(["git", *who, "commit", "--quiet", "-m", "Do the task"], check=False, capture_output=True)
    return done.stderr.decode()


def say(document: dict[str, object]) -> None:
    """Print one frame."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()
