"""mission.md: what a person wants, and how anybody can tell that it is reached."""

from __future__ import annotations

import re
from typing import NamedTuple

from harnessos.mission.documents.fields import Field, body_text, column, label_of, read_fields, statements
from harnessos.mission.documents.markdown import Section, Table, Text, parse_markdown
from harnessos.mission.documents.problems import Parsed, Problem

FILE = "mission.md"
_LABELS = {
    **dict.fromkeys(("name", "task name", "mission name", "mission", "task"), "name"),
    **dict.fromkeys(("objective", "goal", "purpose", "core objective", "mission objective"), "objective"),
    **dict.fromkeys(("boundaries", "boundary", "constraints", "limits"), "boundaries"),
    **dict.fromkeys(("cycle", "execution cycle", "rhythm"), "cycle"),
    **dict.fromkeys(("outputs", "output", "deliverables"), "outputs"),
}
_AREAS = {
    "conditions": re.compile(r"\bdone\b|\bconditions?\b|\bcompletion\b|\bcriteria\b|\bacceptance\b"),
    "objective": re.compile(r"\bobjectives?\b|\bgoals?\b|\bpurpose\b"),
    "boundaries": re.compile(r"\bboundar|\bconstraint|\blimits?\b|\bscope\b|\bforbidden\b"),
    "cycle": re.compile(r"\bcycle\b|\brhythm\b|\bcadence\b|\bfrequency\b"),
    "outputs": re.compile(r"\boutputs?\b|\bdeliverables?\b|\bartifacts?\b"),
}
_YES = frozenset(("", "mandatory", "required", "yes", "y", "true", "must", "\u2705", "\u2713", "x"))
_NO = frozenset(("optional", "no", "n", "false", "nice to have", "should", "may", "-", "\u274c"))
_LISTED = re.compile(r"(?:\[[ xX]\]\s*)?\**(?P<id>\w[\w.-]*(?: \d[\w.]*)?)\**\s*[:\uff1a]\**\s*(?P<text>.+)", re.DOTALL)
_OPTIONAL = re.compile(r"\s*[(\[](?P<word>optional|mandatory)[)\]]", re.IGNORECASE)
_ID_HEADS = frozenset(("id", "#", "no", "nr", "number", "standard", "condition id", "criterion id", "identifier"))
_GENERIC = frozenset(("mission", "mission contract", "mission.md", "contract", "task contract", "task mission"))


class Condition(NamedTuple):
    """One condition of being done; the standard of eval_criteria.md with this id judges it."""

    id: str
    condition: str
    verification: str
    mandatory: bool
    line: int


class Contract(NamedTuple):
    """What mission.md says; texts are empty where it says nothing."""

    name: str
    objective: str
    conditions: tuple[Condition, ...]
    boundaries: tuple[str, ...] = ()
    cycle: str = ""
    outputs: tuple[str, ...] = ()


def parse_contract(text: str, file: str = FILE) -> Parsed[Contract]:
    """Read mission.md. Needed: a name, an objective, and at least one condition, each with its own id."""
    root = parse_markdown(text, file)
    areas, rest = _areas(root)
    fields = read_fields(rest, _LABELS)
    name = fields.get("name", _titled(root))
    objective = body_text(areas["objective"]) if "objective" in areas else ""
    objective = objective or fields.get("objective", _NOTHING).value
    reader = _Conditions(file)
    if "conditions" in areas:
        reader.read(areas["conditions"])
    problems = [
        *_missing(file, name, objective),
        *reader.problems,
        *([] if reader.found else [Problem(file, _line(areas), _NO_CONDITIONS)]),
    ]
    contract = Contract(
        name.value.split("\n", 1)[0].strip(),
        objective,
        tuple(reader.found),
        statements(areas["boundaries"]) if "boundaries" in areas else fields.get("boundaries", _NOTHING).items,
        body_text(areas["cycle"]) if "cycle" in areas else fields.get("cycle", _NOTHING).value,
        statements(areas["outputs"]) if "outputs" in areas else fields.get("outputs", _NOTHING).items,
    )
    return Parsed(contract, tuple(problems))


_NOTHING = Field("", 1, ())
_NO_CONDITIONS = (
    "no condition of being done: write a section `## Done Definition` with a table of ID, Condition, Verification and "
    "Mandatory or Optional"
)


