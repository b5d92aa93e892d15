"""Configuration files of MCP clients: where they are, and how Jobtrail is written into them."""

from jobtrail.clients.installation import Installation, InstallResult, build_entry, install, uninstall
from jobtrail.clients.known_clients import CLIENTS, Client, Machine, Scope, find_config_path, list_existing_configs
from jobtrail.clients.start_command import StartCommand, find_start_command

__all__ = [
    "CLIENTS", "Client", "InstallResult", "Installation", "Machine", "Scope", "StartCommand",
    "build_entry", "find_config_path", "find_start_command", "install", "list_existing_configs", "uninstall",
]  # fmt: skip
