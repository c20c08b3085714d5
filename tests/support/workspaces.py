"""A mission's workspace as a person or an agent meets it: documents filled in, commands typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.commands import Said, Terminal
from tests.support.mission_documents import FILLED


class Workspace:
    """A filled-in workspace and a terminal whose home is a new one.

    `ws("mission done", "--step", "4")` types `harness mission done WS --step 4`. Without `made` nothing is there yet.
    """

    def __init__(self, folder: Path, *, booted: bool = True, made: bool = True) -> None:
        self.path = folder / "ws"
        self.terminal = Terminal(folder / "home", folder)
        if not made:
            return
        assert self("mission boot", "--init").code == 0
        self.fill()
        if booted:
            assert self("mission boot").code == 0

    def fill(self, **texts: str) -> None:
        """Write the documents; `mission="..."` replaces mission.md."""
        given = {f"{name}.md": text for name, text in texts.items()}
        for name, text in {**FILLED, **given}.items():
            (self.path / name).write_text(text, encoding="utf-8")

    def __call__(self, command: str, *flags: str, **env: str) -> Said:
        return self.terminal(*command.split(), str(self.path), *flags, **env)

    def good(self, command: str, *flags: str, **env: str) -> Any:
        """The JSON document of a command that succeeds. Any: a test looks into it."""
        return self.terminal.good(*command.split(), str(self.path), *flags, **env)

    def start(self) -> str:
        """Begin a run; return its token."""
        return str(self.good("mission start")["token"])

    def done(self, step: str = "4", summary: str = "made it") -> Any:
        return self.good("mission done", "--step", step, "--summary", summary)

    def produce(self, lines: int = 1) -> None:
        """Write what the checks of every run ask for."""
        (self.path / "output").mkdir(exist_ok=True)
        (self.path / "output" / "report.md").write_text("".join(f"line {number}\n" for number in range(lines)))

    @property
    def mission(self) -> Any:
        return self.good("mission show")["mission"]

    def text(self, name: str) -> str:
        """A file of the workspace."""
        return (self.path / name).read_text(encoding="utf-8")

    @property
    def stream(self) -> str:
        return self.text("logs/execution_stream.log")

    def events(self) -> list[str]:
        """The kinds of the mission's events, oldest first."""
        seen = self.terminal.good("audit", self.mission["identifier"], "--limit", "500")
        return [event["kind"] for event in seen["timeline"]]


def commands() -> list[str]:
    """The command lines of every process of this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue  # it has gone
    return found
