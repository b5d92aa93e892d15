"""Everything that speaks MCP: the server, its transports, prompts, completion and resources."""
