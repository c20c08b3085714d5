"""What depends on what in a plan: names become positions, and a circle is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harnessos.documents.tree import MAX_PROBLEMS, Problem
from harnessos.model.graph import MOST_CYCLES, find_cycles

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_AMBIGUOUS = -1
_SHOWN = 12


class Group(NamedTuple):
    """A milestone as its document stands: key, the milestones it names, the span of its issues in the flat list."""

    key: str | None
    after: Sequence[str]
    first: int
    end: int


class Wanted(NamedTuple):
    """An issue's key and what it depends on, as its document says it."""

    key: str | None = None
    indices: Sequence[int] = ()
    keys: Sequence[str] = ()


class Edges(NamedTuple):
    """Positions each milestone and each issue depends on."""

    milestones: list[tuple[int, ...]]
    issues: list[tuple[int, ...]]


def resolve(groups: Sequence[Group], issues: Sequence[Wanted], problems: list[Problem]) -> Edges:
    """Return the edges; unknown, doubled, ambiguous and circular references become problems."""
    edges = Edges(_milestone_edges(groups, problems), _issue_edges(groups, issues, problems))
    found = find_cycles(len(groups), edges.milestones.__getitem__)
    problems += [_cycle(found_one, [_milestone_name(group) for group in groups], "milestones") for found_one in found]
    names = _IssueNames(groups, issues)
    circles = find_cycles(len(issues), edges.issues.__getitem__)
    problems += [_cycle([*circle], names, "issues") for circle in circles]
    if not found and not circles:
        problems += _deadlocks(groups, edges, names)
    return edges


def _milestone_edges(groups: Sequence[Group], problems: list[Problem]) -> list[tuple[int, ...]]:
    place: dict[str, int] = {}
    for at, group in enumerate(groups):
        if group.key is not None and place.setdefault(group.key, at) != at:
            problems.append(
                Problem(f"milestones[{at}].milestone_key", f"milestones[{place[group.key]}] is {group.key!r} already")
            )
    edges = []
    for at, group in enumerate(groups):
        wanted: dict[int, None] = {}
        for index, key in enumerate(group.after):
            where = f"milestones[{at}].depends_on_milestone_keys[{index}]"
            if key not in place:
                problems.append(Problem(where, f"no milestone of this plan has the key {key!r}"))
            elif key == group.key:
                problems.append(Problem(where, "a milestone cannot depend on itself"))
            elif place[key] in wanted:
                problems.append(Problem(where, f"{key!r} stands here more than once"))
            else:
                wanted[place[key]] = None
        edges.append(tuple(sorted(wanted)))
    return edges


def _issue_edges(groups: Sequence[Group], issues: Sequence[Wanted], problems: list[Problem]) -> list[tuple[int, ...]]:
    book = _Book(groups, issues, problems)
    edges: list[tuple[int, ...]] = []
    for at, group in enumerate(groups):
        for position in range(group.first, group.end):
            wanted = issues[position]
            if not wanted.indices and not wanted.keys:
                edges.append(())
                continue
            if len(problems) > MAX_PROBLEMS:
                return edges + [()] * (len(issues) - len(edges))
            where = f"milestones[{at}].issues[{position - group.first}]"
            found: set[int] = set()
            for place, index in enumerate(wanted.indices):
                complaint = _index_problem(index, position, group, found)
                if complaint:
                    problems.append(Problem(f"{where}.depends_on_indices[{place}]", complaint))
                else:
                    found.add(group.first + index)
            for place, key in enumerate(wanted.keys):
                other, complaint = book.find(at, position, key)
                if complaint:
                    problems.append(Problem(f"{where}.depends_on_keys[{place}]", complaint))
                else:
                    found.add(other)
            edges.append(tuple(sorted(found)))
    return edges


def _index_problem(index: int, position: int, group: Group, found: set[int]) -> str:
    size = group.end - group.first
    if index >= size:
        return f"there is no issue {index}: this milestone has {size}, counted from 0"
    if group.first + index == position:
        return "an issue cannot depend on itself"
    return f"{index} stands here more than once" if group.first + index in found else ""


