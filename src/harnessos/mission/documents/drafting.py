"""A typed mission as the four documents. Every text is written so that the parsers of this room read it back as it was.

A text stands as it is where that reads back; else its marks are escaped; text of several lines stands in a fence.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from harnessos.mission.documents.checks import Rule, kind_of
from harnessos.mission.documents.contract import parse_contract
from harnessos.mission.documents.criteria import parse_criteria, read_heading
from harnessos.mission.documents.cron_config import DEFAULT_PROMPT, parse_cron_config
from harnessos.mission.documents.fields import body_text, read_fields
from harnessos.mission.documents.markdown import Section, Table, Text, parse_markdown
from harnessos.mission.documents.playbook import DREAM_BEGIN, DREAM_END, parse_playbook
from harnessos.mission.documents.problems import bad_document
from harnessos.mission.documents.typed import check_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harnessos.mission.documents.problems import Problem
    from harnessos.mission.documents.typed import ConditionShape, MissionSpec, StepShape, ToolShape

_SLOT_LIKE = re.compile(r"\[[A-Z][^\[\]]{3,}\]")
_MARKS = re.compile(r"[!\"#$%&'()*+,./:;<=>?@\[\]^_`{}~-]")
_YAML_NAMES = {"max_age_s": "max_age", "timeout_s": "timeout"}


def render_documents(spec: MissionSpec) -> dict[str, str]:
    """Return the four documents, by file name; they parse back to the same values. BadDocument where they would not."""
    documents = _draft(spec)
    problems = _problems_of(documents)
    if problems:
        raise bad_document(problems, "say it in simpler words: this text does not survive in Markdown")
    return documents


def _draft(spec: MissionSpec) -> dict[str, str]:
    return {
        "mission.md": _mission(spec),
        "playbook.md": _playbook(spec),
        "eval_criteria.md": _criteria(spec),
        "cron_config.md": _schedule(spec),
    }


def _problems_of(documents: dict[str, str]) -> tuple[Problem, ...]:
    return (
        *parse_contract(documents["mission.md"]).problems,
        *parse_playbook(documents["playbook.md"]).problems,
        *parse_criteria(documents["eval_criteria.md"]).problems,
        *parse_cron_config(documents["cron_config.md"]).problems,
    )


def _mission(spec: MissionSpec) -> str:
    parts = ["# Mission", "## Identity", f"- **Name**: {_field(spec.name)}", "## Objective", _body(spec.objective)]
    rows = [_condition_row(one) for one in spec.conditions]
    parts += ["## Done Definition", _table(("ID", "Condition", "Verification", "Mandatory or Optional"), rows)]
    if spec.boundaries:
        parts += ["## Boundaries", _list(spec.boundaries)]
    if spec.cycle:
        parts += ["## Cycle", _body(spec.cycle)]
    if spec.outputs:
        parts += ["## Outputs", _list(spec.outputs)]
    return _join(parts)


def _condition_row(one: ConditionShape) -> list[str]:
    return [_cell(one.id), _cell(one.condition), _cell(verification(one)), "Mandatory" if one.mandatory else "Optional"]


def verification(one: ConditionShape) -> str:
    """Return what the table says of how a condition is verified: its own words, else the kinds of its checks."""
    if one.verification:
        return one.verification
    kinds = []
    for check in one.checks:
        language, body = check_of(check)
        kinds.append(language if isinstance(body, str) else f"check {kind_of(body)}")
    return ", ".join(dict.fromkeys(kinds))


def _playbook(spec: MissionSpec) -> str:
    parts = ["# Playbook"]
    if spec.tools:
        rows = [_tool_row(tool) for tool in spec.tools]
        parts += ["## Tools", _table(("Name", "Sense or Effector", "Command or Host Tool", "Probe", "Required"), rows)]
    parts.append("## Steps")
    for number, step in zip(spec.numbers, spec.steps, strict=True):
        parts += _step(number, step)
    parts += ["## Observations", f"{DREAM_BEGIN}\n{DREAM_END}"]
    return _join(parts)


def _tool_row(tool: ToolShape) -> list[str]:
    command = tool.command if tool.command is not None else f"host: {tool.host_tool}"
    return [_cell(tool.name), tool.role, _cell(command), _cell(tool.probe or ""), "yes" if tool.required else "no"]


def _step(number: str, step: StepShape) -> list[str]:
    tools = ["**Tools to use**:", _list(step.tools)] if step.tools else ["**Tools to use**: none"]
    return [
        f"### Step {number}: {_title(step.title)}",
        *_labelled("What to do", step.what),
        *tools,
        *_labelled("Completion criteria", step.completion),
        *_labelled("Failure handling", step.failure),
    ]


def _criteria(spec: MissionSpec) -> str:
    parts = ["# Evaluation criteria"]
    for one in spec.conditions:
        if not one.checks:
            continue
        parts.append(_standard(one))
        for check in one.checks:
            language, body = check_of(check)
            parts.append(_fence(language, body if isinstance(body, str) else rule_text(body)))
    return _join(parts)


def _standard(one: ConditionShape) -> str:
    marks = "" if one.mandatory else " (Optional)"
    marks += f" (Step: {one.step})" if one.step is not None else ""
    marks += " (Applies: completion)" if one.completion else ""
    words = one.condition.split("\n", 1)[0][:120].strip()
    for title in (words, "the condition of mission.md"):
        line = f"### {one.id}: {_title(title)}{marks}"
        read = read_heading(parse_markdown(line, "").children[0].title)
        meant = (one.id, title, one.mandatory, one.step, one.completion)
        if (read.id, read.title, read.mandatory, read.step, read.completion) == meant and not read.problems:
            return line
    return line


def rule_text(rule: Rule) -> str:
    """Return a declared check as YAML that reads back as the same rule."""
    lines = [f"kind: {kind_of(rule)}"]
    defaults = rule._field_defaults
    for name, value in rule._asdict().items():
        if value is not None and value != defaults.get(name, ...):
            lines.append(f"{_YAML_NAMES.get(name, name)}: {_json(value)}")
    return "\n".join(lines) + "\n"


def _json(value: object) -> str:
    """Return JSON, which is YAML too, with escapes for what YAML does not take as it is."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value).replace("\x7f", "\\u007f")


