"""`harness doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.app import examining
from harnessos.inspector import health, views

if TYPE_CHECKING:
    from harnessos.commands.call import Call
    from harnessos.inspector.health import Check


def show(call: Call) -> int:
    """Check the ledger and this machine, a line for each; exit 1 on any finding."""
    done = list(examining.checks(call.harness, replay=call.args.replay))
    facts = examining.facts(call.harness)
    document = {
        "health_version": health.VERSION,
        "ok": all(check.ok for check in done),
        "checks": [{"ok": check.ok, **views.document(check)} for check in done],
        "facts": {fact.name: fact.value for fact in facts},
    }
    lines = [line for check in done for line in _lines(check)]
    lines += [f"info     {fact.name}: {fact.value}" for fact in facts]
    call.out.show(document, "\n".join(lines))
    return 0 if document["ok"] else 1


def _lines(check: Check) -> list[str]:
    if check.ok:
        return [f"ok       {check.name}: {check.says}"]
    lines = [f"{check.severity.ljust(8)} {check.name}: not so: {check.says}"]
    lines += [f"           {finding.subject}: {finding.detail}" for finding in check.findings]
    if check.more:
        lines.append("           and more")
    return [*lines, f"         -> {check.remedy}"]
