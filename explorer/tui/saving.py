"""Writing what is on the screen: the picture as SVG, the data behind it as JSON lines.

Invariant: both files appear whole under one stem, no file that is there is ever written over, and
their names are said.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.errors import DataError, ExplorerError

if TYPE_CHECKING:
    from explorer.tui.app import ExplorerApp
    from explorer.views.saved_view import SavedView


def save_view(app: ExplorerApp, view: SavedView) -> None:
    """Take the picture now, and write both files on a worker thread."""
    title = f"rlvr-explorer · {view.name}"
    picture = app.export_screenshot(title=title)
    folder, made = app.settings.workspace.exports, app.clock()

    def write() -> None:
        from explorer.store.connection import open_reader
        from explorer.views.saved_view import saved_lines

        try:
            with closing(open_reader(app.settings.workspace.cache)) as db:
                lines = "".join(f"{line}\n" for line in saved_lines(db, view, made))
            paths = write_pair(folder, view.name, made, picture, lines)
        except ExplorerError as error:
            app.call_from_thread(app.report, error)
            return
        said = f"Wrote {paths[0].name} and {paths[1].name} into {folder.name}/"
        app.call_from_thread(app.notify, said, markup=False, timeout=8)

    app.run_worker(write, thread=True, exit_on_error=False, group="saving", description="saving")


def write_pair(folder: Path, name: str, made: float, picture: str, lines: str) -> tuple[Path, Path]:
    """Write `picture` and `lines` under a new stem; their paths.

    Raises:
        DataError: the folder cannot be written.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(made))
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "view"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number = 0
        while True:
            stem = f"{safe}-{stamp}" + (f"-{number}" if number else "")
            data = folder / f"{stem}.jsonl"
            try:
                data.touch(mode=0o600, exist_ok=False)  # whoever makes it has the stem
            except FileExistsError:
                number += 1
                continue
            drawn = folder / f"{stem}.svg"
            for path, text in ((drawn, picture), (data, lines)):
                part = path.with_name(f".{path.name}.{os.getpid()}.part")
                part.write_text(text, encoding="utf-8", errors="replace")
                part.chmod(0o600)
                part.replace(path)
            return drawn, data
    except OSError as error:
        raise DataError(
            "The view could not be written",
            f"{folder}: {error.strerror or error}.",
            "Check the folder and the free space.",
        ) from error
