"""`harness selftest`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos import selftest
from harnessos.commands.output import clean, dumps
from harnessos.selftest.place import CHAOS

if TYPE_CHECKING:
    from harnessos.commands.call import Call
    from harnessos.selftest import Result


def selftest_here(call: Call) -> int:
    """Prove the core guarantees on this machine and this kind of store, in a ledger of its own."""
    here = call.harness
    amounts = CHAOS if call.args.chaos else selftest.Amounts()
    ok = True
    with selftest.prepare(here.settings.store_url, here.settings.home, here.clock, here.ids) as place:
        call.out.note(f"made a ledger for this test alone in {place.folder}; it goes when the test ends")
        for result in selftest.run(place, amounts):
            ok = ok and result.ok
            print(dumps(result._asdict()) if call.out.json else clean(_told(result)), flush=True)
    return 0 if ok else 1


def _told(result: Result) -> str:
    return f"{'ok' if result.ok else 'FAILED':<7} {result.name:<19} {result.seconds:5.1f} s  {result.detail}"
