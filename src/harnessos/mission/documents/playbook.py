"""playbook.md: the steps of a mission, its tools, and the block that dream keeps."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, cast

from harnessos.mission.documents.fields import Field, column, label_of, read_fields
from harnessos.mission.documents.markdown import Comment, Section, Table, parse_markdown
from harnessos.mission.documents.problems import Parsed, Problem

FILE = "playbook.md"
DREAM_BEGIN = "<!-- harness:dream begin -->"
DREAM_END = "<!-- harness:dream end -->"

Role = Literal["sense", "effector"]

_STEP = re.compile(
    r"step\s+(?P<number>[0-9]+(?:\.[0-9]+)*)\b\.?\s*(?:[:\uff1a.)\u2013\u2014-]\s*)?(?P<title>.*)", re.I | re.S
)
_LABELS = {
    **dict.fromkeys(("what to do", "what", "do", "action", "actions", "instructions"), "what"),
    **dict.fromkeys(("tools to use", "tools", "tool", "tool to use"), "tools"),
    **dict.fromkeys(
        ("completion criteria", "completion criterion", "completion", "completion condition", "done when"), "completion"
    ),
    **dict.fromkeys(("failure handling", "on failure", "failure", "if it fails", "error handling"), "failure"),
}
_COMMA = re.compile(r"`[^`]*`|,\s+")
_NO_TOOL = frozenset(("none", "-", "n/a", "no tools", "no tool", "\u2014"))
HOST = re.compile(r"host(?: tool)?\s*:\s*(.+)", re.IGNORECASE | re.DOTALL)
_YES = frozenset(("", "yes", "y", "true", "required", "mandatory"))
_NO = frozenset(("no", "n", "false", "optional"))
_NOTHING = Field("", 0, ())


class Step(NamedTuple):
    """One step; `number` is `1` or `2.3`, `tools` are names as written, empty texts are not said."""

    number: str
    title: str
    what: str
    tools: tuple[str, ...]
    completion: str
    failure: str
    line: int


class Tool(NamedTuple):
    """Something the agent perceives or acts with: a command of the machine, or (`host_tool`) a tool of its host.

    `probe` is a shell command that exits 0 where the tool is there.
    """

    name: str
    role: Role
    command: str
    host_tool: str
    probe: str
    required: bool
    line: int


class DreamBlock(NamedTuple):
    """The lines of the two marks; what lies between them is written by dream and is no part of the playbook."""

    begin: int
    end: int


class Playbook(NamedTuple):
    """What playbook.md says."""

    steps: tuple[Step, ...]
    tools: tuple[Tool, ...] = ()
    dream: DreamBlock | None = None


def parse_playbook(text: str, file: str = FILE) -> Parsed[Playbook]:
    """Read playbook.md. Needed: at least one heading `### Step 1: title`, each number once."""
    root = parse_markdown(text, file)
    problems: list[Problem] = []
    dream = _dream(root, file, problems)
    sections = [part for part in root.walk() if not (dream and dream.begin < part.line < dream.end)]
    if dream:
        sections = [_without(part, dream) for part in sections]
    steps = _steps(sections, file, problems)
    if not steps:
        problems.append(Problem(file, 1, "no step: write headings like `### Step 1: what it is about`"))
    return Parsed(Playbook(tuple(steps), tuple(_tools(sections, file, problems)), dream), tuple(sorted(problems)))


def _without(section: Section, dream: DreamBlock) -> Section:
    return section._replace(
        blocks=tuple(block for block in section.blocks if not dream.begin <= block.line <= dream.end),
        children=tuple(child for child in section.children if not dream.begin <= child.line <= dream.end),
    )


def _dream(root: Section, file: str, problems: list[Problem]) -> DreamBlock | None:
    marks = [
        (block.line + offset, line.strip())
        for block in root.all_blocks()
        if isinstance(block, Comment)
        for offset, line in enumerate(block.text.split("\n"))
        if line.strip() in (DREAM_BEGIN, DREAM_END)
    ]
    if not marks:
        return None
    if [mark for _, mark in marks] == [DREAM_BEGIN, DREAM_END]:
        return DreamBlock(marks[0][0], marks[1][0])
    sentence = (
        f"the marks of dream's block must stand once and in order, each in a line of its own: {DREAM_BEGIN} {DREAM_END}"
    )
    problems.append(Problem(file, marks[0][0], sentence))
    return None


def _steps(sections: list[Section], file: str, problems: list[Problem]) -> list[Step]:
    steps: list[Step] = []
    lines: dict[str, int] = {}
    for section in sections:
        match = _STEP.fullmatch(_unmarked(section.title))
        if match is None or section.level == 0:
            continue
        fields = read_fields(_own(section), _LABELS)
        tools = fields.get("tools", _NOTHING)
        step = Step(
            match["number"],
            match["title"].strip(),
            fields.get("what", _NOTHING).value,
            _names(tools),
            fields.get("completion", _NOTHING).value,
            fields.get("failure", _NOTHING).value,
            section.line,
        )
        earlier = lines.setdefault(step.number, step.line)
        if earlier != step.line:
            problems.append(Problem(file, step.line, f"step {step.number} stands in line {earlier} already"))
        else:
            steps.append(step)
    return steps


def _unmarked(title: str) -> str:
    """Return a title without the emphasis around the whole of it."""
    return title.strip("*_ ") if title.startswith(("*", "_")) else title


def _own(section: Section) -> list[Section]:
    """Return the section without the steps that lie in it."""
    return [
        section._replace(children=tuple(one for one in section.children if not _STEP.fullmatch(_unmarked(one.title))))
    ]


def _names(field: Field) -> tuple[str, ...]:
    """Return the names of a list as they are, or those that commas separate in a line."""
    if field.listed or "\n" in field.value:
        return field.items
    words = (word.strip() for word in _COMMA.sub(_outside, field.value).split("\0"))
    bare = (word[1:-1] if re.fullmatch(r"`[^`]+`", word) else word for word in words)
    return tuple(word for word in bare if word and word.lower().strip(".") not in _NO_TOOL)


def _outside(match: re.Match[str]) -> str:
    """Put a NUL, which no text has, for a comma outside of code."""
    return "\0" if match[0][0] == "," else match[0]


def _tools(sections: list[Section], file: str, problems: list[Problem]) -> list[Tool]:
    section = next((part for part in sections if part.level and label_of(part.title) in ("tools", "tool table")), None)
    if section is None:
        return []
    found: list[Tool] = []
    for table in (block for block in section.all_blocks() if isinstance(block, Table)):
        found.extend(_tool_rows(table, file, problems))
    seen: set[str] = set()
    for tool in found:
        if tool.name in seen:
            problems.append(Problem(file, tool.line, f"the tool {tool.name!r} stands here more than once"))
        seen.add(tool.name)
    return found


def _tool_rows(table: Table, file: str, problems: list[Problem]) -> list[Tool]:
    columns = {
        "name": column(table.header, "name", "tool"),
        "role": column(table.header, "sense", "effector", "role", "kind", "type"),
        "command": column(table.header, "command", "host"),
        "probe": column(table.header, "probe", "check"),
        "required": column(table.header, "required", "mandatory", "optional"),
    }
    if columns["name"] is None or columns["role"] is None:
        problems.append(Problem(file, table.line, "the table of tools needs the columns Name and Sense or Effector"))
        return []
    found = []
    for row in table.rows:
        cell = {name: row.cells[at].strip() if at is not None else "" for name, at in columns.items()}
        if not any(row.cells):
            continue
        wrong = _wrong(cell, extra=row.extra)
        if wrong:
            problems.append(Problem(file, row.line, wrong))
            continue
        host = HOST.fullmatch(cell["command"])
        found.append(
            Tool(
                cell["name"],
                cast("Role", cell["role"].lower()),
                "" if host else cell["command"],
                host[1].strip() if host else "",
                cell["probe"] if cell["probe"] != "-" else "",
                cell["required"].lower() in _YES,
                row.line,
            )
        )
    return found


def _wrong(cell: dict[str, str], *, extra: bool) -> str:
    """Return what is wrong with a row of the table of tools, or nothing."""
    if extra:
        return "has more cells than the table has columns: write a bar inside a cell as \\|"
    if not cell["name"]:
        return "this tool has no name"
    if cell["role"].lower() not in ("sense", "effector"):
        return f"the tool {cell['name']!r} must be a sense or an effector, not {cell['role']!r}"
    if cell["required"].lower() not in _YES | _NO:
        return f"the tool {cell['name']!r} must be required yes or no, not {cell['required']!r}"
    return ""
