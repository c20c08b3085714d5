"""The runner of mutations tells caught from survived and from never tried."""

from __future__ import annotations

import pytest

from tests.mutants import Mutation, MutationError, broken, judge

MUTATION = Mutation("m", "g", "f.py", "a < b", "a <= b", ["t.py::test_x", "t.py::test_y"])


def test_the_text_is_replaced() -> None:
    assert broken("if a < b:", MUTATION) == "if a <= b:"


@pytest.mark.parametrize("text", ["", "a < b or a < b"])
def test_text_that_is_not_there_exactly_once_is_refused(text: str) -> None:
    with pytest.raises(MutationError):
        broken(text, MUTATION)


@pytest.mark.parametrize(
    ("code", "red", "state"),
    [
        (1, {"t.py::test_x[1] - AssertionError", "t.py::test_y"}, "caught"),
        (1, {"t.py::test_x"}, "survived"),
        (0, set(), "survived"),
        (2, {"t.py"}, "error"),
        (4, set(), "error"),
        (5, set(), "error"),
    ],
)
def test_caught_means_that_every_named_test_failed(code: int, red: set[str], state: str) -> None:
    assert judge(MUTATION, code, red)[0] == state
