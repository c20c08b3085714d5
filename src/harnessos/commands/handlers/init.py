"""`harness init`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harnessos.app import registering
from harnessos.app.harness import harness
from harnessos.settings import without_password

if TYPE_CHECKING:
    from harnessos.app.registering import Registered
    from harnessos.commands.call import Call
    from harnessos.commands.output import Output


def init(call: Call) -> None:
    """Register the place; settings are those of the place, not of the caller's folder."""
    args = call.args
    found = registering.look(Path(args.path))
    here = harness(args.store, call.harness.environ, found.root, "init")
    if args.dry_run:
        plan = registering.preview(here, found, args.key, workflow=args.workflow)
        call.out.show({"would": plan}, "\n".join(f"would {line}" for line in plan) or "nothing would change")
        return
    done = registering.register(here, found, args.key, args.name, force=args.force)
    here.close()
    workflow = registering.write_workflow(found) if args.workflow else None
    password = here.settings.store_url != without_password(here.settings.store_url)
    _notes(call.out, done, workflow, wanted=args.workflow, password=password)
    project, place = done.project, done.registration
    call.out.show(
        {
            "project": {name: project[name] for name in ("id", "key", "name", "kind", "target")},
            "ledger_id": place.ledger_id,
            "store": place.store,
            "path": str(place.path),
            "registration": str(place.file),
            "workflow": None if workflow is None else str(workflow),
            "created": {"store": done.store.created, "project": done.created},
            "upgraded": done.store.upgraded,
        },
        f"{project['key']}: {place.path}, in the ledger {place.store}",
    )


def _notes(out: Output, done: Registered, workflow: Path | None, *, wanted: bool, password: bool) -> None:
    """Say what was written, on standard error."""
    place = done.registration
    if done.store.created:
        out.note(f"created the ledger {place.store}")
    if done.store.upgraded:
        out.note(f"upgraded the ledger {place.store}" + (f"; backup: {done.store.backup}" if done.store.backup else ""))
    out.note(f"{'created' if done.created else 'joined'} the project {place.project_key}")
    if password:
        out.note("its password is not stored: keep it in PGPASSWORD, ~/.pgpass or HARNESS_STORE")
    if done.earlier != place:
        out.note(f"wrote {place.file}")
    if wanted:
        out.note(
            f"wrote {workflow}" if workflow else f"{place.path / 'WORKFLOW.md'} exists already and was left as it is"
        )
