"""JUnit XML, counted by its test cases. The file comes from an agent: no document type, no entity, no nesting tricks."""

from __future__ import annotations

from xml.parsers import expat

from harnessos.model.counts import Counts

DEEPEST = 200
_ROOTS = frozenset({"testsuites", "testsuite"})


def read_junit(content: bytes) -> Counts:
    """Count test cases; a `failure` or `error` anywhere fails, `skipped` cases did not run."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(content, True)
    except expat.ExpatError as broken:
        return Counts(problem=f"the report is no well-formed XML: {broken}")
    except _Refused as refused:
        return Counts(problem=f"the report is refused: {refused}")
    return Counts(reader.ran, reader.failed, reader.skipped)


class _Refused(Exception):
    pass


class _Reader:
    """Follows the elements; one test case or suite counts as one failure, however many it lists."""

    __slots__ = ("_marks", "_path", "failed", "ran", "skipped")

    def __init__(self) -> None:
        self._path: list[str] = []
        self._marks: set[str] = set()
        self.ran = self.failed = self.skipped = 0

    def doctype(self, *_: object) -> None:
        raise _Refused("it declares a document type")

    def start(self, tag: str, _: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if not self._path and name not in _ROOTS:
            raise _Refused(f"its root is <{name[:40]}>, not <testsuites> or <testsuite>")
        if len(self._path) >= DEEPEST:
            raise _Refused(f"it is nested deeper than {DEEPEST} elements")
        if name == "testcase":
            self._marks = set()
        elif name in ("failure", "error", "skipped"):
            if "testcase" in self._path:
                self._marks.add(name)
            elif name != "skipped":
                self.failed += 1  # a suite that broke before its first case
        self._path.append(name)

    def end(self, _: str) -> None:
        if self._path.pop() != "testcase":
            return
        if self._marks & {"failure", "error"}:
            self.failed += 1
            self.ran += 1
        elif "skipped" in self._marks:
            self.skipped += 1
        else:
            self.ran += 1
