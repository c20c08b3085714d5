"""Named values in a section, however they are laid out: `**Label**: value`, a table of two columns, or sub-headings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from harnessos.mission.documents.markdown import INDENTED, Block, Comment, Fence, Section, Table, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_BOLD = re.compile(
    r"(\*\*\*|\*\*|__|\*)(?P<label>[^*\n]{1,60}?)\s*[:\uff1a]?\s*\1\s*(?:[:\uff1a]|[-\u2013\u2014](?=\s))?(?P<rest>.*)",
    re.DOTALL,
)
_BARE = re.compile(r"(?P<label>[^:\uff1a*\n]{1,60}?)\s*[:\uff1a](?P<rest>.*)", re.DOTALL)
_INDENT = "  "
_OTHER = "-"  # a label that nobody asked for: it ends the field before it


class Field(NamedTuple):
    """A value and the line of its label; `items` are its list items, or the value itself where it is not `listed`."""

    value: str
    line: int
    items: tuple[str, ...]
    listed: bool = False


def label_of(words: str) -> str:
    """Return a label for comparison: lower case, without emphasis, colon and double blanks."""
    return " ".join(words.strip(" \t*_:\uff1a`").lower().split())


def read_fields(sections: Iterable[Section], names: Mapping[str, str]) -> dict[str, Field]:
    """Return the fields whose label `names` knows (label -> field), the first of each; a sub-heading is a label too."""
    found: dict[str, Field] = {}
    for section in sections:
        for name, field in _of_section(section, names):
            found.setdefault(name, field)
    return found


def body_text(section: Section) -> str:
    """Return what a section and all below it say as one text; a lone `text` fence gives its body as it is."""
    blocks = [block for part in section.walk() for block in _with_title(part, section)]
    return _value(blocks)


def statements(section: Section) -> tuple[str, ...]:
    """Return a section as a list: its items with what is nested in them, rows of tables, or its paragraphs."""
    return _items(list(section.all_blocks()))


def _with_title(part: Section, top: Section) -> tuple[Block, ...]:
    return part.blocks if part is top else (Text(part.line, (part.title,)), *part.blocks)


def _of_section(section: Section, names: Mapping[str, str]) -> Iterator[tuple[str, Field]]:
    reader = _Reader(names)
    for block in section.blocks:
        reader.take(block)
    reader.close()
    yield from reader.found
    for child in section.children:
        name = names.get(label_of(child.title))
        if name:
            yield name, _field([block for part in child.walk() for block in _with_title(part, child)], child.line)


class _Reader:
    """Collects the fields of one section; a field ends at the next label, or at the next item of the label's list."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.found: list[tuple[str, Field]] = []
        self._names = names
        self._name = ""
        self._line = 0
        self._depth = 0
        self._blocks: list[Block] = []

    def take(self, block: Block) -> None:
        if isinstance(block, Table):
            self._table(block)
        elif isinstance(block, Text):
            self._text(block)
        elif self._name:
            self._blocks.append(block)

    def close(self) -> None:
        if self._name and self._name != _OTHER:
            self.found.append((self._name, _field(self._blocks, self._line)))
        self._name, self._blocks = "", []

    def _open(self, name: str, line: int, depth: int) -> None:
        self.close()
        self._name, self._line, self._depth = name, line, depth

    def _table(self, table: Table) -> None:
        rows = [(self._names.get(label_of(row.cells[0])), row) for row in table.rows if len(row.cells) > 1]
        if any(name for name, _ in rows):
            self.close()
            for name, row in rows:
                if name:
                    self.found.append((name, _field([Text(row.line, (row.cells[1],))], row.line)))
        elif self._name:
            self._blocks.append(table)

    def _text(self, block: Text) -> None:
        if block.marker and block.depth <= self._depth:
            self.close()
        kept: list[str] = []
        begun, marker = block.line, block.marker
        for line, raw in enumerate(block.raw, block.line):
            hit = self._label(raw, block.depth)
            if hit is None:
                kept.append(raw)
                continue
            self._keep(Text(begun, tuple(kept), block.depth, marker))
            self._open(hit[0], line, block.depth)
            kept, begun, marker = [hit[1]] if hit[1].strip() else [], line, ""
        self._keep(Text(begun, tuple(kept), block.depth, marker))

    def _keep(self, piece: Text) -> None:
        if self._name and piece.raw:
            self._blocks.append(piece)

    def _label(self, raw: str, depth: int) -> tuple[str, str] | None:
        words = raw.lstrip()
        bold = _BOLD.match(words)
        if bold is not None:
            name = self._names.get(label_of(bold["label"]))
            if name:
                return name, bold["rest"]
            ends = ":" in words[: bold.start("rest")] and depth <= self._depth
            return (_OTHER, "") if ends else None
        bare = _BARE.match(words) if depth <= 1 else None
        name = self._names.get(label_of(bare["label"])) if bare else None
        return (name, bare["rest"]) if bare and name else None


def _field(blocks: list[Block], line: int) -> Field:
    listed = any(isinstance(block, Text) and block.marker for block in blocks)
    return Field(_value(blocks), line, _items(blocks), listed)


def _value(blocks: list[Block]) -> str:
    said = [block for block in blocks if not isinstance(block, Comment)]
    if len(said) == 1:
        only = said[0]
        if isinstance(only, Fence):
            return only.body.strip() if only.word in ("", "text", INDENTED) else _shown(only).strip()
        if isinstance(only, Text):
            return only.text
    base = min((block.depth for block in said if isinstance(block, Text) and block.marker), default=0)
    return "\n".join(_shown(block, base) for block in said).strip()


def _items(blocks: list[Block]) -> tuple[str, ...]:
    found: list[str] = []
    base = min((block.depth for block in blocks if isinstance(block, Text) and block.marker), default=0)
    for block in blocks:
        if isinstance(block, Comment):
            continue
        if isinstance(block, Table):
            found.extend(": ".join(cell for cell in row.cells if cell) for row in block.rows)
        elif found and (
            isinstance(block, Fence) or block.depth > base or (block.depth == base > 0 and not block.marker)
        ):
            found[-1] += "\n" + _shown(block, base)
        else:
            found.append(block.text if isinstance(block, Text) else _shown(block))
    return tuple(item for item in (found_one.strip() for found_one in found) if item)


def _shown(block: Block, base: int = 0) -> str:
    if isinstance(block, Text):
        indent = _INDENT * max(0, block.depth - base)
        return f"{indent}{block.marker} {block.text}" if block.marker else indent + block.text
    if isinstance(block, Fence):
        ticks = "```"
        while ticks in block.body:
            ticks += "`"
        return f"{ticks}{block.info}\n{block.body}{ticks}"
    if isinstance(block, Table):
        return "\n".join(" | ".join(cells) for cells in (block.header, *(row.cells for row in block.rows)))
    return block.text


def column(header: tuple[str, ...], *words: str) -> int | None:
    """Return the first column whose head contains one of the words; earlier words are preferred."""
    heads = [label_of(head) for head in header]
    for word in words:
        for at, head in enumerate(heads):
            if re.search(rf"(?<![^\W_]){re.escape(word)}", head):
                return at
    return None
