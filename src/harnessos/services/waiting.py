"""What keeps `harness up --until-idle` from ending, told once: a session of somebody else; and campaigns left paused."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from harnessos import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harnessos.bridge import Bridge
    from harnessos.dispatch.ground import Ground
    from harnessos.services.loop import Service
    from harnessos.services.projects import Served
    from harnessos.store.transaction import Row, Transaction

_MOST = 50


class Waiting:
    """A service that ticks another one, and tells each run of somebody else that this one waits for."""

    def __init__(
        self, service: Service, ground: Ground, served: Sequence[Served], tell: Callable[[Mapping[str, object]], None]
    ) -> None:
        self._service = service
        self._ground = ground
        self._served = served
        self._tell = tell
        self._told: set[str] = set()

    @property
    def done(self) -> bool:
        """See services.loop.Service."""
        return self._service.done

    def stop(self, *, now: bool) -> None:
        """See services.loop.Service."""
        self._service.stop(now=now)

    async def tick(self, bridge: Bridge) -> float:
        """See services.loop.Service."""
        seconds = await self._service.tick(bridge)
        if not self.done:
            # Where the ledger cannot be read the supervisor has said so, and the next tick looks again.
            with suppress(errors.StoreUnavailable, errors.TryAgain):
                await bridge.call(self._look)
        return seconds

    def _look(self) -> None:
        live = [(one, run) for one in self._served for run in self._ground.store.read(_live, one.project["id"])]
        if any(self._is_own(run) for _, run in live):
            return
        for served, run in live:
            if run["id"] not in self._told:
                self._told.add(run["id"])
                self._tell(_waits(served.project["key"], run))

    def _is_own(self, run: Row) -> bool:
        process = self._ground.process
        return bool(run["machine_id"] == process.machine_id and run["pid"] == process.pid)


def _live(tx: Transaction, project_id: str) -> list[Row]:
    return tx.all("run_live", project=project_id, most=_MOST)


def _waits(key: str, run: Row) -> Mapping[str, object]:
    holder = "another supervisor's run" if run["supervised"] else "a session"
    who = f" of {run['agent']}" if run["agent"] else ""
    reason = f"{holder}{who} holds {run['identifier']}, and this ends only after it: `harness why {run['identifier']}`"
    return {"event": "up.waiting", "issue": run["identifier"], "project": key, "run": run["id"], "reason": reason}


def paused(ground: Ground, served: Sequence[Served]) -> list[Mapping[str, object]]:
    """Return an event for each paused campaign with ready work: it is left as it is, and nobody else would say so."""
    found: list[Mapping[str, object]] = []
    for one in served:
        key = one.project["key"]
        for name in ground.store.read(_paused, one.project["id"]):
            command = f"`harness campaign resume {name} --project {key}`"
            reason = f"the campaign {name} is paused and has ready work: {command}"
            found.append({"event": "up.paused", "project": key, "campaign": name, "reason": reason})
    return found


def _paused(tx: Transaction, project_id: str) -> list[str]:
    lanes = tx.all("lane_list", project=project_id)
    return sorted({lane["campaign"] for lane in lanes if lane["waiting"] and lane["campaign_status"] == "paused"})
