"""Runs one snippet or structural check inside the box: `python program.py task.json`.

The verdict goes to descriptor 3 as `{"passed": bool, "detail": text}`, what is printed to the usual places. A program
that ends without a verdict (`os._exit`, a crash) has not passed.
"""

from __future__ import annotations

import importlib
import json
import linecache
import os
import pathlib
import sys
import traceback
import types

VERDICT = 3
NAME = "<check>"
_LONGEST = 500


def main() -> None:
    """Do the task named by the first argument."""
    os.set_inheritable(VERDICT, False)
    task = json.loads(pathlib.Path(sys.argv[1]).read_bytes())
    workspace = pathlib.Path(task["workspace"])
    if task["kind"] == "python":
        run_snippet(task["text"], workspace)
        return
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    structural = importlib.import_module("structural")
    say(*structural.judged(task["fields"], workspace, task["now"]))


def run_snippet(text: str, workspace: pathlib.Path) -> None:
    """Execute the text as `__main__` and say whether it came to its end."""
    me = os.getpid()
    module = types.ModuleType("__main__")
    module.__dict__["workspace"] = workspace
    sys.modules["__main__"] = module
    sys.argv = [NAME]
    linecache.cache[NAME] = (len(text), None, text.splitlines(keepends=True), NAME)
    problem: BaseException | None = None
    try:
        exec(compile(text, NAME, "exec"), module.__dict__)  # noqa: S102 # the whole purpose, inside the box
    except BaseException as raised:  # noqa: BLE001 # whatever it is, it is the answer
        problem = raised
    if os.getpid() != me:
        return  # a fork of the snippet came here too: only the snippet itself has a verdict
    if problem is None or (isinstance(problem, SystemExit) and problem.code in (None, 0)):
        say(True, "")
        return
    say(False, reason(problem, text))
    if not isinstance(problem, SystemExit):
        traceback.print_exception(problem)
    sys.exit(1)


def reason(problem: BaseException, text: str) -> str:
    """Return one line: the kind of the exception, its message or the line that raised it, and the line's number."""
    if isinstance(problem, SystemExit):
        return f"the snippet ended itself with: {problem.code}"
    name = type(problem).__name__
    if isinstance(problem, SyntaxError) and problem.filename == NAME:
        return f"{name}: {problem.msg} (line {problem.lineno})"
    line = 0
    step = problem.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == NAME:
            line = step.tb_lineno
        step = step.tb_next
    try:
        message = " ".join(str(problem).split())[:_LONGEST]
    except Exception:  # noqa: BLE001 # its own __str__ fails
        message = ""
    lines = text.splitlines()
    message = message or (lines[line - 1].strip()[:_LONGEST] if 0 < line <= len(lines) else "")
    return name + (f": {message}" if message else "") + (f" (line {line})" if line else "")


def say(passed: bool, detail: str) -> None:
    """Give the verdict."""
    os.write(VERDICT, json.dumps({"passed": passed, "detail": detail}).encode())


if __name__ == "__main__":
    main()
