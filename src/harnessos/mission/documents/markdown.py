"""Markdown as a tree of sections with their tables, fences and texts, each with its line (from 1, lines end at LF).

Layout is forgiven: CRLF, a BOM, padded tables, no backticks, no newline at the end. Emphasis, links and HTML within a
line stay as they are written, backslash escapes and entities are read, a value that is one code span loses its ticks.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from harnessos.errors import BadDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it import MarkdownIt
    from markdown_it.token import Token

MAX_BYTES = 1024 * 1024
MAX_LINES = 20_000
INDENTED = "indented"
_DEEPEST = 40
_TICK = "\0"  # begins and ends a code span in the lines of a Text; the parser lets no NUL through


class Text(NamedTuple):
    """A paragraph, or what a list item begins with (`marker` is then `-` or `1.`); `depth` counts the lists around it.

    `raw` are its lines with the code spans marked, for `plain`.
    """

    line: int
    raw: tuple[str, ...]
    depth: int = 0
    marker: str = ""

    @property
    def text(self) -> str:
        """The words, lines joined by LF."""
        return plain("\n".join(self.raw))


class Fence(NamedTuple):
    """A fenced block; `word` is the first word of its info, `line` the opening fence's.

    Code that is only indented is one too, with the info INDENTED and the line before it.
    """

    line: int
    info: str
    body: str
    closed: bool

    @property
    def word(self) -> str:
        """The language, in lower case, or nothing."""
        return self.info.split(maxsplit=1)[0].lower() if self.info.strip() else ""

    @property
    def body_line(self) -> int:
        """The line of the first line of the body."""
        return self.line + 1


class Row(NamedTuple):
    """A row of a table, its cells padded to the header's number; `extra` says that more were written."""

    line: int
    cells: tuple[str, ...]
    extra: bool = False


class Table(NamedTuple):
    """A table; `line` is the header's, `rows` are what follows the alignment row."""

    line: int
    header: tuple[str, ...]
    rows: tuple[Row, ...]


class Comment(NamedTuple):
    """A block of HTML, usually a comment."""

    line: int
    text: str


Block = Text | Fence | Table | Comment


class Section(NamedTuple):
    """A heading with what stands below it; the root has level 0, line 0 and no title. `end` is the last line of all."""

    level: int
    title: str
    line: int
    end: int
    blocks: tuple[Block, ...]
    children: tuple[Section, ...]

    def walk(self) -> Iterator[Section]:
        """Yield this section and all below it, in the order of the document."""
        yield self
        for child in self.children:
            yield from child.walk()

    def all_blocks(self) -> Iterator[Block]:
        """Yield the blocks of this section and of all below it."""
        for section in self.walk():
            yield from section.blocks


def normal(text: str) -> str:
    """Return the text without BOM and with LF at the end of lines; a CR alone ends no line and becomes a blank."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", " ")


def parse_markdown(text: str, file: str) -> Section:
    """Return the root section; BadDocument, naming the limit, for more than 1 MB or 20,000 lines (parsing is slow)."""
    limit = _over(text)
    if limit:
        raise BadDocument(
            f"{file}: has more than {limit}, the limit for a document of a mission",
            hint="keep bulk data in output/ or knowledge/ and name it in the document",
            path=file,
        )
    source = normal(text)
    lines = source.split("\n")
    flat = [_Open(0, "", 0, [])]
    _Reader(lines, flat).read(_parser().parse(source))
    last = len(lines) - (1 if lines[-1] == "" else 0)
    return _nest(flat, 0, last)[0]


def _over(text: str) -> str:
    """Return the limit that a text exceeds, or nothing."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return f"{MAX_BYTES // 1024**2} MB"
    return f"{MAX_LINES:,} lines" if text.count("\n") > MAX_LINES else ""


def plain(raw: str) -> str:
    """Return words without the marks of code spans: one span alone loses its ticks, among other words it keeps them."""
    words = raw.strip()
    if _TICK not in words:
        return words
    pieces = words.split(_TICK)
    if len(pieces) == 4 and not pieces[0] and not pieces[3]:
        return pieces[2].strip()
    return "".join(pieces[:1] + [_span(*pieces[at : at + 3]) for at in range(1, len(pieces) - 2, 3)])


def _span(ticks: str, code: str, after: str) -> str:
    pad = " " if code[:1] == "`" or code[-1:] == "`" else ""
    return f"{ticks}{pad}{code}{pad}{ticks}{after}"


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"maxNesting": _DEEPEST}).enable("table").disable("reference")
    parser.inline.ruler.enableOnly(["text", "newline", "escape", "backticks", "entity"])
    return parser


