"""The process that matches a regular expression for `logsearch`: started by its path, with nothing of Jobtrail in it.

First line in: the pattern; out: null, or why it is none. Then each line in is a list of texts; out: for each of them
[start, end] of what was found, or null.
"""

import json
import re
import sys
from contextlib import suppress

_BYTES = 1024 * 1024 * 1024
_CPU_SECONDS = 30


def _bound() -> None:
    """End this process where it would take all memory, or outlive the one that started it."""
    # Not every system has these limits, nor lets them be set.
    with suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415

        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))


def _say(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until the other end closes."""
    _bound()
    try:
        pattern = re.compile(json.loads(sys.stdin.readline()), re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        _say(str(error) or type(error).__name__)
        return
    _say(None)
    for line in sys.stdin:
        _say([found and found.span() for found in map(pattern.search, json.loads(line))])


if __name__ == "__main__":
    main()
