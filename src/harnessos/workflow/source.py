"""Hot reload: the newest good version of a WORKFLOW.md, and what is wrong with the file now."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import BadWorkflow
from harnessos.workflow.load import digest, parse_workflow, read_workflow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harnessos.ports import Clock
    from harnessos.workflow.values import Workflow

SETTLED_MS = 2_000
"""A file whose time stamp is older than this cannot change again without a new stamp, however coarse the clock."""


class Loaded(NamedTuple):
    """The workflow that counts, and the error of a newer edit that does not."""

    workflow: Workflow
    error: BadWorkflow | None


class _Stamp(NamedTuple):
    """What tells one state of a file from another without reading it."""

    changed_ns: int
    size: int
    inode: int
    device: int


class WorkflowSource:
    """Reads a WORKFLOW.md again whenever it changed. Made for ticks: asking costs one `stat` as a rule."""

    def __init__(self, path: Path, clock: Clock, environ: Mapping[str, str], home: Path) -> None:
        self._path = path
        self._clock = clock
        self._environ = environ
        self._home = home
        self._stamp: _Stamp | None = None
        self._seen: str | None = None
        self._loaded: Loaded | None = None

    def current(self) -> Loaded:
        """Return the last good version, with the error of the file as it is now, if it has one.

        Raises BadWorkflow only as long as there was no good version yet.
        """
        stamp = self._look()
        if self._loaded is not None and stamp is not None and stamp == self._stamp:
            return self._loaded
        # Remember a stamp only once it is old: an edit in the same tick of the file system's clock keeps its stamp.
        old = stamp is not None and stamp.changed_ns // 1_000_000 + SETTLED_MS < self._clock.now()
        self._stamp = stamp if old else None
        self._loaded = self._reload()
        return self._loaded

    def _look(self) -> _Stamp | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116 -- one call, no object; this is asked in every tick
        except OSError:
            return None  # reading it says why
        return _Stamp(max(found.st_mtime_ns, found.st_ctime_ns), found.st_size, found.st_ino, found.st_dev)

    def _reload(self) -> Loaded:
        before, self._seen = self._seen, None
        try:
            text = read_workflow(self._path)
            self._seen = digest(text)
            if self._loaded is not None and self._seen == before:
                return self._loaded
            return Loaded(parse_workflow(text, self._path, self._environ, self._home), None)
        except BadWorkflow as error:
            if self._loaded is None:
                raise
            return self._loaded._replace(error=error)
