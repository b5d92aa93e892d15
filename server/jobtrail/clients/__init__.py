"""Clients on this machine: where their configuration lies, what it says of Jobtrail, and how to write it."""

from jobtrail.clients.installation import Done, Order, install, undo, wanted
from jobtrail.clients.known_clients import CLIENTS, Client, Host, Scope, config_path, existing_configs
from jobtrail.clients.start_command import Command, own_command

__all__ = [
    "CLIENTS", "Client", "Command", "Done", "Host", "Order", "Scope",
    "config_path", "existing_configs", "install", "own_command", "undo", "wanted",
]  # fmt: skip
