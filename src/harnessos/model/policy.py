"""Policy: who owns a piece of work, how soon it must move, what happens when it does not, where it may run.

A campaign and an issue may each carry one; `merge` gives the one that counts. Light on purpose: the kernel imports this
in every command, so there is no pydantic here (`harnessos.plans` validates foreign documents).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar, cast, get_args

from harnessos.errors import BadDocument

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harnessos.model.gate import Gate

Trigger = Literal["deadline_breached", "response_sla_breached", "resolve_sla_breached"]
Action = Literal["raise_priority", "annotate"]

TRIGGERS: tuple[Trigger, ...] = get_args(Trigger)
ACTIONS: tuple[Action, ...] = get_args(Action)
PRIORITIES = ("critical", "high", "medium", "low")
MINUTE = 60_000

T = TypeVar("T")


class Rule(NamedTuple):
    """One escalation rule. `priority` (0 critical to 3 low) is what `raise_priority` raises to."""

    trigger: Trigger
    action: Action
    priority: int | None = None
    note: str | None = None


class Policy(NamedTuple):
    """What a campaign or an issue asks for; every field may be absent.

    `response_minutes` counts from the moment an issue is ready to its first claim, `resolve_minutes` from its creation
    to its end. `capabilities` is sorted and without repeats. `require_gates` None means: as the project says.
    """

    owner: str | None = None
    response_minutes: int | None = None
    resolve_minutes: int | None = None
    rules: tuple[Rule, ...] = ()
    workload_class: str | None = None
    capabilities: tuple[str, ...] = ()
    gates: tuple[Gate, ...] = ()
    require_gates: bool | None = None


NO_POLICY = Policy()


class Facts(NamedTuple):
    """The instants of one issue that its policy is measured against, milliseconds since the epoch, UTC.

    `ready_at` is when it first could be claimed, `responded_at` its first claim, `resolved_at` its end
    (done, failed or cancelled).
    """

    created_at: int
    ready_at: int | None = None
    responded_at: int | None = None
    resolved_at: int | None = None
    deadline_at: int | None = None


class Breach(NamedTuple):
    """A due instant that passed, and what one rule makes of it. Compares and unpacks as the four fields."""

    trigger: Trigger
    action: Action
    priority: int | None
    note: str | None


def merge(campaign: Policy | None, issue: Policy | None) -> Policy:
    """Return the policy that counts for an issue of that campaign.

    The issue's single values win over the campaign's; rules and gates are the campaign's followed by the issue's;
    capabilities are united, so an issue cannot drop what its campaign requires. A gate of the same name is the
    campaign's: an issue may add gates, not weaken one.
    """
    if campaign is None or issue is None:
        return campaign or issue or NO_POLICY
    names = {gate.name for gate in campaign.gates}
    return Policy(
        owner=_first(issue.owner, campaign.owner),
        response_minutes=_first(issue.response_minutes, campaign.response_minutes),
        resolve_minutes=_first(issue.resolve_minutes, campaign.resolve_minutes),
        rules=campaign.rules + issue.rules,
        workload_class=_first(issue.workload_class, campaign.workload_class),
        capabilities=tuple(sorted({*campaign.capabilities, *issue.capabilities})),
        gates=campaign.gates + tuple(gate for gate in issue.gates if gate.name not in names),
        require_gates=_first(issue.require_gates, campaign.require_gates),
    )


def response_due_at(policy: Policy, ready_at: int | None) -> int | None:
    """Return when the first claim is due; None without such a service level, or while the issue waits for others."""
    if policy.response_minutes is None or ready_at is None:
        return None
    return ready_at + policy.response_minutes * MINUTE


def resolve_due_at(policy: Policy, created_at: int) -> int | None:
    """Return when the issue's end is due, None without such a service level."""
    return None if policy.resolve_minutes is None else created_at + policy.resolve_minutes * MINUTE


def next_due_at(policy: Policy, facts: Facts, after: int) -> int | None:
    """Return the earliest instant after `after` at which a breach would begin: the column a timer index is built on."""
    due = [instant for instant in _due(policy, facts).values() if instant > after]
    return min(due, default=None)