class _Open(NamedTuple):
    level: int
    title: str
    line: int
    blocks: list[Block]


def _nest(flat: list[_Open], at: int, last: int) -> tuple[Section, int]:
    """Return the section that begins at `at` with all below it, and where the next one begins."""
    own = flat[at]
    children: list[Section] = []
    at += 1
    while at < len(flat) and flat[at].level > own.level:
        child, at = _nest(flat, at, last)
        children.append(child)
    end = flat[at].line - 1 if at < len(flat) else last
    return Section(own.level, own.title, own.line, end, tuple(own.blocks), tuple(children)), at


class _Reader:
    """Turns the parser's tokens into headings and blocks."""

    def __init__(self, lines: list[str], flat: list[_Open]) -> None:
        self._lines = lines
        self._flat = flat
        self._depth = 0
        self._marker = ""
        self._rows: list[Row] = []
        self._cells: list[str] = []

    def read(self, tokens: list[Token]) -> None:
        for at, token in enumerate(tokens):
            if token.type == "inline":
                self._inline(token, tokens[at - 1])
            elif token.type == "fence":
                self._put(self._fence(token))
            elif token.type == "code_block":
                self._put(Fence(_line(token) - 1, INDENTED, token.content, True))
            elif token.type == "html_block":
                self._put(Comment(_line(token), token.content))
            elif token.type == "list_item_open":
                self._depth += 1
                self._marker = f"{token.info}{token.markup}" if token.info else "-"
            elif token.type == "list_item_close":
                self._depth -= 1
                self._marker = ""
            elif token.type == "tr_open":
                self._cells = []
            elif token.type == "tr_close":
                self._row(tokens, at)
            elif token.type == "table_open":
                self._rows = []
            elif token.type == "table_close":
                header, *rows = self._rows
                self._put(Table(header.line, header.cells, tuple(rows)))

    def _put(self, block: Block) -> None:
        self._flat[-1].blocks.append(block)

    def _inline(self, token: Token, before: Token) -> None:
        raw = _raw_lines(token)
        if before.type in ("th_open", "td_open"):
            self._cells.append(plain("\n".join(raw)))
        elif before.type == "heading_open" and before.level == 0 and not _underlined_text(before, raw):
            title = plain("\n".join(raw))
            self._flat.append(_Open(int(before.tag[1:]), title, _line(before), []))
        else:
            self._put(Text(_line(token), raw, self._depth, self._marker))
            self._marker = ""

    def _row(self, tokens: list[Token], at: int) -> None:
        while tokens[at].type != "tr_open":
            at -= 1
        line = _line(tokens[at])
        written = self._lines[line - 1].strip().removesuffix("|").removeprefix("|")
        bars = written.count("|") - written.count("\\|")
        self._rows.append(Row(line, tuple(self._cells), bars >= len(self._cells)))

    def _fence(self, token: Token) -> Fence:
        first, after = token.map or (0, 0)
        ending = self._lines[after - 1].strip().lstrip("> ")
        closed = after - 1 > first and set(ending) == {token.markup[0]} and len(ending) >= len(token.markup)
        return Fence(first + 1, token.info.strip(), token.content, closed)


def _underlined_text(heading: Token, raw: tuple[str, ...]) -> bool:
    """Whether a line below words made a heading of what is a paragraph of fields above a rule."""
    return heading.markup in ("-", "=") and (len(raw) > 1 or raw[0].startswith(("**", "__")))


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 1


def _raw_lines(token: Token) -> tuple[str, ...]:
    lines = [""]
    for child in token.children or ():
        if child.type in ("softbreak", "hardbreak"):
            lines.append("")
        elif child.type == "code_inline":
            lines[-1] += f"{_TICK}{child.markup}{_TICK}{child.content}{_TICK}"
        else:
            lines[-1] += child.content
    return tuple(lines)