def _areas(root: Section) -> tuple[dict[str, Section], list[Section]]:
    """Return the section of each area, and the sections that belong to none."""
    found: dict[str, Section] = {}
    rest: list[Section] = []
    pending = [root]
    while pending:
        section = pending.pop(0)
        title = label_of(section.title)
        first_title = section.level == 1 and section is root.children[0]
        area = "" if first_title else next((name for name, words in _AREAS.items() if words.search(title)), "")
        if area and area not in found:
            found[area] = section
        else:
            rest.append(section._replace(children=()))
            pending[:0] = section.children
    return found, rest


def _titled(root: Section) -> Field:
    """Return the name a title gives: `# Mission: the name`, or a title that is not only the word."""
    title = next((section for section in root.children if section.level == 1), None)
    if title is None:
        return _NOTHING
    words = re.sub(r"(?i)^(?:the )?(?:mission|task)(?: contract)?\s*[:\u2014\u2013-]\s*", "", title.title).strip()
    return _NOTHING if label_of(words) in _GENERIC else Field(words, title.line, (words,))


def _missing(file: str, name: Field, objective: str) -> list[Problem]:
    found = []
    if not name.value.strip():
        found.append(Problem(file, name.line, "no name: write `- **Name**: the name of the mission`"))
    if not objective.strip():
        found.append(Problem(file, 1, "no objective: write `- **Objective**: ...` or a section `## Objective`"))
    return found


def _line(areas: dict[str, Section]) -> int:
    return areas["conditions"].line if "conditions" in areas else 1


class _Conditions:
    """Reads the conditions of a section from its tables, or from its list where it has none."""

    def __init__(self, file: str) -> None:
        self.found: list[Condition] = []
        self.problems: list[Problem] = []
        self._file = file
        self._lines: dict[str, int] = {}

    def read(self, section: Section) -> None:
        tables = [block for block in section.all_blocks() if isinstance(block, Table)]
        for table in tables:
            self._table(table)
        if not tables:
            for block in section.all_blocks():
                if isinstance(block, Text) and block.marker and block.depth == 1:
                    self._listed(block)

    def _table(self, table: Table) -> None:
        columns = _columns(table.header)
        if columns is None:
            return
        for row in table.rows:
            cell = {name: row.cells[at].strip() if at is not None else "" for name, at in columns.items()}
            if row.extra:
                self._say(row.line, "has more cells than the table has columns: write a bar inside a cell as \\|")
            if any(row.cells):
                said = cell["mandatory"].lower().strip("*_ ")
                self._add(Condition(cell["id"], cell["condition"], cell["verification"], said not in _NO, row.line))
                if said not in _YES | _NO:
                    self._say(row.line, f"says {cell['mandatory']!r} where Mandatory or Optional must stand")

    def _listed(self, item: Text) -> None:
        words = item.text
        mark = _OPTIONAL.search(words)
        match = _LISTED.match(_OPTIONAL.sub("", words).strip())
        if match is None:
            self._say(item.line, "this condition has no id: write `- C1: the condition`, or a table")
        else:
            mandatory = mark is None or mark["word"].lower() == "mandatory"
            self._add(Condition(match["id"], match["text"].strip(), "", mandatory, item.line))

    def _add(self, condition: Condition) -> None:
        if not condition.id:
            self._say(condition.line, "this condition has no id")
        elif not condition.condition:
            self._say(condition.line, f"the condition {condition.id!r} says nothing")
        earlier = self._lines.setdefault(condition.id.casefold(), condition.line) if condition.id else condition.line
        if earlier != condition.line:
            self._say(condition.line, f"the id {condition.id!r} stands in line {earlier} already")
        else:
            self.found.append(condition)

    def _say(self, line: int, text: str) -> None:
        self.problems.append(Problem(self._file, line, text))


def _columns(header: tuple[str, ...]) -> dict[str, int | None] | None:
    """Return where the four values stand; None for a table about something else."""
    heads = [label_of(head) for head in header]
    named = next((at for at, head in enumerate(heads) if head.rstrip(".") in _ID_HEADS), None)
    condition = column(header, "condition", "criteri", "definition", "description", "standard", "requirement")
    if condition is None and named == 0 and len(heads) > 1:
        condition = 1
    if condition is None:
        return None
    if named in (None, condition):
        named = next((at for at in range(len(heads)) if at != condition), None)
    return {
        "id": named,
        "condition": condition,
        "verification": column(header, "verif", "check", "how", "method"),
        "mandatory": column(header, "mandatory", "required", "optional", "necess", "kind", "type", "priority"),
    }
