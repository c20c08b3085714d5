"""The MCP server: the same commands, their arguments filled from JSON, for any agent in any host.

A tool is a noun with actions (`tools`); an action fills a command of the table, or calls one function of its own. What
comes back is the command's document with `next`, the call to make and why (`following`). Only `server`, `stdio` and
`http` know the protocol; nothing else here imports the SDK, which takes half a second.
"""

from __future__ import annotations
