"""Break the code on purpose: for each guarantee, one change of the source that must turn named tests red.

Run by `make mutants`; words after it pick mutations by name. Each mutation of `mutations.toml` has

- `name`, and `guarantee`: what would be lost;
- `file`, `find`, `replace`: text that occurs exactly once in the file, and what takes its place;
- `tests`: pytest node ids; every one of them must fail, and all of them pass on the unbroken tree.

The work happens in a copy of the tree. Exit codes: 0 all caught, 1 one survived or could not be tried.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

from tests.support.python import ROOT, tracked_files

_LONGEST = 900.0  # seconds for the tests of one mutation
_NO_FAILURE, _FAILURE = 0, 1  # exit codes of pytest; all others say that it could not run the tests


class MutationError(Exception):
    """The entry does not fit the source or the tests."""


class Mutation(NamedTuple):
    """One entry of mutations.toml."""

    name: str
    guarantee: str
    file: str
    find: str
    replace: str
    tests: list[str]


class Result(NamedTuple):
    """What became of one mutation: `caught`, `survived` or `error`, with a word on why."""

    name: str
    state: str
    seconds: float
    detail: str


def load(path: Path) -> list[Mutation]:
    """Read the list; names are unique, no field may lack."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["mutation"]
    mutations = [Mutation(**entry) for entry in entries]
    names = [mutation.name for mutation in mutations]
    if len(set(names)) != len(names):
        message = "two mutations have one name"
        raise MutationError(message)
    return mutations


def broken(text: str, mutation: Mutation) -> str:
    """Return `text` with the mutation in it."""
    count = text.count(mutation.find)
    if count != 1 or mutation.find == mutation.replace or not mutation.tests:
        message = f"{mutation.file} has the text {count} times, it must be once, change something and name its tests"
        raise MutationError(message)
    return text.replace(mutation.find, mutation.replace)


def copy_tree(target: Path) -> None:
    """Copy what git tracks or would add."""
    for source in tracked_files():
        place = target / source.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, place)


def run_tests(tree: Path, tests: list[str]) -> tuple[int, set[str]]:
    """Run `tests` on `tree`; return pytest's exit code and the node ids that failed."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tree / "src"), str(tree)]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    options = ["-o", "addopts=--import-mode=importlib", "-p", "no:cacheprovider", "-q", "--tb=no", "-rfE"]
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *dict.fromkeys(tests)],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=_LONGEST,
        check=False,
    )
    marks = ("FAILED ", "ERROR ")
    red = {line.split(" ", 1)[1] for line in answer.stdout.splitlines() if line.startswith(marks)}
    return answer.returncode, red


def judge(mutation: Mutation, code: int, red: set[str]) -> tuple[str, str]:
    """Decide from pytest's answer whether the mutation was caught; every named test must be red."""
    if code not in {_NO_FAILURE, _FAILURE}:
        return "error", f"pytest ended with {code}: {', '.join(sorted(red)) or 'no such test?'}"
    green = [test for test in mutation.tests if not any(name.startswith(test) for name in red)]
    if green:
        return "survived", "still green: " + ", ".join(green)
    return "caught", f"{len(red)} red"


def attempt(tree: Path, mutation: Mutation) -> Result:
    """Apply one mutation, run its tests, take it back."""
    started = time.monotonic()
    place = tree / mutation.file
    try:
        original = place.read_text(encoding="utf-8")
        place.write_text(broken(original, mutation), encoding="utf-8")
        try:
            state, detail = judge(mutation, *run_tests(tree, mutation.tests))
        finally:
            place.write_text(original, encoding="utf-8")
    except (MutationError, OSError, subprocess.TimeoutExpired) as problem:
        state, detail = "error", str(problem)
    return Result(mutation.name, state, time.monotonic() - started, detail)


def main(words: list[str]) -> int:
    """Run the mutations that `words` name, all without words; print a table."""
    mutations = [item for item in load(ROOT / "tests" / "mutations.toml") if not words or item.name in words]
    if not mutations:
        print("no mutation has that name", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        code, red = run_tests(tree, [test for mutation in mutations for test in mutation.tests])
        if code != _NO_FAILURE:
            print(
                f"the tests are not green on the unbroken tree (pytest {code}):",
                *sorted(red),
                sep="\n  ",
                file=sys.stderr,
            )
            return 1
        width = max(len(mutation.name) for mutation in mutations)
        results = []
        for mutation in mutations:
            results.append(attempt(tree, mutation))
            name, state, seconds, detail = results[-1]
            print(f"{name:<{width}}  {state:<8}  {seconds:6.1f} s  {detail}", flush=True)
    caught = sum(result.state == "caught" for result in results)
    print(f"{caught} of {len(results)} mutations caught")
    return 0 if caught == len(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
