"""Serves the plane's OpenAPI document at `/openapi.json`, and each schema of it at `/schemas/{name}.json`.

The YAML files beside this module are parts of one document; each has paths and components of its own.
"""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from jobtrail.plane.responses import RequestError, UTF8JSONResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_PARTS = ("plane.yaml", "blaxel.yaml", "runwisp.yaml")


def build_schema_url(request: Request, name: str) -> str:
    """Return the address of a schema, at the host that was asked."""
    # Not `request.url`: that needs the query to be well formed.
    base = request.base_url
    return f"{base.scheme}://{base.netloc}/schemas/{name}.json"


class OpenAPIRoutes:
    """The document, read when first asked for.

    Args:
        locked: whether the plane asks for a key.
    """

    def __init__(self, *, locked: bool) -> None:
        self._locked = locked

    def routes(self) -> list[Route]:
        """Return the routes, which begin at the root."""
        return [Route("/openapi.json", self.get_document), Route("/schemas/{name}.json", self.get_schema)]

    def get_document(self, _request: Request) -> Response:
        """`GET /openapi.json`."""
        return UTF8JSONResponse(self._document)

    def get_schema(self, request: Request) -> Response:
        """`GET /schemas/{name}.json`: a JSON Schema with all that it may refer to."""
        name, components = request.path_params["name"], self._document["components"]
        if name not in components["schemas"]:
            raise RequestError(404, "no such schema")
        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": name,
            "$ref": f"#/components/schemas/{name}",
            "components": {"schemas": components["schemas"]},
        }
        return UTF8JSONResponse(schema, media_type="application/schema+json")

    @cached_property
    def _document(self) -> dict[str, Any]:
        import yaml  # noqa: PLC0415 # only when somebody asks

        whole: dict[str, Any] = {}
        for part in _PARTS:
            _merge(whole, yaml.safe_load((files("jobtrail.plane.openapi") / part).read_text(encoding="utf-8")))
        if not self._locked:
            _allow_no_key(whole)
        return whole


def _merge(whole: dict[str, Any], part: dict[str, Any]) -> None:
    """Add a part to the whole; lists are put together, and what else both name must be a mapping."""
    for name, value in part.items():
        if name not in whole:
            whole[name] = value
        elif isinstance(value, list):
            whole[name] += value
        else:
            _merge(whole[name], value)


def _allow_no_key(whole: dict[str, Any]) -> None:
    """Say that the key may be left out."""
    for path in whole["paths"].values():
        for operation in path.values():
            if {"Key": []} in operation.get("security", []):
                operation["security"] = [{}, *operation["security"]]
