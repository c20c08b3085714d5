"""`harness memory`: what a mission learnt, and looking for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.app.missions.opening import At
from harnessos.app.missions.verbs import held, renew
from harnessos.commands.handlers.report import length_ms
from harnessos.memory import search as searching
from harnessos.mission import remembering
from harnessos.mission.pointers import pointers
from harnessos.model.instants import stamp

if TYPE_CHECKING:
    from harnessos.commands.call import Call
    from harnessos.memory.checking import Finding


def learn(call: Call) -> None:
    """Keep an insight."""
    with At(call.harness, call.args.workspace) as at:
        found = remembering.learn(at.site, held(at, call.args.session), call.args.topic, call.args.insight)
        pointer = pointers(at.site)[found.slug]
        document = {
            "topic": found.slug,
            "file": str(found.path),
            "entry": found.entry_id,
            "created": found.created,
            "duplicate_of": found.duplicate_of,
            "superseded": list(found.superseded),
            "shared_with": found.shared_with,
            "verified": pointer.verified,
        }
        call.out.show(
            document, _learnt(found.slug, found.duplicate_of, found.superseded, found.shared_with, pointer.verified)
        )


def _learnt(slug: str, duplicate: str | None, superseded: tuple[str, ...], shared: str | None, verified: bool) -> str:
    if duplicate:
        return f"knowledge/{slug}.md says this already ({duplicate}); nothing was added"
    text = f"kept in knowledge/{slug}.md, pointer registered"
    text += "" if verified else " as unverified until an eval of this run passes"
    text += f"; it supersedes {', '.join(superseded)}" if superseded else ""
    return text + (f"; the topic is shared with {shared!r}" if shared else "")


def search(call: Call) -> None:
    """Search the stream."""
    args = call.args
    with At(call.harness, args.workspace) as at:
        renew(at, args.session)
        since = call.harness.clock.now() - length_ms(args.since) if args.since else None
        hits = list(
            searching.search(
                at.place,
                args.query,
                regex=args.regex,
                case=args.case,
                level=args.level,
                step=args.step,
                since=since,
                most=args.max,
                topics=args.topics,
            )
        )
        document = {
            "items": [{**hit._asdict(), "file": str(hit.file.relative_to(at.place))} for hit in hits],
            "query": args.query,
        }
        lines = [
            f"{stamp(hit.at) if hit.at is not None else hit.file.relative_to(at.place)}  {hit.level:7}  {hit.step}  {hit.text}"
            for hit in hits
        ]
        call.out.show(document, "\n".join(lines) or f"no line holds {args.query!r}")


def topics(call: Call) -> None:
    """List the topics."""
    with At(call.harness, call.args.workspace) as at:
        renew(at, call.args.session)
        known = pointers(at.site)
        rows = [
            (row.slug, row.title, row.entries, "verified" if row.verified else "unverified", stamp(row.updated_at))
            for row in known.values()
        ]
        document = {"items": [row._asdict() | {"file": f"knowledge/{row.slug}.md"} for row in known.values()]}
        call.out.table(document, ("TOPIC", "TITLE", "ENTRIES", "STATE", "UPDATED"), rows, "no topic yet")


def check(call: Call) -> int:
    """Verify all layers."""
    with At(call.harness, call.args.workspace) as at:
        renew(at, call.args.session)
        wrong, mended = remembering.check(at.site, fix=call.args.fix)
        document = {"findings": [_finding(one) for one in wrong], "mended": [_finding(one) for one in mended]}
        lines = [f"mended  {one.file}: {one.text}" for one in mended] + [_line(one) for one in wrong]
        call.out.show(document, "\n".join(lines) or "the memory is consistent")
        return 1 if wrong else 0


def _finding(one: Finding) -> dict[str, object]:
    return {"layer": f"L{one.layer.value}", "file": one.file, "text": one.text, "fixable": one.fixable}


def _line(one: Finding) -> str:
    way = "; `harness memory check WS --fix` mends it" if one.fixable else ""
    return f"L{one.layer.value}  {one.file}: {one.text}{way}"
