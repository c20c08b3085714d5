"""What the room speaks in: levels, limits, checks and results. Values only."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NOT_ISOLATED = "not_isolated"
NOT_RUN = "not_run"
MB = 2**20


class Level(enum.Enum):
    """How well a check is kept apart, best first. A level is only ever named when it was in force."""

    FULL = "full"
    NAMESPACES = "namespaces"
    LIMITS = "limits"

    def reaches(self, minimum: Level) -> bool:
        """Tell whether this level is at least as good as `minimum`."""
        order = list(Level)
        return order.index(self) <= order.index(minimum)


class Limits(NamedTuple):
    """What one check may use. Seconds, bytes and numbers.

    `wall` is of the whole check, `cpu` and `memory` (address space) of each of its processes, `memory_together` of all
    of them. `output_kept` is the end of the output that stays, `output` what ends its producer. `file` bounds one file,
    `scratch` and
    `scratch_files` all it writes. `copy_bytes` and `copy_files` bound the copy of the workspace that level `limits` works on.
    """

    wall: float = 60.0
    cpu: int = 30
    memory: int = 512 * MB
    memory_together: int = 1024 * MB
    processes: int = 64
    output_kept: int = 1_000_000
    output: int = 16 * MB
    file: int = 256 * MB
    scratch: int = 256 * MB
    scratch_files: int = 20_000
    copy_bytes: int = 1024 * MB
    copy_files: int = 100_000


DEFAULT_LIMITS = Limits()


class CheckKind(enum.Enum):
    """How a check is written."""

    PYTHON = "python"
    SH = "sh"
    STRUCTURAL = "check"


class Check(NamedTuple):
    """One executable check: a snippet's `text`, or the `fields` of a structural one (see `inside/structural.py`)."""

    kind: CheckKind
    text: str = ""
    fields: Mapping[str, object] = {}

    @classmethod
    def python(cls, text: str) -> Check:
        """Return a snippet: `workspace` is a `pathlib.Path`, an exception or a failed assert fails it."""
        return cls(CheckKind.PYTHON, text)

    @classmethod
    def sh(cls, text: str) -> Check:
        """Return a script for `sh -eu` in the workspace: any failing command or unset variable fails it."""
        return cls(CheckKind.SH, text)

    @classmethod
    def structural(cls, fields: Mapping[str, object]) -> Check:
        """Return a check without code: `kind` is file, json_schema, count, regex, freshness or command.

        `command` takes `run`, `exit` (0) and `timeout_s`; the others are described in `inside/structural.py`.
        """
        return cls(CheckKind.STRUCTURAL, "", fields)


class Result(NamedTuple):
    """What became of one check.

    `detail` is one line: why it failed, or what was found. `level` is what was in force, None when the check was not
    run (`detail` begins with `not_isolated:` or `not_run:`), `guards` names each protection that held. `output` is the
    end of what it printed, secrets blacked out. `survivors` is the number of processes left, 0 unless the machine
    refused to end one.
    """

    passed: bool
    detail: str
    seconds: float
    level: Level | None
    output: str = ""
    survivors: int = 0
    guards: tuple[str, ...] = ()


def best_of(levels: Iterable[Level], minimum: Level) -> Level | None:
    """Return the best of the levels, None when none reaches the minimum."""
    good = [level for level in levels if level.reaches(minimum)]
    return min(good, key=list(Level).index, default=None)
