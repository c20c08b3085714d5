"""`harness audit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.commands.output import clean, dumps, instant
from harnessos.inspector import audit, views

if TYPE_CHECKING:
    from harnessos.commands.call import Call
    from harnessos.inspector.chains import Finding


def show(call: Call) -> int:
    """Show a subject's history, or check that nobody changed one (or any)."""
    args = call.args
    if args.verify:
        return _verify(call)
    if args.subject is None:
        raise errors.BadUsage(
            "whose history? Name an issue, a project, or give --verify", hint="`harness audit --help`"
        )
    seen = call.harness.read(audit.query, args.subject, args.cursor, args.limit)
    lines = [f"{instant(entry.at)}  {entry.text}  ({entry.actor})" for entry in seen.timeline]
    if seen.cursor:
        lines.append(f"more: --cursor {seen.cursor}")
    call.out.show(views.document(seen), "\n".join(lines) or "nothing has happened to it")
    return 0


def _verify(call: Call) -> int:
    if call.args.subject is None:
        call.harness.read(_nothing)
        found = list(audit.verify_all(call.harness.reading))
    else:
        found = call.harness.read(audit.verify, call.args.subject)
    document = {"audit_version": audit.VERSION, "ok": not found, "findings": views.document(found)}
    call.out.show(document, _told(found))
    return 1 if found else 0


def _nothing(_: object) -> None:
    """Open the ledger, so that a problem with it is told before the work begins."""


def _told(found: list[Finding]) -> str:
    if not found:
        return "every chain is whole"
    return "\n".join(f"{finding.what}: {finding.text}" for finding in found)


def anchor(call: Call) -> None:
    """Print every chain's head, a line each, to be kept outside the ledger."""
    cursor: str | None = call.args.cursor
    while cursor is not None:
        page = call.harness.read(audit.anchor, cursor)
        cursor = page.cursor
        for head in page.heads:
            line = (
                dumps(views.document(head)) if call.out.json else f"{head.kind}  {head.name}  {head.seq}  {head.head}"
            )
            print(clean(line))
