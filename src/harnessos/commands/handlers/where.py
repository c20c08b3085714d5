"""`harness where`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.app import placing

if TYPE_CHECKING:
    from harnessos.commands.call import Call


def where(call: Call) -> None:
    """Show which ledger and project are meant here, also when they cannot be used."""
    found = placing.look(call.harness)
    call.out.show(found.document(), found.text())
