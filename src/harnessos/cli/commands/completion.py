"""`harness completion bash|zsh`: static scripts, made from the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.cli.completing import script

if TYPE_CHECKING:
    from harnessos.cli.call import Call


def completion(call: Call) -> None:
    """Print the script."""
    text = script(call.args.shell)
    call.out.show({"shell": call.args.shell, "script": text}, text)