def _schedule(spec: MissionSpec) -> str:
    cron, seconds = spec.schedule.rule
    rows = [["Schedule Type", "`cron`" if seconds is None else "`interval`"]]
    rows.append(["Cron Expression", _cell(cron)] if seconds is None else ["Or: Interval Seconds", f"`{seconds}`"])
    rows += [
        ["Repeat", "`true`" if spec.schedule.repeat else "`false`"],
        ["Expire", f"`{spec.schedule.expire or 'never'}`"],
        ["Timezone", _cell(spec.schedule.timezone)],
        ["Dream Cron", _cell(spec.schedule.dream)],
    ]
    prompt = _fence("text", (spec.prompt or DEFAULT_PROMPT) + "\n")
    return _join(["# Schedule", _table(("Field", "Value"), rows), "## Prompt", prompt])


def _join(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"


def _table(header: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {_item(item)}" for item in items)


def _fence(info: str, body: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{info}\n{body}{'' if body.endswith(chr(10)) else chr(10)}{ticks}"


def _labelled(label: str, text: str) -> list[str]:
    if _needs_fence(text):
        return [f"**{label}**:", _fence("text", text)]
    return [f"**{label}**: {_field(text)}"]


def _body(text: str) -> str:
    return _fence("text", text) if _needs_fence(text) else _written(text, "", body_text)


def _needs_fence(text: str) -> bool:
    """Whether text of several lines stands in a fence; not where a line of it could be taken for a mark or a slot."""
    return "\n" in text and "harness:dream" not in text and not _SLOT_LIKE.search(text)


def _cell(text: str) -> str:
    def read(root: Section) -> str:
        table = root.blocks[0]
        return table.rows[0].cells[0] if isinstance(table, Table) and not table.rows[0].extra else ""

    return _written(text, "| a |\n|---|\n| ", read, " |") if text else ""


def _item(text: str) -> str:
    def read(root: Section) -> str:
        only = root.blocks[0]
        return only.text if isinstance(only, Text) and len(root.blocks) == 1 and only.depth == 1 else ""

    return _written(text, "- ", read)


def _title(text: str) -> str:
    return _written(text, "### a: ", lambda root: root.children[0].title.removeprefix("a: "))


def _field(text: str) -> str:
    return _written(text, "**a**: ", lambda root: read_fields([root], {"a": "a"})["a"].value)


def _written(text: str, before: str, read: Callable[[Section], str], after: str = "") -> str:
    """Return the text as it is where it reads back so; else with every mark escaped and line ends as entities."""
    if "\n" not in text and not _SLOT_LIKE.search(text):
        try:
            if read(parse_markdown(f"{before}{text}{after}\n", "")) == text:
                return text
        except (IndexError, KeyError):
            pass
    escaped = _MARKS.sub(r"\\\g<0>", text.replace("\\", "\0")).replace("\0", "&#92;")
    return escaped.replace("|", "&#124;").replace("\n", "&#10;").replace("\t", "&#9;")
