"""Where a server's calls are done: its ledger, its tools, and in whose name a call acts."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harnessos import errors
from harnessos.app.harness import actor_of, fingerprint, harness
from harnessos.mcp.ledger import Ledger, Lent
from harnessos.mcp.profiles import tools_of
from harnessos.mcp.renewing import Renewing
from harnessos.model.run import Actor
from harnessos.model.words import sayable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.app.harness import Harness
    from harnessos.mcp.actions import Action, Tool
    from harnessos.mcp.options import Options
    from harnessos.ports import Clock

_LONGEST_NAME = 60
WAIT_S = 45.0
"""Hosts give a call up after a minute: an answer comes before, and says that the work goes on."""


class Desk:
    """What a server's calls share. Nothing is opened before the first call needs it.

    `wait_s` is how long a call waits for a verdict; `connected` says that the server ends with its one client.
    """

    def __init__(
        self,
        options: Options,
        store: str | None = None,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        clock: Clock | None = None,
        wait_s: float = WAIT_S,
        connected: bool = True,
    ) -> None:
        tools_of(options.profile)
        self.options = options
        self.wait_s = wait_s
        self.base = harness(store, environ, cwd or _here(), "mcp", clock=clock)
        self.ledger = Ledger(self.base)
        self.renewing = Renewing(self.ledger, connected=connected)

    @cached_property
    def tools(self) -> tuple[Tool, ...]:
        """Return the tools of the profile."""
        from harnessos.mcp.tools import TOOLS

        names = tools_of(self.options.profile)
        return tuple(tool for tool in TOOLS if tool.name in names)

    def harness(self, tool: Tool, action: Action, given: Mapping[str, Any], client: str) -> Harness:
        """Return the harness of one call. Any: JSON values."""
        command = (action.command or f"{tool.name} {action.name}").replace(" ", ".")
        settings = self.base.settings
        checkout = given.get("checkout")
        if checkout is not None:
            if not Path(checkout).expanduser().is_absolute():
                raise errors.BadUsage(f"{checkout!r} says no place", hint="an absolute path of a checkout")
            settings = settings._replace(cwd=Path(checkout).expanduser())
        actor = self._actor(given, client)
        # Who looks is not who works: only a token that was sent renews its lease, the one a workspace keeps does not.
        looks = not action.writes and not given.get("session")
        return Lent(self.ledger, self.base, settings, command, actor, reads_only=self.options.read_only or looks)

    def _actor(self, given: Mapping[str, Any], client: str) -> Actor:
        """Return who acts: an agent, however it came, unless the server was started for a person."""
        if self.options.operator:
            return actor_of(self.base.environ)
        session = given.get("session")
        if session:
            return Actor("agent", fingerprint(session)[:12])
        known = actor_of(self.base.environ)
        return known if known.kind == "agent" else Actor("agent", f"mcp:{sayable(client)[:_LONGEST_NAME] or 'client'}")

    def close(self) -> None:
        """Renew nothing more, and close the ledger."""
        self.renewing.stop()
        self.ledger.close()


def _here() -> Path:
    """Return the folder the server was started in; the root where that is gone, which belongs to no project."""
    try:
        return Path.cwd()
    except OSError:
        os.chdir("/")
        return Path("/")
