"""The live table of `harness up` on a terminal: what runs, what is done, the last events."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harnessos.app import supervising
from harnessos.commands.output import clean, console

if TYPE_CHECKING:
    from types import TracebackType

LAST = 8
_SHOWN = {"in_progress": "cyan", "done": "green", "failed": "red", "blocked": "yellow", "ready": "default"}


class LiveTable:
    """`with LiveTable() as table:` shows what `table.tell` is told."""

    def __init__(self) -> None:
        self._issues: dict[str, dict[str, str]] = {}
        self._last: deque[str] = deque(maxlen=LAST)
        self._live = Live(self._render(), console=console(), refresh_per_second=8, transient=False)

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.update(self._render())
        self._live.stop()

    def tell(self, event: Mapping[str, object]) -> None:
        """Take an event in and show the table anew."""
        self._last.append(clean(supervising.line(event), line=True))
        missions = event.get("missions")
        if isinstance(missions, list):
            for name in missions:
                self._issues.setdefault(str(name).split()[0], {"status": "waiting", "what": "waits for its schedule"})
        issue = event.get("issue")
        if isinstance(issue, str):
            row = self._issues.setdefault(issue, {"status": "", "what": ""})
            data = event.get("data")
            changed = data.get("set", {}) if isinstance(data, Mapping) else {}
            row["status"] = str(changed.get("status", row["status"]))
            row["what"] = str(event["event"])
        self._live.update(self._render())

    def _render(self) -> Group:
        table = Table(box=None, pad_edge=False)
        for name in ("issue", "status", "last event"):
            table.add_column(name, no_wrap=name == "issue", overflow="fold")
        for issue, row in sorted(self._issues.items(), key=lambda item: (len(item[0]), item[0]))[-40:]:
            table.add_row(issue, Text(row["status"], style=_SHOWN.get(row["status"], "default")), row["what"])
        return Group(table, Text("\n".join(self._last), style="dim"))
