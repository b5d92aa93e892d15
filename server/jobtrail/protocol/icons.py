"""Icons of resources as SVG, in a grey that is visible on light and dark backgrounds."""

from __future__ import annotations

import base64

from mcp.types import Icon

_SHAPES = {
    "jobs": "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01",
    "job": "M6 3h9l4 4v14H6zM10 12h6M10 16h6",
    "execution": "M12 3a9 9 0 1 0 9 9M12 7v5l3 2M16 4l5 0 0 5",
    "run": "M6 4l13 8-13 8z",
    "history": "M4 20V10M10 20V4M16 20v-7M21 20H3",
}
_GREY = "#7a869a"


def make_icon(name: str) -> Icon:
    """Return one of the pictures as an SVG of any size, in the address itself."""
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" '
        f'stroke="{_GREY}" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">'
        f'<path d="{_SHAPES[name]}"/></svg>'
    )
    source = f"data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}"
    return Icon(src=source, mime_type="image/svg+xml", sizes=["any"])
