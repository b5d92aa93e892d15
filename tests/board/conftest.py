"""Fixtures for the board: a browser, which marks the tests that ask for it, and a page with the board in a host."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.board.browser import ARTIFACTS, axe, bundle, start_chromium
from tests.board.serving import host_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, FrameLocator, Page

WIDTH, HEIGHT = 1120, 900
AXE_RULES = 15


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium of this module's own: no event loop of another test may run beside it."""
    with start_chromium() as chromium:
        yield chromium


@dataclass
class Watched:
    """A page, and everything it asked the network for or complained about."""

    page: Page
    requests: list[str] = field(default_factory=list[str])
    complaints: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in {"error", "warning"} else None
        )

    def faults(self, axe: str, within: FrameLocator | None = None) -> list[str]:
        """Return what axe-core finds wrong, in the page or in a frame of it."""
        html = (within or self.page).locator("html")
        html.evaluate(axe)
        found = html.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
        assert len(found["passes"]) > AXE_RULES
        return [f"{one['id']}: {one['nodes'][0]['target']}" for one in found["violations"]]

    def shoot(self, name: str) -> None:
        """Keep a screenshot of the whole page."""
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A page of its own that must not complain: neither of an error nor of the content security policy."""
    with browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}) as context:
        page = Watched(context.new_page())
        yield page
        assert page.complaints == []


@pytest.fixture(scope="module")
def host_address(browser: Browser) -> Iterator[str]:
    """The address of the host's page, with a real server behind it."""
    with host_pages(bundle()) as address:
        yield address


@pytest.fixture(scope="module")
def axe_script(browser: Browser) -> str:
    """The script of axe-core."""
    return axe()


@dataclass
class Hosted:
    """The board inside the host."""

    watched: Watched
    address: str

    @property
    def page(self) -> Page:
        return self.watched.page

    @property
    def board(self) -> FrameLocator:
        return self.page.frame_locator("iframe").frame_locator("iframe")

    def open(self, tool: str, stubs: dict[str, str] | None = None, **options: Any) -> FrameLocator:
        """Call a tool as a host does and show the board with its result.

        Args:
            tool: which one.
            stubs: by tool, a JavaScript function of arguments and of how often it was called before; its result
                stands in for the server's, where it returns one.
            options: of the host: args, context, canCall, result, pace.
        """
        self.page.goto(self.address)
        self.page.wait_for_function("() => window.host")
        for name, code in (stubs or {}).items():
            self.page.evaluate(f"host.stubs[{name!r}] = {code}")
        self.page.evaluate("options => host.open(options)", {"tool": tool, **options})
        return self.board

    def calls(self, tool: str) -> list[dict[str, Any]]:
        """Return the arguments of each call of a tool that the board made."""
        return self.page.evaluate("name => host.calls.filter(one => one.name === name).map(one => one.args)", tool)

    def shoot(self, name: str) -> None:
        """Keep a screenshot of the whole board."""
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        height = self.page.evaluate("() => host.sizes.at(-1).height")
        self.page.set_viewport_size({"width": WIDTH, "height": height})
        self.page.screenshot(path=ARTIFACTS / f"{name}.png")


@pytest.fixture
def hosted(watched: Watched, host_address: str) -> Hosted:
    return Hosted(watched, host_address)
