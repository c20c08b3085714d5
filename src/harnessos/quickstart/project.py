"""Write the quickstart's folder: a git repository, a plan beside it, the scripted agent and what it plays back."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import Refused
from harnessos.workflow.variables import DEFAULT_PROMPT
from harnessos.worktrees.git import git, identity, text

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT_KEY = "WORDS"
BRANCH = "main"
DATA = Path(__file__).parent / "data"
AGENT = "scripted_agent.py"
"""Its file in the package is a link to the program in `examples/agents`."""
FOLDER = "harness-quickstart"


class Quickstart(NamedTuple):
    """What was made. `commit` is the first one; `tests` is pytest, or unittest where that is not installed."""

    folder: Path
    repository: Path
    plan: Path
    workflow: Path
    agent: Path
    script: Path
    commit: str
    tests: str


def free_folder(parent: Path) -> Path:
    """Return a path in `parent` where nothing is yet: harness-quickstart, harness-quickstart-2, ..."""
    names = itertools.chain([FOLDER], (f"{FOLDER}-{number}" for number in itertools.count(2)))
    return next(path for path in (parent / name for name in names) if not path.exists())


def make_project(folder: Path, python: str = sys.executable, *, pytest: bool | None = None) -> Quickstart:
    """Make `folder` with `wordkit/` (a repository on branch main), `plan.yaml` and `agents/`; needs no network.

    `python` runs the agents and the gates; with `pytest` None its tests are run by pytest if this interpreter has it.
    Refused when the folder holds something or cannot be written, GitMissing and GitFailed as git has it; then nothing
    of it is left.
    """
    folder = folder.absolute()
    there = _require_free(folder)
    text(Path("/"), "--version")
    try:
        return _make(folder, python, pytest=pytest)
    except BaseException as problem:
        _unmake(folder, keep=there)
        if isinstance(problem, OSError):
            raise _unwritable(folder, problem) from problem
        raise


def _require_free(folder: Path) -> bool:
    """Return whether the folder exists; Refused when it holds something, or cannot be looked at."""
    try:
        there = folder.exists()
        if there and (not folder.is_dir() or any(folder.iterdir())):
            raise Refused(f"{folder} is not empty", hint="name a folder that does not exist yet", path=str(folder))
    except OSError as problem:
        raise _unwritable(folder, problem) from problem
    return there


def _unwritable(folder: Path, problem: OSError) -> Refused:
    where = problem.filename or folder
    return Refused(
        f"{where} cannot be written: {problem.strerror}",
        hint="name a folder where you may write: `harness quickstart FOLDER`",
        path=str(folder),
    )


def _unmake(folder: Path, *, keep: bool) -> None:
    """Take away what was made before something failed; the folder itself stays where it was there before."""
    for entry in list(folder.iterdir()) if keep else [folder]:
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _make(folder: Path, python: str, *, pytest: bool | None) -> Quickstart:
    repository, agents = folder / "wordkit", folder / "agents"
    found = find_spec("pytest") is not None if pytest is None else pytest
    words = commands(python, agents, pytest=found)
    _write_tree(DATA / "project", repository)
    _write_tree(DATA / "answers", agents / "answers")
    agent = Path(shutil.copyfile(DATA / f"{AGENT}.txt", agents / AGENT))
    script = _fill("script.json", agents / "script.json", words)
    plan = _fill("plan.yaml", folder / "plan.yaml", words)
    workflow = _fill("WORKFLOW.md", repository / "WORKFLOW.md", words, DEFAULT_PROMPT)
    commit = _commit(repository)
    return Quickstart(folder, repository, plan, workflow, agent, script, commit, "pytest" if found else "unittest")


def commands(python: str, agents: Path, *, pytest: bool) -> Mapping[str, str]:
    """Return the words the documents leave open, quoted for YAML and JSON: $agent, $tests (a file follows), $all_tests."""
    runner = [python, "-m", "pytest", "-q"] if pytest else [python, "-m", "unittest"]
    everything = runner if pytest else [*runner, "discover", "-s", "tests", "-t", "."]
    return {
        "agent": _quoted([python, str(agents / AGENT), "--script", str(agents / "script.json")]),
        "tests": _quoted(runner),
        "all_tests": _quoted(everything),
    }


def _quoted(words: list[str]) -> str:
    return ", ".join(json.dumps(word, ensure_ascii=False) for word in words)


def _write_tree(source: Path, target: Path) -> None:
    """Copy a folder of the package; its files end in `.txt` there, so that no tool takes them for our own code."""
    for path in sorted(source.rglob("*.txt")):
        place = target / path.relative_to(source).with_suffix("")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def _fill(name: str, place: Path, words: Mapping[str, str], tail: str = "") -> Path:
    template = (DATA / f"{name}.txt").read_text(encoding="utf-8")
    place.write_text(Template(template).substitute(words) + tail, encoding="utf-8")
    return place


def _commit(repository: Path) -> str:
    git(repository, "init", "--quiet", f"--initial-branch={BRANCH}", writes=True)
    git(repository, "add", "--all", writes=True)
    git(
        repository, "commit", "--quiet", "--no-verify", "-m", "Begin wordkit: the tests say what is missing",
        writes=True, env=identity(repository),
    )  # fmt: skip
    return text(repository, "rev-parse", "HEAD")
