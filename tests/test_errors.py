"""Errors keep what they say as fields, and one place makes the sentence."""

from __future__ import annotations

import ast
from pathlib import Path

import httpx2
import pytest

from jobtrail import errors
from jobtrail.errors import JobtrailError, UnknownName, Unreachable, UpstreamError
from jobtrail.models import Call
from jobtrail.sources.base import unknown_name
from jobtrail.sources.http_errors import make_error

SERVER = Path(errors.__file__).parent
REFUSED = (
    "source 'a' refused the request (HTTP 422, request id r-1): 'no'; the same call will be refused again, "
    "change its arguments"
)
NAMES = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, JobtrailError)}


def make_answer(status: int, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(
        status, json={"message": "no"}, headers=named, request=httpx2.Request("GET", "http://a.invalid")
    )


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "source 'a' wants credentials, and none were given (HTTP 401, request id r-1); check the key"),
        (403, "source 'a' refused access (HTTP 403, request id r-1): 'no'; check the key"),
        (404, "source 'a' has nothing at this address (HTTP 404, request id r-1): 'no'; check the key"),
        (
            429,
            "source 'a' limits its callers (HTTP 429, request id r-1): 'no'; wait 7 s and make the same call again",
        ),
        (
            503,
            "source 'a' failed (HTTP 503, request id r-1): 'no'; that is the upstream's fault, a retry may help",
        ),
        (
            422,
            REFUSED,
        ),
    ],
)
def test_an_answer_s_status_and_request_id_are_fields_of_the_error(status: int, sentence: str) -> None:
    answer = make_answer(status, x_request_id="r-1", retry_after="7")
    error = make_error(answer, answer.content, subject="source 'a'", settings_advice="check the key")
    assert (error.status, error.request_id, error.subject) == (status, "r-1", "source 'a'")
    assert error.said == ("no" if "'no'" in sentence else "")
    assert error.retry_after == (7.0 if error.retryable else None)
    assert str(error) == sentence


@pytest.mark.parametrize("is_login", [False, True])
def test_credentials_that_were_given_were_refused(is_login: bool) -> None:  # pytest gives it
    answer = make_answer(401)
    if not is_login:
        answer.request.headers["Authorization"] = "Bearer key"
    error = make_error(answer, b"{}", subject="it", settings_advice="check the key", is_login=is_login)
    assert str(error) == "it refused the credentials (HTTP 401); check the key"


def test_an_error_without_an_answer_has_no_status() -> None:
    error = Unreachable("is down", subject="source 'a'", where=" at its address", advice="wait")
    assert (error.status, error.request_id) == (None, "")
    assert (str(error), error.describe_problem()) == ("source 'a' is down at its address; wait", "is down")


def test_the_closest_names_are_a_field() -> None:
    error = unknown_name("job", "elt", ["etl", "zebra"])
    assert (error.closest, str(error)) == (("etl",), "job='elt' does not exist; closest: etl")
    assert unknown_name("job", "elt", []).closest == ()


def test_calls_stay_calls_in_every_part_of_a_message() -> None:
    call = Call("list_jobs")
    error = UnknownName("no ", call, closest=["a"], advice=("call ", call, " first"))
    assert error.args == ("no ", call, "; closest: a", "; ", "call ", call, " first")
    assert str(error) == "no list_jobs(); closest: a; call list_jobs() first"


def begins_with_its_subject(call: ast.Call) -> bool:
    if not call.args or not isinstance(call.args[0], ast.JoinedStr):
        return False
    match call.args[0].values[0]:
        case ast.Constant(value=str(text)):
            return text.startswith("source ")
        case (
            ast.FormattedValue(value=ast.Attribute(attr="subject")) | ast.FormattedValue(value=ast.Name(id="subject"))
        ):
            return True
        case _:
            return False


def test_no_message_names_its_subject_itself() -> None:
    """`jobtrail doctor` names the source beside what is wrong with it."""
    found = [
        f"{path.relative_to(SERVER)}:{node.lineno}"
        for path in SERVER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in NAMES
        and begins_with_its_subject(node)
    ]
    assert found == []


def test_every_error_of_the_hierarchy_makes_its_message_in_one_place() -> None:
    own = {name for name in NAMES if "__str__" in vars(vars(errors)[name])}
    assert own == {"JobtrailError"}
    assert issubclass(UpstreamError, JobtrailError)
