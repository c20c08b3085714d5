"""Which repository files a run must not change unseen: the ones that judge it."""

from __future__ import annotations

import posixpath
import shlex
from functools import lru_cache
from typing import TYPE_CHECKING

from harnessos.model.globs import covers_any_part
from harnessos.model.words import sayable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harnessos.model.gate import Gate

_MOVES = frozenset({"cd", "pushd", "-C", "--directory"})
WORKFLOW = "WORKFLOW.md"


def named_paths(gate: Gate) -> frozenset[str]:
    """Return every relative path that a word of the gate's command could mean; most of them are no file at all."""
    return _named(gate.argv, gate.shell or "")


@lru_cache(maxsize=256)
def _named(argv: tuple[str, ...] | None, shell: str) -> frozenset[str]:
    words = list(argv) if argv is not None else _shell_words(shell)
    words = [text for word in words for text in _readings(word)]
    # `cd web && ./check.sh` and `make -C web -f check.mk` name files from another folder.
    moves = {words[index + 1] for index, word in enumerate(words[:-1]) if word in _MOVES}
    places = [posixpath.join(folder, text) for folder in ("", *moves) for text in words]
    return frozenset(path for place in places if (path := _relative(place)))


def is_protected(
    path: str, gates: Iterable[Gate], exists: Callable[[str], bool], workflow_name: str = WORKFLOW
) -> bool:
    """Whether changing `path` needs a person's look (ledger.md "Verdicts").

    `exists` tells whether a path is a regular file in the operator's checkout (not the run's: a file that the run
    deleted was there, one that it made was not). Case is ignored, as some file systems do.
    """
    folded = path.casefold()
    if folded == workflow_name.casefold():
        return True
    for gate in gates:
        if any(covers_any_part(glob, path) for glob in gate.protect):
            return True
        if any(named.casefold() == folded and exists(named) for named in named_paths(gate)):
            return True
    return False


def protected_changes(
    changed: Iterable[str], gates: Iterable[Gate], exists: Callable[[str], bool], workflow_name: str = WORKFLOW
) -> tuple[str, ...]:
    """Return the changed paths that are protected, sorted; a rename must be given with its old and its new path.

    They are recorded, so bytes that are no UTF-8 are written out.
    """
    gates = tuple(gates)
    return tuple(sorted({sayable(path) for path in changed if is_protected(path, gates, exists, workflow_name)}))


def _shell_words(command: str) -> list[str]:
    try:
        return list(shlex.shlex(command, posix=True, punctuation_chars=True))
    except ValueError:  # an open quote, as in a here-document: every word still counts
        return [word.strip("'\"`();<>|&") for word in command.split()]


def _readings(word: str, depth: int = 2) -> Iterator[str]:
    """Yield what a word may name: itself, the part before `::` (pytest) and after `=` or `@`, words quoted inside it."""
    word = word.strip("`")
    yield word
    if "::" in word:
        yield word.partition("::")[0]
    for sign in ("=", "@", ":"):
        head, found, tail = word.partition(sign)
        if found:
            yield head
            yield tail
    if depth and any(character.isspace() or character in "`;|&<>()" for character in word):
        for inner in _shell_words(word):
            yield from _readings(inner, depth - 1)


def _relative(text: str) -> str:
    """Normalise a word to a path inside the repository, or nothing."""
    if not text or text.startswith(("/", "~", "-")) or "\0" in text:
        return ""
    path = posixpath.normpath(text)
    return "" if path == "." or path.startswith("../") or path == ".." else path
