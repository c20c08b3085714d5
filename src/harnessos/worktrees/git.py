"""The one way this room calls git: a clean environment, no prompts, no user hooks, no quoting."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harnessos import processes
from harnessos.errors import DiskLow, GitFailed, GitMissing, RunnerProblem
from harnessos.model.words import sayable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.processes import Finished

READ_SECONDS = 120.0
WRITE_SECONDS = 900.0
LISTING_LIMIT = 256 * 1024 * 1024
"""Bytes of a listing; a cut listing is an error, never a shorter answer."""

# These say whose configuration applies; every other GIT_ variable may point git at another repository or index.
_KEPT = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH", "XDG_CONFIG_HOME")

_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.safecrlf=false",
    "core.quotePath=false",
    "commit.gpgSign=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "rerere.enabled=false",
    "submodule.recurse=false",
    "core.filesRefLockTimeout=10000",  # ms; others of us move refs at the same time
    "core.packedRefsTimeout=10000",
    "advice.detachedHead=false",
    "advice.graftFileDeprecated=false",
)

NAME = "HarnessOS"
EMAIL = "harness@localhost"


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment git runs in: built like every child's, in English, never asking, paths as they are.

    A repository's own configuration names programs (filters, merge drivers) that git starts, and agents write there:
    what they find must not hold this process's secrets.
    """
    ours = {
        "LC_ALL": "C",
        "LANGUAGE": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_EDITOR": ":",
        "GIT_LITERAL_PATHSPECS": "1",
        # A commit is what its name says: agents write refs/replace and info/grafts, which would show another one.
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_GRAFT_FILE": os.devnull,
    }
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return processes.built_environment(os.environ, {**kept, **ours, **(extra or {})})


def git(
    cwd: Path,
    *arguments: str,
    writes: bool = False,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    accepts: tuple[int, ...] = (0,),
) -> Finished:
    """Run git in `cwd`. Exit codes outside `accepts` raise GitFailed (DiskLow when the disk is full).

    Reads (`writes` false) never take an optional lock, so looking at a checkout cannot hinder its agent (P22).
    """
    finished = _run(cwd, arguments, writes=writes, env=env, stdin=stdin, limit=LISTING_LIMIT)
    if finished.exit_code not in accepts or finished.truncated:
        raise _failure(cwd, arguments, finished)
    return finished


def beginning(cwd: Path, *arguments: str, limit: int) -> bytes:
    """Return the first `limit` bytes of what a reading call says, and do not wait for the rest."""
    with tempfile.TemporaryDirectory(prefix="harness-git-") as folder:
        log = Path(folder) / "output"
        finished = _run(cwd, arguments, limit=limit, log=log)
        if finished.ended_by is processes.EndedBy.OUTPUT_LIMIT:
            return log.read_bytes()[:limit]
    if finished.exit_code != 0:
        raise _failure(cwd, arguments, finished)
    return finished.output


def _run(
    cwd: Path,
    arguments: tuple[str, ...],
    *,
    limit: int,
    writes: bool = False,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    log: Path | None = None,
) -> Finished:
    options = [part for setting in _SETTINGS for part in ("-c", setting)]
    if not writes:
        options.append("--no-optional-locks")
    try:
        return processes.run(
            ["git", *options, *arguments],
            cwd=cwd,
            env=environment(env),
            timeout=WRITE_SECONDS if writes else READ_SECONDS,
            stdin=stdin,
            output_limit=limit,
            log=log,
        )
    except RunnerProblem as problem:
        if problem.facts.get("cause") == "no_folder":
            raise GitFailed(f"{cwd} is not there any more", command=list(arguments), path=str(cwd)) from problem
        raise GitMissing from problem


def text(cwd: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Return the output of a reading call without its last newline."""
    return os.fsdecode(git(cwd, *arguments, env=env).output).rstrip("\n")


def names(output: bytes) -> list[str]:
    """Split `-z` output; names that are no UTF-8 keep their bytes as surrogates (os.fsencode gives them back)."""
    return [os.fsdecode(part) for part in output.split(b"\0") if part]


def joined(paths: list[str]) -> bytes:
    """Return paths as `-z` input."""
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def identity(cwd: Path) -> dict[str, str]:
    """Return the variables that sign harness-made commits, empty when the user's configuration names somebody."""
    known = git(cwd, "config", "-z", "--get-regexp", r"^user\.(name|email)$", accepts=(0, 1)).output
    if {entry.split("\n")[0].lower() for entry in names(known)} == {"user.name", "user.email"}:
        return {}
    return signature()


def signature() -> dict[str, str]:
    """Return the variables that sign a commit as the harness."""
    return {
        "GIT_AUTHOR_NAME": NAME,
        "GIT_AUTHOR_EMAIL": EMAIL,
        "GIT_COMMITTER_NAME": NAME,
        "GIT_COMMITTER_EMAIL": EMAIL,
    }


def _failure(cwd: Path, arguments: tuple[str, ...], finished: Finished) -> GitFailed | DiskLow:
    said = sayable(os.fsdecode(finished.errors)).strip()
    what = f"git {arguments[0]}"
    if finished.exit_code is None:
        reason = f"was ended after {finished.seconds:.0f} s ({finished.ended_by.value})"
    elif finished.truncated:
        reason = "answered more than can be held"
    else:
        reason = _told(said) or f"ended with exit code {finished.exit_code}"
    if "No space left on device" in said:
        return DiskLow(f"{what} in {cwd}: the disk is full", path=str(cwd))
    return GitFailed(
        sayable(f"{what} in {cwd}: {reason}"),
        command=list(arguments),
        exit_code=finished.exit_code,
        stderr=said[-4000:],
        path=str(cwd),
    )


def _told(said: str) -> str:
    """Return git's own complaint: its first fatal or error line, else its last line."""
    complaint = re.search(r"^(?:fatal|error): (.+)$", said, re.MULTILINE)
    return complaint[1] if complaint else said.rsplit("\n", 1)[-1]
