"""The seven tools. Each module is a table; what an action does lies below, in a command or in one function it names."""

from __future__ import annotations

from harnessos.mcp.tools.admin import ADMIN
from harnessos.mcp.tools.artifacts import ARTIFACTS
from harnessos.mcp.tools.inspector import INSPECTOR
from harnessos.mcp.tools.mission import MISSION
from harnessos.mcp.tools.orchestrator import ORCHESTRATOR
from harnessos.mcp.tools.session import SESSION
from harnessos.mcp.tools.symphony import SYMPHONY

TOOLS = (INSPECTOR, ORCHESTRATOR, SESSION, SYMPHONY, ARTIFACTS, ADMIN, MISSION)
