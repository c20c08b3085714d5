"""`harness db`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harnessos.app import operating, upkeep
from harnessos.inspector.views import counted

if TYPE_CHECKING:
    from harnessos.commands.call import Call


def check(call: Call) -> int:
    """Look for damage; exit 1 when some is found."""
    found = upkeep.problems(call.harness)
    url = call.harness.settings.store_url
    text = "\n".join(found) if found else "no damage found"
    call.out.show({"problems": found}, text)
    if found:
        call.out.note("the ledger was not changed; `harness db restore BACKUP --replace` puts a backup in its place")
        call.out.note(f"store: {upkeep.without_password(url)}")
    return 1 if found else 0


def backup(call: Call) -> None:
    """Copy the ledger."""
    target = Path(call.args.file).absolute()
    upkeep.backup(call.harness, target)
    call.out.show({"file": str(target)}, f"copied to {target}; `harness db restore {target} --replace` brings it back")


def restore(call: Call) -> None:
    """Put a backup in the ledger's place."""
    saved = Path(call.args.file).absolute()
    operating.require_operator(call.harness, "restore a ledger", f"harness db restore {saved}")
    kept = upkeep.restore(call.harness, saved, replace=call.args.replace, force=call.args.force)
    url = upkeep.without_password(call.harness.settings.store_url)
    call.out.note(f"{'replaced' if kept else 'created'} the ledger {url}")
    aside = f"; the former one is kept at {kept}" if kept else ""
    call.out.show({"store": url, "kept": None if kept is None else str(kept)}, f"restored {url}{aside}")


def export(call: Call) -> None:
    """Write everything as JSON lines, to a new file or to standard output."""
    if call.args.file == "-":
        upkeep.export_to_stdout(call.harness)
        return
    target = Path(call.args.file).absolute()
    rows = upkeep.export(call.harness, target)
    call.out.show({"file": str(target), "rows": rows}, f"wrote {counted(rows, 'row')} to {target}")


def load(call: Call) -> None:
    """Read an export."""
    operating.require_operator(call.harness, "import a ledger", f"harness db import {call.args.file}")
    url = upkeep.without_password(call.harness.settings.store_url)
    rows, created = upkeep.load(call.harness, Path(call.args.file))
    if created:
        call.out.note(f"created the ledger {url}")
    call.out.show({"store": url, "rows": rows}, f"read {counted(rows, 'row')} into {url}")


def upgrade(call: Call) -> None:
    """Bring the ledger to this program's schema."""
    operating.require_operator(call.harness, "upgrade a ledger", "harness db upgrade")
    url = upkeep.without_password(call.harness.settings.store_url)
    upgraded, backup_file = upkeep.upgrade(call.harness, force=call.args.force)
    if backup_file:
        call.out.note(f"backup: {backup_file}; `harness db restore {backup_file} --replace` goes back")
    document = {"store": url, "upgraded": upgraded, "backup": None if backup_file is None else str(backup_file)}
    call.out.show(document, f"{url} {'was upgraded' if upgraded else 'has the current schema already'}")
