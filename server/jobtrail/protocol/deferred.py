"""Tools and prompts that are made once a client asks for them, since `initialize` names none and should be quick."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING

from mcp.server.mcpserver.prompts.manager import PromptManager
from mcp.server.mcpserver.tools.tool_manager import ToolManager

if TYPE_CHECKING:
    from mcp.server.mcpserver.prompts import Prompt
    from mcp.server.mcpserver.tools import Tool


class DeferredTools(ToolManager):
    """Tools that are made once they are listed or called.

    Args:
        make: the function that makes them, by its name, `module:function`.
    """

    def __init__(self, make: str) -> None:
        super().__init__()
        self._make = make

    def list_tools(self) -> list[Tool]:
        """Return all tools."""
        if not self._tools:
            self._tools = {tool.name: tool for tool in resolve_name(self._make)()}
        return super().list_tools()

    def get_tool(self, name: str) -> Tool | None:
        """Return the tool of a name."""
        self.list_tools()
        return super().get_tool(name)


class DeferredPrompts(PromptManager):
    """Prompts that are made once they are listed or filled.

    Args:
        make: as of `DeferredTools`.
    """

    def __init__(self, make: str) -> None:
        super().__init__()
        self._make = make

    def list_prompts(self) -> list[Prompt]:
        """Return all prompts."""
        if not self._prompts:
            self._prompts = {prompt.name: prompt for prompt in resolve_name(self._make)()}
        return super().list_prompts()

    def get_prompt(self, name: str) -> Prompt | None:
        """Return the prompt of a name."""
        self.list_prompts()
        return super().get_prompt(name)
