"""From what a keeper says to a result: which of the many ends it was, in one line. Pure."""

from __future__ import annotations

import base64
import json
import signal
from typing import TYPE_CHECKING, NamedTuple

from harnessos.isolation.levels import MB, NOT_ISOLATED, Limits
from harnessos.isolation.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LONGEST_DETAIL = 600
_UNSAFE = (*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000))
_CONTROLS = dict.fromkeys(_UNSAFE, "\ufffd")
_IN_LINE = {**_CONTROLS, ord("\n"): " ", ord("\t"): " ", 0x2028: " ", 0x2029: " "}
_IN_TEXT = {code: text for code, text in _CONTROLS.items() if code not in (ord("\n"), ord("\t"))}
_SIGNALS = {
    signal.SIGXCPU: "used more than {cpu} s of CPU time",
    signal.SIGXFSZ: "wrote a file of more than {file} MB",
}


class Story(NamedTuple):
    """A keeper's answer. `problem` says that the box could not be made, and nothing else then counts."""

    problem: str = ""
    why: str = ""
    code: int = 0
    cpu: float = 0.0
    verdict: bytes = b""
    output: bytes = b""
    errors: bytes = b""
    truncated: bool = False
    guards: tuple[str, ...] = ()


class Judgement(NamedTuple):
    """What a story means; `made` is False when there was no box."""

    passed: bool
    detail: str
    output: str
    made: bool


def story_of(answer: bytes) -> Story | None:
    """Return what a keeper said, None when it did not get that far."""
    try:
        said = json.loads(answer)
    except ValueError:
        return None
    if "problem" in said:
        return Story(problem=said["problem"])
    for name in ("verdict", "output", "errors"):
        said[name] = base64.b64decode(said[name])
    return Story(**{**said, "guards": tuple(said["guards"])})


def judge(story: Story, limits: Limits, *, wants_code: int | None, known: Iterable[str] = ()) -> Judgement:
    """Return the verdict, its one line and the output, with nothing secret in either.

    `wants_code` is the exit code of a script that passes; None for a program that gives a verdict of its own.
    """
    secrets = tuple(known)
    verdict = _verdict(story.verdict)
    problem = story.problem or str(verdict.get("problem", ""))
    if problem:
        return Judgement(False, line(f"{NOT_ISOLATED}: {problem}", secrets), "", made=False)
    passed, detail = _decide(story, verdict, limits, wants_code)
    output = redacted(story.output.decode("utf-8", "replace"), secrets).translate(_IN_TEXT)
    return Judgement(passed, line(detail, secrets), output, made=True)


def line(text: str, known: Iterable[str] = ()) -> str:
    """Return a text as one short line that is safe to show anywhere."""
    short = redacted(text, known).translate(_IN_LINE).strip()
    return short if len(short) <= _LONGEST_DETAIL else short[: _LONGEST_DETAIL - 1] + "\u2026"


def _decide(story: Story, verdict: Mapping[str, object], limits: Limits, wants_code: int | None) -> tuple[bool, str]:
    crossed = {
        "wall": f"timed out after {limits.wall:g} s",
        "processes": f"more than {limits.processes} processes",
        "output": f"wrote more than {limits.output / MB:g} MB of output",
        "scratch": f"wrote more than {limits.scratch / MB:g} MB or {limits.scratch_files:,} files, or folders too deep to look at",
        "memory": f"used more than {limits.memory_together / MB:g} MB of memory",
    }.get(story.why)
    if crossed is not None:
        return False, crossed
    if story.code < 0:
        return False, _killed(story, limits)
    if wants_code is not None:
        return _by_code(story, wants_code)
    if "passed" not in verdict:
        return False, f"ended with exit code {story.code} before it had a verdict{_last(story.errors)}"
    if verdict["passed"] is True and story.code != 0:
        return False, f"exit code {story.code} after its last line{_last(story.errors)}"
    return verdict["passed"] is True, str(verdict.get("detail", ""))


def _killed(story: Story, limits: Limits) -> str:
    number = -story.code
    if number == signal.SIGKILL and story.cpu >= limits.cpu:
        number = signal.SIGXCPU
    words = _SIGNALS.get(signal.Signals(number)) if number in signal.valid_signals() else None
    if words is not None:
        return words.format(cpu=limits.cpu, file=limits.file // MB)
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return f"ended by {name}{_last(story.errors)}"


def _by_code(story: Story, wanted: int) -> tuple[bool, str]:
    if story.code == wanted:
        return True, f"exit code {wanted}" if wanted else ""
    said = f"exit code {story.code}" + (f", {wanted} is wanted" if wanted else "")
    return False, said + (_last(story.errors) or _last(story.output))


def _last(errors: bytes) -> str:
    lines = [text for text in errors.decode("utf-8", "replace").splitlines() if text.strip()]
    return f": {lines[-1].strip()}" if lines else ""


def _verdict(data: bytes) -> Mapping[str, object]:
    """Return the first object a program wrote; a program that floods its descriptor says nothing."""
    try:
        said, _ = json.JSONDecoder().raw_decode(data.decode("utf-8", "replace"))
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
