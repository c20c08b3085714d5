"""Projects: what work is bound to, where it lies on each machine, and who trusts it there."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.kernel import budgets, campaigns, events
from harnessos.store import named

if TYPE_CHECKING:
    from harnessos.kernel.events import Cause
    from harnessos.store.transaction import Row, Transaction

KEY = re.compile(r"[A-Z][A-Z0-9]{0,15}")


def check_key(key: str) -> str:
    """Return a project key in capitals, or say what a key looks like."""
    upper = key.upper()
    if not KEY.fullmatch(upper):
        raise errors.BadContent(f"{key!r} is no project key", hint="1 to 16 letters and digits, a letter first: DOCS")
    return upper


def create(
    tx: Transaction, key: str, name: str, kind: str, root_commit: str | None, target: str | None, cause: Cause
) -> Row:
    """Create a project (`kind` git or folder) with its default campaign and default caps."""
    project = tx.new_id("prj")
    tx.do(
        "project_insert",
        id=project,
        key=check_key(key),
        name=name,
        kind=kind,
        root_commit=root_commit,
        target=target,
        settings_json="{}",
        now=tx.now,
    )
    budgets.open_scope(tx, budgets.of_project(project))
    events.note(tx, ("project", project), "project.created", cause, {"key": key, "kind": kind, "root": root_commit})
    campaigns.create(tx, project, campaigns.DEFAULT, "", {}, cause)
    return named.project(tx, key)


def locate(tx: Transaction, project: Row, machine_id: str, path: str, cause: Cause) -> None:
    """Record that the project lies at `path` on that machine."""
    if tx.run("project_locate", project=project["id"], machine_id=machine_id, path=path, now=tx.now):
        data = {"machine": machine_id, "path": path}
        events.note(tx, ("project", project["id"]), "project.located", cause, data)


def relocate(tx: Transaction, project: Row, machine_id: str, old: str, path: str, cause: Cause) -> None:
    """Record that a checkout was moved on that machine; a place nobody recorded is left to `locate`."""
    if tx.run("project_relocate", project=project["id"], machine_id=machine_id, path=path, old=old):
        data = {"machine": machine_id, "from": old, "path": path}
        events.note(tx, ("project", project["id"]), "project.moved", cause, data)


def trust(tx: Transaction, project: Row, machine_id: str, user: str | None, cause: Cause) -> None:
    """Let this project's workflow, hooks and gates run commands for `user` on that machine; None takes it back."""
    if user is None:
        changed = tx.run("project_distrust", project=project["id"], machine_id=machine_id)
    else:
        changed = tx.run("project_trust", project=project["id"], machine_id=machine_id, user=user, now=tx.now)
    if not changed:
        raise errors.Refused(
            f"{project['key']} does not lie on this machine", hint=f"`harness init PATH --key {project['key']}` first"
        )
    verb = "project.distrusted" if user is None else "project.trusted"
    events.note(tx, ("project", project["id"]), verb, cause, {"machine": machine_id, "user": user})


def configure(
    tx: Transaction, project: Row, cause: Cause, *, name: str, target: str | None, **settings: object
) -> None:
    """Change a project's name, target branch and settings; settings of the value None are removed."""
    merged = {**json.loads(project["settings_json"]), **settings}
    merged = {key: value for key, value in merged.items() if value is not None}
    tx.do("project_settings", id=project["id"], name=name, target=target, settings_json=json.dumps(merged))
    data = {"name": name, "target": target, **settings}
    events.note(tx, ("project", project["id"]), "project.changed", cause, data)
