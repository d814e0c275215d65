"""Pages in a real headless Chromium: nothing may fail, and nothing may be asked of any other place."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = (1280, 900), (390, 844)


@dataclass
class Opened:
    """A page that is open, with what went wrong on it. `outside`: addresses that it asked for besides its own files."""

    page: object
    problems: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Fails on any error in the console, any exception, and any request to elsewhere."""
        assert self.problems == []
        assert self.outside == []

    def scrolls_sideways(self) -> bool:
        """Whether the page itself (not a box in it) is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth + 1")


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip)")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (Debian: chromium)")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium) -> Iterator[Callable[..., Opened]]:
    """Open a file as a page: `open_page(path, size=PHONE, dark=True)`. Every page opened is checked at the end."""
    contexts, pages = [], []

    def open_file(path: Path, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> Opened:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        opened = Opened(context.new_page())
        own = path.resolve().parent.as_uri()
        opened.page.on("console", lambda said: opened.problems.append(said.text) if said.type == "error" else None)
        opened.page.on("pageerror", lambda error: opened.problems.append(str(error)))
        opened.page.on(
            "request",
            lambda asked: None if asked.url.startswith((own, "data:", "blob:")) else opened.outside.append(asked.url),
        )
        opened.page.goto(path.resolve().as_uri())
        pages.append(opened)
        return opened

    yield open_file
    for opened in pages:
        opened.check()
    for context in contexts:
        context.close()
