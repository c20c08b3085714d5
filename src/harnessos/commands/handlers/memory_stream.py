"""`harness memory stream`: called hundreds of times a day, so nothing heavy is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.app.harness import fingerprint
from harnessos.errors import NotAFile
from harnessos.kernel import runs
from harnessos.memory import stream as log
from harnessos.mission import marks

if TYPE_CHECKING:
    from pathlib import Path

    from harnessos.commands.call import Call


def stream(call: Call) -> None:
    """Append one event, and renew the lease of the run it belongs to."""
    args = call.args
    place = _place(call)
    store = marks.store_of(place)
    token = args.session or call.harness.environ.get("HARNESS_SESSION_TOKEN") or marks.token_of(place)
    record = log.line(call.harness.clock.now(), args.level, args.step, args.event)
    if token is not None:
        # Before anything is written: a run whose lease moved on writes nothing any more.
        ledger = call.harness.beside(store)
        try:
            ledger.write(runs.note_line, fingerprint(token))
        finally:
            ledger.close()
    log.append(place, record)
    call.out.show({"record": record.decode().rstrip("\n")}, record.decode().rstrip("\n"))


def _place(call: Call) -> Path:
    """Return the workspace; it is looked for by a mission's identifier only where there is no such folder."""
    try:
        return marks.resolve(call.args.workspace)
    except NotAFile:
        from harnessos.app.missions.opening import found_by_name

        found = found_by_name(call.harness, call.args.workspace)
        if found == call.args.workspace:
            raise
        return marks.resolve(found)