class _Book:
    """Finds issues by key: in the own milestone first, then in the plan, or as `milestone_key/key`."""

    def __init__(self, groups: Sequence[Group], issues: Sequence[Wanted], problems: list[Problem]) -> None:
        self._own: dict[tuple[int, str], int] = {}
        self._all: dict[str, int] = {}
        self._groups = {group.key: at for at, group in reversed(list(enumerate(groups)))}
        for at, group in enumerate(groups):
            for position in range(group.first, group.end):
                key = issues[position].key
                if key is None:
                    continue
                first = self._own.setdefault((at, key), position)
                if first != position:
                    where = f"milestones[{at}].issues[{position - group.first}].key"
                    problems.append(
                        Problem(where, f"issues[{first - group.first}] of this milestone is {key!r} already")
                    )
                elif self._all.setdefault(key, position) != position:
                    self._all[key] = _AMBIGUOUS

    def find(self, milestone: int, position: int, key: str) -> tuple[int, str]:
        """Return the position meant by `key` in that milestone, or a complaint."""
        other = self._own.get((milestone, key), self._all.get(key))
        if other is None and "/" in key:
            owner, _, name = key.partition("/")
            other = self._own.get((self._groups.get(owner, -1), name))
        if other is None:
            return 0, f"no issue of this plan has the key {key!r}"
        if other == _AMBIGUOUS:
            return 0, f"several milestones have an issue {key!r}: write `milestone_key/{key}`"
        return other, "an issue cannot depend on itself" if other == position else ""


class _IssueNames:
    """The path and key of an issue by its position, made only when asked."""

    def __init__(self, groups: Sequence[Group], issues: Sequence[Wanted]) -> None:
        self._groups = groups
        self._issues = issues

    def __getitem__(self, position: int) -> str:
        at = next(at for at, group in enumerate(self._groups) if group.first <= position < group.end)
        key = self._issues[position].key
        path = f"milestones[{at}].issues[{position - self._groups[at].first}]"
        return f"{path} ({key})" if key else path


def _milestone_name(group: Group) -> str:
    return repr(group.key)


def _cycle(nodes: Sequence[int], names: Sequence[str] | _IssueNames, noun: str) -> Problem:
    return Problem(
        "", f"these {noun} wait for each other in a circle: {_chain([names[node] for node in _ends(nodes)], nodes)}"
    )


def _ends(nodes: Sequence[int]) -> list[int]:
    """Return the nodes worth naming: all of a short circle, both ends of a long one."""
    half = _SHOWN // 2
    return list(nodes) if len(nodes) <= _SHOWN else [*nodes[:half], *nodes[-half:]]


def _chain(names: list[str], nodes: Sequence[int]) -> str:
    hidden = len(nodes) - len(names)
    if hidden > 0:
        names = [*names[: _SHOWN // 2], f"({hidden:,} more)", *names[_SHOWN // 2 :]]
    return " -> ".join([*names, names[0]])


def _deadlocks(groups: Sequence[Group], edges: Edges, names: _IssueNames) -> list[Problem]:
    """Find circles through both graphs: an issue waits for its milestone's start, a milestone's end for its issues.

    Nodes: the issues, then the start of every milestone, then the end of every milestone.
    """
    count, many = len(edges.issues), len(groups)
    owner = [at for at, group in enumerate(groups) for _ in range(group.first, group.end)]

    def waits_for(node: int) -> Iterable[int]:
        if node < count:
            return (*edges.issues[node], count + owner[node])
        if node < count + many:
            return [count + many + other for other in edges.milestones[node - count]]
        group = groups[node - count - many]
        return range(group.first, group.end)

    def name(node: int) -> str:
        if node < count:
            return names[node]
        at = (node - count) % many
        return f"milestone {_milestone_name(groups[at])} {'may start' if node < count + many else 'is done'}"

    found = find_cycles(count + 2 * many, waits_for, MOST_CYCLES)
    return [
        Problem(
            "",
            "deadlock between milestones and issues, each waits for the next: "
            + _chain([name(n) for n in _ends(c)], c),
        )
        for c in found
    ]
