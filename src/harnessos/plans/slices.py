"""Slices, as the earlier product planned with them, become the milestones of a plan. Pure; nothing is written.

A slice that depends on one of another milestone depends on it alone: a plan's issues name each other by key, so nothing
has to wait for a whole milestone.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any

from harnessos.errors import BadPlan
from harnessos.model.graph import find_cycles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Document = dict[str, Any]  # Any: JSON

MOST = 20_000
_LISTS = frozenset({
    "dependsOnMilestoneIds", "dependsOnMilestoneKeys", "dependsOnExistingMilestoneIds", "dependsOnSliceIds",
    "evidenceRequirements", "externalRefs", "recipients", "approvals",
})  # fmt: skip
_OF_MILESTONE = {
    "id": None, "key": None, "description": "description", "dependsOnMilestoneIds": None, "dependsOnMilestoneKeys": None,
    "dependsOnExistingMilestoneIds": "depends_on_milestone_ids", "deadlineAt": "deadlineAt", "recipients": "recipients",
    "approvals": "approvals", "externalRefs": "externalRefs",
}  # fmt: skip
_OF_SLICE = {
    "id": None, "milestoneId": None, "task": "task", "description": "description", "priority": "priority", "size": "size",
    "dependsOnSliceIds": None, "evidenceRequirements": None, "policy": "policy", "deadlineAt": "deadlineAt",
    "recipients": "recipients", "approvals": "approvals", "externalRefs": "externalRefs", "gates": "gates",
    "labels": "labels", "files": "files",
}  # fmt: skip


def compiled(milestones: Sequence[Document], slices: Sequence[Document]) -> list[Document]:
    """Return the plan's milestones, in an order in which each comes after what it depends on. BadPlan lists all problems."""
    problems: list[str] = []
    if len(milestones) + len(slices) > MOST:
        raise BadPlan(f"more than {MOST:,} milestones and slices are too many at once", causes=[])
    groups = _by_id("milestones", milestones, _OF_MILESTONE, problems)
    pieces = _by_id("slices", slices, _OF_SLICE, problems)
    edges = {name: _milestone_edges(name, one, groups, problems) for name, one in groups.items()}
    after = {name: _known(f"slice {name}", one, "dependsOnSliceIds", pieces, problems) for name, one in pieces.items()}
    for name, one in pieces.items():
        if not isinstance(one.get("milestoneId"), str) or one["milestoneId"] not in groups:
            problems.append(f"slice {name}: milestoneId: there is no milestone {one.get('milestoneId')!r}")
    used = {str(one.get("milestoneId")) for one in pieces.values()}
    problems += [f"milestone {name} has no slice" for name in groups if name not in used]
    problems += [f"a circle: {' -> '.join(found)}" for graph in (edges, after) for found in _circles(graph)]
    if problems:
        raise BadPlan(f"nothing was compiled: {'; '.join(problems[:5])}", causes=problems)
    return [_milestone(name, groups[name], edges[name], pieces, after) for name in _ordered(edges)]


def _by_id(
    what: str, given: Sequence[Document], known: Mapping[str, str | None], problems: list[str]
) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for number, one in enumerate(given):
        name = one.get("id")
        if not isinstance(name, str) or not name:
            problems.append(f"{what}[{number}].id: must be a text")
            continue
        if name in found:
            problems.append(f"{what}[{number}].id: {name} is there twice")
        problems += [f"{what}[{number}].{key}: is no field" for key in one if key not in known]
        problems += [
            f"{what}[{number}].{key}: must be a list" for key in _LISTS & one.keys() if not isinstance(one[key], list)
        ]
        found[name] = one
    return found


def _known(where: str, one: Document, key: str, known: Mapping[str, Document], problems: list[str]) -> list[str]:
    """Return the ids a list names; one that is no list, or names what is not there, is a problem."""
    named = one.get(key, [])
    if not isinstance(named, list):
        problems.append(f"{where}: {key}: must be a list")
        return []
    if not all(isinstance(name, str) for name in named):
        problems.append(f"{where}: {key}: must be a list of ids")
        return []
    missing = [name for name in named if name not in known]
    problems += [f"{where}: {key}: there is no {name!r}" for name in missing]
    return [name for name in named if name in known]


def _milestone_edges(name: str, one: Document, groups: Mapping[str, Document], problems: list[str]) -> list[str]:
    by_key = {str(other.get("key", other["id"])): other["id"] for other in groups.values()}
    keys = one.get("dependsOnMilestoneKeys", [])
    if not isinstance(keys, list) or any(not isinstance(key, str) or key not in by_key for key in keys):
        problems.append(f"milestone {name}: dependsOnMilestoneKeys: must name milestones of this plan")
        keys = []
    ids = _known(f"milestone {name}", one, "dependsOnMilestoneIds", groups, problems)
    return sorted({*ids, *(by_key[key] for key in keys)})


def _circles(graph: Mapping[str, Sequence[str]]) -> list[list[str]]:
    names = list(graph)
    place = {name: at for at, name in enumerate(names)}
    circles = find_cycles(len(names), lambda at: [place[one] for one in graph[names[at]]])
    return [[names[at] for at in circle] for circle in circles]


def _ordered(graph: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names so that each comes after what it depends on; among those that may, in the order of the names."""
    left = {name: len(set(before)) for name, before in graph.items()}
    waiting: dict[str, list[str]] = {name: [] for name in graph}
    for name, before in graph.items():
        for other in set(before):
            waiting[other].append(name)
    free = [name for name, count in left.items() if not count]
    heapify(free)
    done = []
    while free:
        done.append(heappop(free))
        for name in waiting[done[-1]]:
            left[name] -= 1
            if not left[name]:
                heappush(free, name)
    return done


def _milestone(
    name: str, one: Document, before: Sequence[str], pieces: Mapping[str, Document], after: Mapping[str, Sequence[str]]
) -> Document:
    mine = {key: list(after[key]) for key, piece in pieces.items() if piece["milestoneId"] == name}
    inside = {key: [other for other in found if other in mine] for key, found in mine.items()}
    made = {new: one[old] for old, new in _OF_MILESTONE.items() if new is not None and old in one}
    depends = {"depends_on_milestone_keys": list(before)} if before else {}
    issues = [_issue(key, pieces[key], mine[key]) for key in _ordered(inside)]
    return {"milestone_key": name, **made, **depends, "issues": issues}


def _issue(key: str, piece: Document, after: Sequence[str]) -> Document:
    made = {new: piece[old] for old, new in _OF_SLICE.items() if new is not None and old in piece}
    wanted = piece.get("evidenceRequirements")
    if isinstance(wanted, list):
        made["externalRefs"] = [*made.get("externalRefs", []), *wanted]
    return {"key": key, **made, **({"depends_on_keys": sorted(after)} if after else {})}