def breaches(policy: Policy, facts: Facts, now: int) -> list[Breach]:
    """Return what is overdue at `now`, in the order of TRIGGERS, with one entry for each rule that answers it.

    A breach that no rule answers is still reported, as `annotate`: a deadline counts also without a policy.
    What was done in time, or is over, is not a breach; something due exactly now is.
    """
    found: list[Breach] = []
    for trigger, due in _due(policy, facts).items():
        if due > now:
            continue
        rules = [rule for rule in policy.rules if rule.trigger == trigger]
        found += [Breach(*rule) for rule in rules] or [Breach(trigger, "annotate", None, None)]
    return found


def effective_priority(priority: int, breached: Sequence[Breach]) -> int:
    """Return `priority` raised by the breaches; it can only become more urgent (a smaller number)."""
    raised = [
        breach.priority for breach in breached if breach.action == "raise_priority" and breach.priority is not None
    ]
    return min([priority, *raised])


def _due(policy: Policy, facts: Facts) -> dict[Trigger, int]:
    """Return the open due instants by trigger."""
    if facts.resolved_at is not None:
        return {}
    due: dict[Trigger, int | None] = {
        "deadline_breached": facts.deadline_at,
        "response_sla_breached": None if facts.responded_at is not None else response_due_at(policy, facts.ready_at),
        "resolve_sla_breached": resolve_due_at(policy, facts.created_at),
    }
    return {trigger: instant for trigger, instant in due.items() if instant is not None}


def as_document(policy: Policy) -> dict[str, object]:
    """Return the policy in the words of a plan file, without what is absent; the opposite of `from_document`."""
    level = {"responseWithinMinutes": policy.response_minutes, "resolveWithinMinutes": policy.resolve_minutes}
    level = {name: minutes for name, minutes in level.items() if minutes is not None}
    dispatch: dict[str, object] = {}
    if policy.workload_class is not None:
        dispatch["workloadClass"] = policy.workload_class
    if policy.capabilities:
        dispatch["requiredHostCapabilities"] = list(policy.capabilities)
    document: dict[str, object] = {
        "owner": policy.owner,
        "serviceLevel": level or None,
        "escalationRules": [_rule_document(rule) for rule in policy.rules] or None,
        "dispatch": dispatch or None,
        "gates": [gate.as_document() for gate in policy.gates] or None,
        "require_gates": policy.require_gates,
    }
    return {name: value for name, value in document.items() if value is not None}


def from_document(document: Mapping[str, object]) -> Policy:
    """Return the policy that `as_document` wrote, as the ledger stores it.

    The document was checked when it came in, so a wrong shape here means a damaged row: BadDocument.
    """
    from harnessos.model.gate import parse_gate

    problems: list[str] = []
    try:
        level = cast("Mapping[str, int]", document.get("serviceLevel", {}))
        dispatch = cast("Mapping[str, object]", document.get("dispatch", {}))
        given = cast("Sequence[object]", document.get("gates", ()))
        gates = [parse_gate(value, f"policy.gates[{at}]", problems) for at, value in enumerate(given)]
        rules = cast("Sequence[Mapping[str, str]]", document.get("escalationRules", ()))
        policy = Policy(
            owner=cast("str | None", document.get("owner")),
            response_minutes=level.get("responseWithinMinutes"),
            resolve_minutes=level.get("resolveWithinMinutes"),
            rules=tuple(_rule(rule) for rule in rules),
            workload_class=cast("str | None", dispatch.get("workloadClass")),
            capabilities=tuple(sorted(set(cast("Sequence[str]", dispatch.get("requiredHostCapabilities", ()))))),
            gates=tuple(gate for gate in gates if gate is not None),
            require_gates=cast("bool | None", document.get("require_gates")),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadDocument(f"a stored policy is damaged: {error!r}") from error
    if problems:
        raise BadDocument("a stored policy is damaged: " + "; ".join(problems))
    return policy


def _rule(document: Mapping[str, str]) -> Rule:
    priority = document.get("priority")
    return Rule(
        trigger=TRIGGERS[TRIGGERS.index(cast("Trigger", document["trigger"]))],
        action=ACTIONS[ACTIONS.index(cast("Action", document["action"]))],
        priority=None if priority is None else PRIORITIES.index(priority),
        note=document.get("note"),
    )


def _rule_document(rule: Rule) -> dict[str, object]:
    document: dict[str, object] = {"trigger": rule.trigger, "action": rule.action}
    if rule.priority is not None:
        document["priority"] = PRIORITIES[rule.priority]
    if rule.note is not None:
        document["note"] = rule.note
    return document


def _first(mine: T | None, theirs: T | None) -> T | None:
    return theirs if mine is None else mine
