"""A browser for tests: Debian's or another that is installed; none is ever downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

MISSING = "needs a browser (chromium)"


@contextmanager
def chromium() -> Iterator[Any]:
    """A running Chromium, driven by Playwright; skips the test where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        found = None
    if found is None:
        pytest.skip(MISSING)
    # Chromium's sandbox refuses to run as root.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=flags)
        yield browser
        browser.close()


@contextmanager
def shown(browser: Any, path: Path, **settings: Any) -> Iterator[tuple[Any, list[str]]]:
    """A page of a file without network, and what went wrong: requests, messages, errors."""
    trouble: list[str] = []
    context = browser.new_context(**settings)
    context.set_offline(True)
    page = context.new_page()
    page.route("**/*", lambda route: _file_only(route, path.as_uri(), trouble))
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(path.as_uri())
    yield page, trouble
    context.close()


def _file_only(route: Any, uri: str, trouble: list[str]) -> None:
    if route.request.url.split("#")[0] == uri:
        route.continue_()
    else:
        trouble.append(f"asked for {route.request.url}")
        route.abort()
