"""What every handler gets: the arguments, the harness behind them, and where to show the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from harnessos.app.harness import Harness
    from harnessos.cli.output import Output


class Call(NamedTuple):
    """One call of a command. Any: `args` is a namespace with the names the command's table entry declares."""

    args: Any
    harness: Harness
    out: Output
