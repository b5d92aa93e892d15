"""What the plane publishes about itself: `/openapi.json`, and each schema of it at `/schemas/{name}.json`.

The YAML files beside this module are parts of one document; each has paths and components of its own.
"""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from starlette.routing import Route

from jobtrail.plane.answers import Answer, Refusal

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["Published"]

_COMPONENT = "#/components/schemas/"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_FIRST = "plane.yaml"


class Published:
    """The document, read when first asked for.

    Args:
        locked: whether the plane asks for a key.
    """

    def __init__(self, *, locked: bool) -> None:
        self._locked = locked

    def routes(self) -> list[Route]:
        """Return the routes, which begin at the root."""
        return [Route("/openapi.json", self.document), Route("/schemas/{name}.json", self.schema)]

    def document(self, _request: Request) -> Response:
        """`GET /openapi.json`."""
        return Answer(self._document)

    def schema(self, request: Request) -> Response:
        """`GET /schemas/{name}.json`: a JSON Schema that holds all that it refers to."""
        name = request.path_params["name"]
        if name not in self._document["components"]["schemas"]:
            raise Refusal(404, "not_found", "no such schema")
        return Answer(self._alone(name), media_type="application/schema+json")

    @cached_property
    def _document(self) -> dict[str, Any]:
        import yaml  # noqa: PLC0415 # only when somebody asks

        whole: dict[str, Any] = {}
        for part in sorted(files("jobtrail.plane.openapi").iterdir(), key=lambda one: (one.name != _FIRST, one.name)):
            if part.name.endswith(".yaml"):
                _merge(whole, yaml.safe_load(part.read_text(encoding="utf-8")))
        if not self._locked:
            _unlock(whole)
        return whole

    def _alone(self, name: str) -> dict[str, Any]:
        schemas = self._document["components"]["schemas"]
        needed: dict[str, Any] = {}
        pending = {name}
        while pending:
            one = pending.pop()
            needed[one] = _relocated(schemas[one], name, pending)
            pending -= {*needed}
        return {"$schema": _DIALECT, "title": name, **needed.pop(name), "$defs": needed}


def _merge(whole: dict[str, Any], part: dict[str, Any]) -> None:
    """Add a part to the whole; lists are put together, and what else both name must be a mapping."""
    for name, value in part.items():
        if name not in whole:
            whole[name] = value
        elif isinstance(value, list):
            whole[name] += value
        else:
            _merge(whole[name], value)


def _unlock(whole: dict[str, Any]) -> None:
    """Say that the key may be left out."""
    for path in whole["paths"].values():
        for operation in path.values():
            if {"Key": []} in operation.get("security", []):
                operation["security"] = [{}, *operation["security"]]


def _relocated(schema: Any, root: str, named: set[str]) -> Any:
    """Return a schema whose references are within one file, that of `root`, and add to `named` what they name."""
    if isinstance(schema, list):
        return [_relocated(one, root, named) for one in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    moved: dict[str, Any] = {}
    for key, value in cast("dict[str, Any]", schema).items():
        if key == "$ref":
            name = value.removeprefix(_COMPONENT)
            named.add(name)
            moved[key] = "#" if name == root else f"#/$defs/{name}"
        else:
            moved[key] = _relocated(value, root, named)
    return moved
