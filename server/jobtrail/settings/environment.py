"""Lists the environment variables that belong to no upstream, and reads variables from the environment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jobtrail.errors import SettingsError
from jobtrail.text import quote_value

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

OWN_VARIABLES = {
    "JOBTRAIL_CONFIG": "TOML file with several sources (default: jobtrail/config.toml where the platform keeps such)",
    "JOBTRAIL_SOURCE": "name of the default source (default: the first configured)",
    "JOBTRAIL_STORE": "the embedded store's file (default: jobtrail/store.db where the platform keeps data)",
    "JOBTRAIL_STORE_SYNC": "FULL makes each record survive a power cut, NORMAL is faster (default NORMAL)",
    "JOBTRAIL_JOB": "job of `jobtrail record` where it gets no --job; set for what a recorder runs",
    "JOBTRAIL_EXECUTION": "execution that a `jobtrail record` without --job joins; set for what a recorder runs",
    "JOBTRAIL_OUTER_TASK": "task that a `jobtrail record` without --job runs within; set for what a recorder runs",
    "JOBTRAIL_TZ": "IANA zone in which times without a zone are taken (default UTC)",
    "JOBTRAIL_AUTH_TOKEN": "bearer token that HTTP clients must send; required off loopback",
    "JOBTRAIL_ALLOWED_HOSTS": "comma list of further Host values that HTTP accepts, such as jobs.example:8080",
    "JOBTRAIL_LOG_LEVEL": "DEBUG, INFO, WARNING or ERROR, to stderr (default WARNING)",
}

# A bundle's setting that nobody filled in: Claude Desktop passes the placeholder of the manifest on as it stands.
_LEFT_OPEN = re.compile(r"\s*\$\{user_config\.[^}]*\}\s*")
# What a client should have filled in from a variable that it does not have.
_NOT_FILLED_IN = re.compile(r"\s*\$\{(env:|input:)?[A-Za-z_][\w-]*\}\s*")


def read_variables(environ: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Return the variables that are set, without blank ones and without placeholders that a bundle's host left open.

    Args:
        environ: all variables.
        names: of the variables to read.

    Raises:
        SettingsError: one holds a placeholder for another variable, which a client did not fill in.
    """
    given = {
        key: value
        for key, value in environ.items()
        if key in names and value.strip() and not _LEFT_OPEN.fullmatch(value)
    }
    for key, value in given.items():
        if _NOT_FILLED_IN.fullmatch(value):
            raise SettingsError(
                f"{key} is {quote_value(value)}, which the client that started Jobtrail did not fill in; set that "
                "variable where the client is started, or write the value into its configuration"
            )
    return given
