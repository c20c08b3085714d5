"""`harnessos` says in `__all__` exactly what it offers."""

from __future__ import annotations

import ast
import importlib

import harnessos
from tests.support.python import SOURCE


def _offered() -> list[str]:
    return list(getattr(harnessos, "__all__", []))


def _bound_at_the_top() -> set[str]:
    """Return the public names the module text binds, imports that run only for a type checker included."""
    path = SOURCE / "__init__.py"
    names: set[str] = set()
    if not path.exists():
        return names
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "harnessos":
            names.update(alias.asname or alias.name for alias in node.names)
    return {name for name in names if not name.startswith("_")}


def test_the_public_names_are_sorted_and_each_named_once() -> None:
    assert _offered() == sorted(set(_offered()))


def test_every_public_name_exists() -> None:
    missing = []
    for name in _offered():
        if not hasattr(harnessos, name):
            try:
                importlib.import_module(f"harnessos.{name}")
            except ImportError:
                missing.append(name)
    assert missing == []


def test_every_name_the_package_binds_is_public() -> None:
    assert _bound_at_the_top() - set(_offered()) == set()
