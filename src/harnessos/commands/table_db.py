"""The commands of `harness db`."""

from __future__ import annotations

from harnessos.commands.arguments import FORCE, Command, arg, flag

DATABASE: tuple[Command, ...] = (
    Command("db check", "db:check", "look for damage in the ledger"),
    Command(
        "db backup",
        "db:backup",
        "copy the ledger as of one instant, while it is in use",
        (arg("file", metavar="FILE", help="a file that does not exist yet"),),
    ),
    Command(
        "db restore",
        "db:restore",
        "put a backup in the ledger's place",
        (
            arg("file", metavar="FILE", help="a backup"),
            flag("--replace", "there is a ledger already: put it aside, beside the new one"),
            FORCE,
        ),
    ),
    Command(
        "db export",
        "db:export",
        "write everything as JSON lines",
        (arg("file", metavar="FILE", nargs="?", default="-", help="a new file; `-`, standard output, by default"),),
    ),
    Command(
        "db import",
        "db:load",
        "read an export into a ledger that does not exist or is empty",
        (arg("file", metavar="FILE", help="an export"),),
    ),
    Command("db upgrade", "db:upgrade", "bring the ledger to this program's schema, after a backup", (FORCE,)),
)
