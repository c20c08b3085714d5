"""What the supervisor tells, kept in a file as well: `up --logs-root` (SYM-13.1, SYM-13.2)."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.dispatch.manifest import instant
from harnessos.files import private_folder

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.ports import Clock

Tell = Callable[[Mapping[str, object]], None]

NAME = "harness.log"
LARGEST = 10 * 2**20
KEPT = 5
"""Bytes of one file, and how many older ones are kept: `harness.log.1` is the newest of them."""
LONGEST = 1_000
"""Characters of one value; a tool's output in a reason must not fill the log."""


@contextmanager
def logged(folder: Path, tell: Tell, clock: Clock) -> Iterator[Tell]:
    """Yield a `tell` that also appends each event to `folder`/harness.log. Refused when that cannot be opened.

    A disk that fills up later stops the log and not the service: that is told once, through `tell`.
    """
    try:
        sink = _Sink(private_folder(folder) / NAME)
    except OSError as problem:
        raise errors.Refused(
            f"no log can be written in {folder}: {problem.strerror}",
            hint="name another folder for --logs-root",
            path=str(folder),
        ) from problem

    def both(event: Mapping[str, object]) -> None:
        had_failed = sink.problem
        sink.append(line({"at": instant(clock.now()), **event}))
        if sink.problem and not had_failed:
            tell({"event": "up.cannot_log", "reason": sink.problem})
        tell(event)

    try:
        yield both
    finally:
        sink.close()


def line(event: Mapping[str, object]) -> str:
    """Return an event as `key=value` words on one line; what is no plain word is in JSON."""
    return " ".join(f"{name}={_word(value)}" for name, value in event.items())


def _word(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    plain = cut.isascii() and cut.isprintable() and cut and not any(letter in cut for letter in ' "=')
    return cut if plain else json.dumps(cut)


class _Sink:
    """A rotated file. `problem` is what the last write met, empty when it went well."""

    def __init__(self, path: Path) -> None:
        self.problem = ""
        self._handler = RotatingFileHandler(path, maxBytes=LARGEST, backupCount=KEPT, encoding="utf-8")
        self._handler.handleError = self._note  # type: ignore[method-assign]  # its way of hearing of failed writes

    def append(self, text: str) -> None:
        self.problem = ""
        self._handler.emit(logging.LogRecord("harness", logging.INFO, "", 0, text, None, None))

    def _note(self, record: logging.LogRecord) -> None:
        del record
        self.problem = f"{self._handler.baseFilename}: {sys.exc_info()[1]}"

    def close(self) -> None:
        """Close the file; what could not be written was told of."""
        with suppress(OSError):
            self._handler.close()
