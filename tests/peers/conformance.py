"""Which scenarios of the conformance suite apply to Jobtrail, and why the others cannot.

The suite tests servers against fixtures: tools, prompts and resources with names of its own, which a server under
test is to offer. A server for a purpose offers its own; what such scenarios test is then the missing fixture.
"""

from __future__ import annotations

_FIRST, _LEGACY, _MODERN = "2025-06-18", "2025-11-25", "2026-07-28"
_EVERY = (_FIRST, _LEGACY, _MODERN)

RUN = {
    "server-initialize": (_FIRST, _LEGACY),
    "server-stateless": (_MODERN,),
    "ping": (_FIRST, _LEGACY),
    "completion-complete": _EVERY,
    "tools-list": _EVERY,
    "server-sse-multiple-streams": (_LEGACY, _MODERN),
    "resources-list": _EVERY,
    "sep-2164-resource-not-found": (_MODERN,),
    "prompts-list": _EVERY,
    "dns-rebinding-protection": (_LEGACY, _MODERN),
    "caching": (_MODERN,),
    "http-header-validation": (_MODERN,),
}
"""Scenarios that need no fixture, with the eras that each knows: it is run in all of them."""

_DIAGNOSTIC = "needs the suite's own tool `test_missing_capability`"
_MUTATION = "needs the suite's own tools that add a tool or a prompt; ours never change while the server runs"
EXCEPT = {
    "server-stateless": {
        "sep-2575-server-rejects-undeclared-capability": _DIAGNOSTIC,
        "sep-2575-missing-capability-http-400": _DIAGNOSTIC,
        "sep-2575-server-sends-prompts-list-changed-on-subscription": _MUTATION,
        "sep-2575-server-sends-tools-list-changed-on-subscription": _MUTATION,
    },
    "server-sse-multiple-streams": {
        "server-sse-multiple-streams-session": (
            "a warning: there are no sessions, so that any replica can answer any request"
        ),
    },
}
"""Checks of those scenarios that do not pass, with the reason."""

_TOOL = "calls a tool of the suite's own"
_TASKS = "the tasks extension is not offered: no call takes longer than 50 s"
_SKILLS = "the skills extension is not offered; the suite skips every check"
_INPUT = "calls tools of the suite's own that ask the client for input; Jobtrail never asks"
_SESSION = (
    "subscribes to a resource of the suite's own, in a session; there are none over Streamable HTTP. "
    "Subscribing works over stdio and SSE, and over HTTP in the era of 2026-07-28"
)
BOUND = {
    "server-session-lifecycle": "there are no sessions over Streamable HTTP; the suite says that it does not apply",
    "logging-set-level": "the logging capability is not offered: Jobtrail logs to stderr",
    "json-schema-2020-12": "looks for a tool of the suite's own",
    "server-sse-polling": "calls a tool of the suite's own that closes its stream half-way",
    "http-custom-header-server-validation": "needs a tool with `x-mcp-header` annotations; ours have none",
    "resources-subscribe": _SESSION,
    "resources-unsubscribe": _SESSION,
    **dict.fromkeys(
        (
            "tools-call-simple-text",
            "tools-call-image",
            "tools-call-audio",
            "tools-call-embedded-resource",
            "tools-call-mixed-content",
            "tools-call-with-logging",
            "tools-call-error",
            "tools-call-with-progress",
            "tools-call-sampling",
            "tools-call-elicitation",
            "elicitation-sep1034-defaults",
            "elicitation-sep1330-enums",
        ),
        _TOOL,
    ),
    **dict.fromkeys(
        ("resources-read-text", "resources-read-binary", "resources-templates-read"),
        "reads a resource of the suite's own",
    ),
    **dict.fromkeys(
        (
            "prompts-get-simple",
            "prompts-get-with-args",
            "prompts-get-embedded-resource",
            "prompts-get-with-image",
        ),
        "fills a prompt of the suite's own",
    ),
    **dict.fromkeys(
        ("sep-2640-skills-directory", "sep-2640-skills-enumeration", "sep-2640-skills-manifest"), _SKILLS
    ),
    **dict.fromkeys(
        (
            "tasks-lifecycle",
            "tasks-capability-negotiation",
            "tasks-wire-fields",
            "tasks-request-state-removal",
            "tasks-mrtr-input",
            "tasks-request-headers",
            "tasks-dispatch-and-envelope",
            "tasks-status-notifications",
            "tasks-required-task-error",
            "tasks-mrtr-composition",
        ),
        _TASKS,
    ),
    **dict.fromkeys(
        (
            "input-required-result-basic-elicitation",
            "input-required-result-basic-sampling",
            "input-required-result-basic-list-roots",
            "input-required-result-request-state",
            "input-required-result-multiple-input-requests",
            "input-required-result-multi-round",
            "input-required-result-missing-input-response",
            "input-required-result-non-tool-request",
            "input-required-result-result-type",
            "input-required-result-unsupported-methods",
            "input-required-result-tampered-state",
            "input-required-result-capability-check",
            "input-required-result-ignore-extra-params",
            "input-required-result-validate-input",
        ),
        _INPUT,
    ),
}
"""Scenarios that cannot apply, with the reason."""


def tables() -> str:
    """Return what is run, what does not pass of it, and what cannot apply, as `docs/acceptance.md` shows it."""
    run = [f"| `{name}` | {', '.join(eras)} |" for name, eras in RUN.items()]
    missed = [f"| `{name}` | `{check}` | {why} |" for name, checks in EXCEPT.items() for check, why in checks.items()]
    reasons = dict.fromkeys(BOUND.values())
    bound = [
        f"| {', '.join(f'`{name}`' for name, why in BOUND.items() if why == reason)} | {reason} |"
        for reason in reasons
    ]
    parts = (
        ["| scenario | eras |", "|---|---|", *run],
        ["Checks of these that do not pass:", "", "| scenario | check | why |", "|---|---|---|", *missed],
        ["Scenarios that cannot apply:", "", "| scenarios | why |", "|---|---|", *bound],
    )
    return "\n\n".join("\n".join(part) for part in parts)
