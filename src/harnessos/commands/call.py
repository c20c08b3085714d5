"""What every handler gets: the arguments, the harness behind them, and where to show the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harnessos.app.harness import Harness
    from harnessos.commands.output import Output


class Call:
    """One call of a command. Any: `args` is a namespace with the names the command's table entry declares."""

    __slots__ = ("args", "harness", "out")

    def __init__(self, args: Any, harness: Harness, out: Output) -> None:
        self.args = args
        self.harness = harness
        self.out = out
