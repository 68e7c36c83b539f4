"""A card on paper: printed by a browser without a window."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from fairaudit.exceptions import FairauditError

#: Names of browsers that print without a window.
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
#: Seconds after which a browser is taken to hang.
_PATIENCE = 120


def write(page: str, path: Path) -> None:
    """Print a page.

    Parameters
    ----------
    page : str
        HTML.
    path : Path
        The PDF.

    Raises
    ------
    FairauditError
        If no browser is there, or it does not print.
    """
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        raise FairauditError(
            f"{path}: a PDF needs a browser ({', '.join(_BROWSERS[:3])}); none was found. "
            "Write the card as .html and print it from yours."
        )
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "card.html"
        source.write_text(page, encoding="utf-8")
        _print(browser, source, path, Path(folder) / "profile")


def _print(browser: str, source: Path, path: Path, profile: Path) -> None:
    command = [
        browser, "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer",
        # The card asks for nothing; should it ever, it gets nothing.
        "--host-resolver-rules=MAP * ~NOTFOUND",
        # The sandbox does not start as root, as in containers.
        *(["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []),
        f"--user-data-dir={profile}", f"--print-to-pdf={path}", source.as_uri(),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FairauditError(f"{browser}: could not print: {error}.") from None
    if done.returncode or not path.is_file() or not path.stat().st_size:
        said = done.stderr.strip().splitlines()[-1:]
        raise FairauditError(f"{browser}: did not print the card: {' '.join(said)}")
