"""A command's arguments filled from values, as if they had been typed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from harnessos.commands import quick
from harnessos.commands.arguments import EVERYWHERE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.commands.arguments import Command


def namespace(command: Command, values: Mapping[str, Any]) -> SimpleNamespace:
    """Return what the command's handler reads; what is not given is as if it had not been typed. Any: by argument."""
    known = {quick.dest(one): quick.default(one) for one in (*command.arguments, *EVERYWHERE)}
    return SimpleNamespace(**{**known, **{name: value for name, value in values.items() if name in known}})
