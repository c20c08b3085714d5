"""A file becomes text, with its size known before a byte of it is read."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Literal, NamedTuple

from harnessos.documents.tree import Loaded, Problem
from harnessos.errors import NotAFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Format = Literal["json", "yaml", "toml"]

MAX_BYTES = 256 * 1024 * 1024
MAX_YAML_BYTES = 32 * 1024 * 1024
_SUFFIXES: dict[str, Format] = {".json": "json", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml"}


class Text(NamedTuple):
    """The text of a file without BOM, or the one problem why there is none."""

    text: str
    problem: Problem | None = None


def read_text(path: Path, limit: int = MAX_BYTES, too_large: str = "") -> Text:
    """Read a UTF-8 file of at most `limit` bytes; NotAFile when there is no readable regular file.

    `too_large` ends the sentence about a file over the limit.
    """
    raw = _read_bytes(path, limit)
    if raw is None:
        return Text("", Problem("", f"is larger than {limit // 1024**2} MB{too_large}"))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return Text("", Problem("", f"is not UTF-8 (byte {error.start}: {error.reason})", line))
    if "\0" in text:
        return Text("", Problem("", "holds a NUL character", text.count("\n", 0, text.index("\0")) + 1))
    return Text(text)


def _read_bytes(path: Path, limit: int) -> bytes | None:
    """Return the bytes, None over the limit. Opens without waiting, so that a pipe cannot hang the reader."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        hint = "check the spelling" if isinstance(error, OSError) and error.errno == errno.ENOENT else None
        raise NotAFile(f"{path}: {reason}", hint=hint, path=str(path)) from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise NotAFile(f"{path}: is {kind}", hint="name a file", path=str(path))
        return None if status.st_size > limit else _read_all(handle, limit)
    except OSError as error:
        raise NotAFile(f"{path}: {error.strerror}", path=str(path)) from error
    finally:
        os.close(handle)


def _read_all(handle: int, limit: int) -> bytes | None:
    """Read to the end, or to just over the limit when the file grows meanwhile."""
    pieces: list[bytes] = []
    size = 0
    while piece := os.read(handle, 1 << 24):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            return None
    return b"".join(pieces)


def format_of(path: Path, text: str) -> Format:
    """Return the format by suffix, else by the first line that says something."""
    known = _SUFFIXES.get(path.suffix.lower())
    if known:
        return known
    for line in text[:65536].splitlines():
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        if words.startswith("{"):
            return "json"
        name, equals, _ = words.partition("=")
        table = words.startswith("[") and words.split("#")[0].rstrip().endswith("]")
        return "toml" if table or (equals and ":" not in name) else "yaml"
    return "yaml"


def load_document(path: Path, progress: Callable[[int, int], None] | None = None) -> Loaded:
    """Read and parse a YAML, JSON or TOML file; NotAFile when there is none, every other trouble is a Problem."""
    json_instead = ", the limit for YAML; write it as JSON, which may have 256 MB"
    yaml_by_name = _SUFFIXES.get(path.suffix.lower()) == "yaml"
    text, problem = read_text(path, *((MAX_YAML_BYTES, json_instead) if yaml_by_name else (MAX_BYTES,)))
    if problem is not None:
        return Loaded(None, [problem])
    form = format_of(path, text)
    if form == "yaml":
        if len(text) > MAX_YAML_BYTES:
            return Loaded(None, [Problem("", f"is larger than {MAX_YAML_BYTES // 1024**2} MB{json_instead}")])
        from harnessos.documents.yamltext import load_yaml

        return load_yaml(text, progress)
    from harnessos.documents.jsontext import load_json, load_toml

    return load_json(text) if form == "json" else load_toml(text)
