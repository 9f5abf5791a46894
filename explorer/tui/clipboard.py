"""Copying to the clipboard of the person at the terminal, through SSH, tmux and GNU screen.

OSC 52 is answered by the terminal emulator, not by this machine. tmux takes it itself only under
`set-clipboard on`, and hands a wrapped one through only under `allow-passthrough on`; whichever
is set, one of the two forms arrives, so both are written. Nothing is ever read back.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping
from typing import Final

from textual.app import App

SAFE_BYTES: Final = 74_994
"""Longest text that common terminals accept (xterm's limit of 100,000 base64 characters)."""

_SCREEN_CHUNK: Final = 500
"""GNU screen drops device control strings longer than 768 bytes."""


def osc52(text: str, environ: Mapping[str, str]) -> str:
    """The sequences that set the clipboard from where `environ` says the terminal is."""
    payload = b64encode(text.encode("utf-8", "replace")).decode()
    plain = f"\x1b]52;c;{payload}\x07"
    if environ.get("TMUX") or environ.get("TERM", "").startswith("tmux"):
        escaped = plain.replace("\x1b", "\x1b\x1b")
        return f"{plain}\x1bPtmux;{escaped}\x1b\\"
    if environ.get("STY"):
        chunks = [plain[at : at + _SCREEN_CHUNK] for at in range(0, len(plain), _SCREEN_CHUNK)]
        return "".join(f"\x1bP{chunk}\x1b\\" for chunk in chunks)
    return plain


def copy(app: App[object], text: str) -> str:
    """Send `text` to the person's clipboard; returns a remark about what may go wrong, or ''."""
    app._clipboard = text  # what Textual pastes within the app
    driver = app._driver
    if driver is not None:
        driver.write(osc52(text, os.environ))
        driver.flush()
    size = len(text.encode("utf-8", "replace"))
    return f"{size:,} bytes: some terminals cut at 75 kB" if size > SAFE_BYTES else ""
