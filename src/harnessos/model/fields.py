"""Reading the fields of one foreign object: every problem is kept with its path, nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TypeVar, overload

Choice = TypeVar("Choice", bound=Enum)
LARGEST = 2**53 - 1


class Fields:
    """One object of a document; problems go to the list it was made with, as `path: sentence`."""

    __slots__ = ("_failed", "_problems", "_values", "where")

    def __init__(self, values: Mapping[str, object], where: str, problems: list[str]) -> None:
        self._values = values
        self._problems = problems
        self._failed: set[str] = set()
        self.where = where

    @classmethod
    def of(cls, value: object, where: str, problems: list[str], *, expected: str) -> Fields | None:
        """Return a reader of `value`, or None with a problem when it is no object with text keys."""
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            problems.append(f"{where}: must be {expected}")
            return None
        return cls(value, where, problems)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str) -> object:
        """Return the value as it came, None when it is missing."""
        return self._values.get(key)

    def failed(self, key: str) -> bool:
        """Whether a problem of this very field was noted."""
        return key in self._failed

    def problem(self, key: str, sentence: str) -> None:
        """Note a problem of a field; an empty key means the object."""
        self._failed.add(key)
        self._problems.append(f"{self.where}{'.' if key else ''}{key}: {sentence}")

    def extend(self, problems: Iterable[str]) -> None:
        """Note problems that carry their path already."""
        self._problems.extend(problems)

    def only(self, known: frozenset[str], place: str) -> None:
        """Refuse every other field."""
        for key in self._values:
            if key not in known:
                self.problem(key, f"unknown field {place}; known are {', '.join(sorted(known))}")

    def text(self, key: str, *, needed: bool = True) -> str | None:
        """Read text; without `needed` it may be missing."""
        if key not in self._values:
            if needed:
                self.problem(key, "is missing")
            return None
        return self._text(key, self._values[key])

    def _text(self, key: str, value: object) -> str | None:
        if not isinstance(value, str):
            self.problem(key, "must be text")
        elif "\0" in value:
            self.problem(key, "must not contain a NUL character")
        elif any("\ud800" <= character <= "\udfff" for character in value):
            self.problem(key, "must be valid Unicode, it has half of a surrogate pair")
        elif not value:
            self.problem(key, "is empty")
        else:
            return value
        return None

    def texts(self, key: str, *, paths: bool = False) -> tuple[str, ...]:
        """Read a list of text; with `paths` each must be a relative path or glob."""
        value = self._values.get(key, ())
        if not isinstance(value, list | tuple):
            self.problem(key, "must be a list of text")
            return ()
        found: list[str] = []
        for index, item in enumerate(value):
            # An empty word is a legal argument, an empty path is not.
            if item == "" and not paths:
                found.append("")
            elif (text := self._text(f"{key}[{index}]", item)) is not None:
                if paths and (complaint := path_problem(text)):
                    self.problem(f"{key}[{index}]", complaint)
                found.append(text)
        return tuple(found)

    def path(self, key: str, *, needed: bool = True) -> str | None:
        """Read a relative path of a file, without `.` and `..` parts."""
        text = self.text(key, needed=needed)
        if text is None:
            return None
        complaint = path_problem(text) or ("must be a file, not end in a slash" if text.endswith("/") else "")
        if complaint:
            self.problem(key, complaint)
        return text

    def flag(self, key: str, default: bool) -> bool:
        """Read true or false."""
        value = self._values.get(key, default)
        if isinstance(value, bool):
            return value
        self.problem(key, "must be true or false")
        return default

    @overload
    def number(self, key: str, default: int, *, low: int, high: int = LARGEST) -> int: ...
    @overload
    def number(self, key: str, default: None, *, low: int, high: int = LARGEST) -> int | None: ...
    def number(self, key: str, default: int | None, *, low: int, high: int = LARGEST) -> int | None:
        """Read a whole number between `low` and `high`."""
        if key not in self._values:
            return default
        value = self._values[key]
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.problem(key, f"must be a whole number of at least {low}" + (f", at most {high}" if high < LARGEST else ""))
        return default

    def choice(self, key: str, kind: type[Choice], default: Choice) -> Choice:
        """Read one of the values of an enum."""
        value = self._values.get(key, default.value)
        for member in kind:
            if member.value == value:
                return member
        self.problem(key, f"must be one of {', '.join(str(member.value) for member in kind)}")
        return default

    def objects(self, key: str) -> list[Fields]:
        """Read a list of objects."""
        value = self._values.get(key, ())
        if not isinstance(value, list | tuple):
            self.problem(key, "must be a list of objects")
            return []
        found = []
        for index, item in enumerate(value):
            entry = Fields.of(item, f"{self.where}.{key}[{index}]", self._problems, expected="an object")
            if entry is not None:
                found.append(entry)
        return found


def path_problem(text: str) -> str:
    """Return why `text` is no relative path inside a repository, or nothing."""
    if text.startswith(("/", "~")) or "\\" in text:
        return "must be a path relative to the repository's root, with forward slashes"
    parts = text.removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "must not have empty, `.` or `..` parts"
    if parts[0] == ".git":
        return "must not lie in .git"
    return ""
