"""What a server offers beside its tools, as the protocol has it: resources and prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.shared.exceptions import MCPError

from harnessos import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from harnessos.mcp.desk import Desk

    Context = Any  # the SDK's, which is not used


def handlers(desk: Desk, limiter: anyio.CapacityLimiter) -> dict[str, Any]:
    """Return the handlers of resources and prompts, by the SDK's names for them. Any: as the SDK takes them."""

    async def list_resources(_: Context, __: object) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=[])

    async def list_templates(_: Context, __: object) -> types.ListResourceTemplatesResult:
        from harnessos.mcp.resources import TEMPLATES

        found = [
            types.ResourceTemplate(uri_template=uri, name=name, description=about, mime_type=mime)
            for uri, name, about, mime in TEMPLATES
        ]
        return types.ListResourceTemplatesResult(resource_templates=found)

    async def read_resource(_: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        from harnessos.mcp import resources

        uri = str(params.uri)
        found = await _told(lambda: resources.read(desk, uri), limiter)
        contents = types.TextResourceContents(uri=uri, mime_type=found.mime, text=found.text)
        return types.ReadResourceResult(contents=[contents])

    async def list_prompts(_: Context, __: object) -> types.ListPromptsResult:
        from harnessos.mcp.prompts import PROMPTS

        found = [
            types.Prompt(
                name=one.name,
                description=one.about,
                arguments=[
                    types.PromptArgument(name=name, description=about, required=required)
                    for name, (about, required) in one.arguments.items()
                ],
            )
            for one in PROMPTS
        ]
        return types.ListPromptsResult(prompts=found)

    async def get_prompt(_: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        from harnessos.mcp import prompts

        prompt, text = await _told(lambda: prompts.rendered(params.name, params.arguments or {}), limiter)
        said = types.PromptMessage(role="user", content=types.TextContent(type="text", text=text))
        return types.GetPromptResult(description=prompt.about, messages=[said])

    return {
        "on_list_resources": list_resources,
        "on_list_resource_templates": list_templates,
        "on_read_resource": read_resource,
        "on_list_prompts": list_prompts,
        "on_get_prompt": get_prompt,
    }


async def _told(work: Callable[[], Any], limiter: anyio.CapacityLimiter) -> Any:  # Any: what the work comes to
    """Do it in a thread; what is refused becomes the protocol's error, with the hint."""
    try:
        return await anyio.to_thread.run_sync(work, limiter=limiter)
    except errors.HarnessError as problem:
        raise MCPError(types.INVALID_PARAMS, f"{problem.message} ({problem.code}); {problem.hint}") from problem
