"""The page of `report --html` in a real browser: drawn, silent, and asking the network for nothing.

Runs where a Chromium is installed; nothing is ever downloaded for it.
"""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest

from explorer.report.page import write_page
from tests import fake_cache
from tests.tui.explorer_app import settings_for

pytest.importorskip("matplotlib", reason="the extra 'figures' is not installed")

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")

QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--hide-scrollbars", "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
"""Not even the browser itself reaches anything."""


@dataclass(frozen=True)
class Visit:
    """What a browser did with a page.

    Attributes:
        console: what it said on its console.
        asked: addresses that the page, not the browser itself, asked for.
        size: width and height of the picture.
    """

    console: list[str]
    asked: set[str]
    size: tuple[int, int]


def visit(page: Path, folder: Path, size: str) -> Visit:
    assert BROWSER is not None
    log, picture = folder / "net.json", folder / "page.png"
    arguments = [
        *QUIET, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}",
        f"--screenshot={picture}", f"--window-size={size}", page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(
        [BROWSER, *arguments], capture_output=True, text=True, errors="replace", timeout=180
    )
    assert picture.is_file(), done.stderr[-2000:]
    text = log.read_text(errors="replace")
    try:
        events = json.loads(text)["events"]
    except ValueError:  # it ended before it wrote the last bracket
        events = json.loads(text.rstrip().rstrip(",") + "]}")["events"]
    facts = [event.get("params") or {} for event in events]
    asked = {
        one["url"]
        for one in facts
        if re.match("(https?|wss?|ftp):", str(one.get("url", "")))
        and one.get("initiator") not in (None, "not an origin")  # those are the browser's own
    }
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return Visit(console, asked, struct.unpack(">II", picture.read_bytes()[16:24]))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    cache = folder / "explorer.db"
    fake_cache.build(cache, problems=6, n=8, scored=4, models=fake_cache.CROWD).close()
    target = folder / "page.html"
    names = tuple(model.name for model in fake_cache.CROWD)
    write_page(target, settings_for(cache, names), traces=["hostile"])
    return target


@needs_browser
@pytest.mark.parametrize("size", ["1280,1600", "420,1600"])
def test_a_browser_draws_it_in_silence(page: Path, tmp_path: Path, size: str) -> None:
    seen = visit(page, tmp_path, size)
    assert seen.console == []
    assert seen.asked == set()
    assert "{},{}".format(*seen.size) == size


@needs_browser
def test_a_page_that_does_ask_and_complain_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "loud.html"
    page.write_text("<img src='http://pictures.invalid/a.png'><script>console.error('oh')</script>")
    seen = visit(page, tmp_path, "400,300")
    assert seen.asked == {"http://pictures.invalid/a.png"}
    assert any("oh" in line for line in seen.console)


class Addresses(HTMLParser):
    """Everything in a page that could name something outside it."""

    NAMES = ("src", "href", "xlink:href", "srcset", "poster", "action", "data", "background")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in self.NAMES]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)


def test_nothing_in_the_source_names_anything_outside(page: Path) -> None:
    source = page.read_text(encoding="utf-8")
    assert all(address.startswith("#") for address in Addresses(source).found)
    assert set(re.findall(r"url\(\s*['\"]?(.)", source)) <= {"#"}
    assert "@import" not in source
