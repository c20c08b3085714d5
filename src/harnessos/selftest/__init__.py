"""`harness selftest`: the guarantees that matter most, proved on the user's own machine and store.

It makes a ledger of its own (a folder, or a schema of the PostgreSQL database), lets real processes fight over it and
die in it, and takes it away again. It needs nothing beyond an installation.
"""

from __future__ import annotations

from harnessos.selftest.checks import Result, run
from harnessos.selftest.place import Amounts, Place, prepare

__all__ = ["Amounts", "Place", "Result", "prepare", "run"]
