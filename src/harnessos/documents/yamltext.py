"""YAML text to a tree: the core schema of YAML 1.2, built from parser events so that depth and size are bounded.

The only module that knows ruamel. `no`, `on:`, `22:30` and dates stay text, keys are always text, tags other than
`!!str` and merge keys are refused, aliases are copied (bounded), and every mapping remembers its lines.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from harnessos.documents.tree import MAX_DEPTH, Loaded, Marked, Problem, check_tree, line_of

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_VALUES = 4_000_000

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class _Refused(Exception):
    """The document cannot be built."""

    def __init__(self, sentence: str, line: int | None) -> None:
        super().__init__(sentence)
        self.problem = Problem("", sentence, line)


class _Open(NamedTuple):
    """A container under construction: its anchor, and the count of values before it began."""

    value: Marked | list[object]
    anchor: str | None
    before: int


def load_yaml(text: str, progress: Callable[[int, int], None] | None = None, first_line: int = 1) -> Loaded:
    """Parse one YAML document; `progress(done, total)` hears of characters read; lines count from `first_line`."""
    stream = _Stream(text, progress)
    builder = _Builder(first_line)
    parser = YAML(typ="safe", pure=True)
    try:
        for event in parser.parse(stream):
            builder.take(event)
    except _Refused as refused:
        return Loaded(None, [refused.problem])
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # What is missing at the end is said of the last line that holds something.
        line = min(mark.line, text.rstrip().count("\n")) + first_line if mark else None
        said = ", ".join(part for part in (error.context, error.problem) if part)
        return Loaded(None, [Problem("", f"is not YAML: {said}", line)])
    except (YAMLError, ValueError, OverflowError, RecursionError) as error:
        said = str(error).strip().split("\n", maxsplit=1)[0]
        return Loaded(None, [Problem("", f"is not YAML: {said}")])
    problems = builder.problems + check_tree(builder.root)
    return Loaded(
        builder.root, [found._replace(line=found.line or line_of(builder.root, found.where)) for found in problems]
    )


class _Stream:
    """Hands the text out in pieces, so that progress can be seen."""

    def __init__(self, text: str, progress: Callable[[int, int], None] | None) -> None:
        self._text = text
        self._at = 0
        self._progress = progress

    def read(self, size: int = -1) -> str:
        end = len(self._text) if size < 0 else self._at + size
        piece = self._text[self._at : end]
        self._at += len(piece)
        if self._progress is not None:
            self._progress(self._at, len(self._text))
        return piece


class _Builder:
    """Builds the tree from events, with a stack of its own."""

    def __init__(self, first_line: int) -> None:
        self.root: object = None
        self.problems: list[Problem] = []
        self._first_line = first_line
        self._stack: list[_Open] = []
        self._keys: list[str | None] = []
        self._anchors: dict[str, tuple[object, int]] = {}
        self._count = 0
        self._documents = 0

    def take(self, event: object) -> None:
        """Take the next event of the parser."""
        if isinstance(event, ScalarEvent):
            self._scalar(event)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._start(event)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            done = self._stack.pop()
            self._keys.pop()
            if done.anchor:
                self._anchors[done.anchor] = (done.value, self._count - done.before)
        elif isinstance(event, AliasEvent):
            self._alias(event)
        elif isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _Refused("holds more than one YAML document", self._line(event))

    def _line(self, event: object) -> int:
        return int(event.start_mark.line) + self._first_line  # type: ignore[attr-defined]  # every event has its mark

    def _scalar(self, event: ScalarEvent) -> None:
        tag = event.tag and str(event.tag)
        if tag not in (None, "!", "tag:yaml.org,2002:str"):
            raise _Refused(f"has the tag {tag}, which is not read here", self._line(event))
        if self._expects_key():
            self._key(event)
            return
        text = _whole(str(event.value))
        self._put(text if tag or event.style else _plain(text), 1, event)
        if event.anchor:
            self._anchors[event.anchor] = (text if tag or event.style else _plain(text), 1)

    def _expects_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].value, Marked) and self._keys[-1] is None

    def _key(self, event: ScalarEvent) -> None:
        owner = self._stack[-1].value
        assert isinstance(owner, Marked)
        name = _whole(str(event.value))
        line = self._line(event)
        if name == "<<" and not event.style:
            raise _Refused("uses a merge key (<<), which is not read here: write the fields out", line)
        if name in owner:
            self.problems.append(Problem("", f"the key {name!r} stands here more than once", line))
        owner.key_lines[name] = line
        self._keys[-1] = name

    def _start(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        if self._expects_key():
            raise _Refused("has a mapping or list as a key", self._line(event))
        tag = event.tag and str(event.tag)
        if tag not in (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            raise _Refused(f"has the tag {tag}, which is not read here", self._line(event))
        if len(self._stack) >= MAX_DEPTH:
            raise _Refused(f"is nested deeper than {MAX_DEPTH} levels", self._line(event))
        made: Marked | list[object] = []
        if isinstance(event, MappingStartEvent):
            made = Marked()
            made.line = self._line(event)
            made.key_lines = {}
        before = self._count
        self._put(made, 1, event)
        self._stack.append(_Open(made, event.anchor, before))
        self._keys.append(None)

    def _alias(self, event: AliasEvent) -> None:
        if self._expects_key():
            raise _Refused("has an alias as a key", self._line(event))
        if any(level.anchor == event.anchor for level in self._stack):
            raise _Refused(f"the alias *{event.anchor} refers to what it lies in", self._line(event))
        if event.anchor not in self._anchors:
            raise _Refused(f"the alias *{event.anchor} has no anchor", self._line(event))
        value, size = self._anchors[event.anchor]
        if self._count + size > MAX_VALUES:
            raise _Refused(f"holds more than {MAX_VALUES:,} values once its aliases are expanded", self._line(event))
        self._put(_copy(value), size, event)

    def _put(self, value: object, size: int, event: object) -> None:
        self._count += size
        if self._count > MAX_VALUES:
            raise _Refused(f"holds more than {MAX_VALUES:,} values, write it as JSON", self._line(event))
        if not self._stack:
            self.root = value
            return
        owner = self._stack[-1].value
        if isinstance(owner, list):
            owner.append(value)
            return
        name = self._keys[-1]
        assert name is not None
        owner[name] = value
        self._keys[-1] = None


def _whole(text: str) -> str:
    """Join the two halves that JSON, which is YAML too, writes for a character beyond the first 65,536."""
    if text.isascii() or not _PAIR.search(text):
        return text
    return _PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)


def _copy(value: object) -> object:
    """Copy a tree whose depth is bounded already, so that nothing in the document is shared."""
    if isinstance(value, Marked):
        made = Marked({key: _copy(item) for key, item in value.items()})
        made.line = value.line
        made.key_lines = value.key_lines
        return made
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _plain(text: str) -> object:
    """Resolve an unquoted scalar by the core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", "").lower())
    return text
