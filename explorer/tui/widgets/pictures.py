"""The images of a problem, one beneath the other, each under a line that says what it is.

Reading and drawing happen on a worker; until it is done the line says so. An image that cannot be
shown is a line with the reason. Invariant: what is painted is ready, so painting never waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, cast

from rich.segment import Segment
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from explorer.errors import ExplorerError
from explorer.tui.render.cells import strip_of, wrap
from explorer.tui.theme import Palette, palette_for
from explorer.tui.widgets.line import Pieces
from explorer.tui.widgets.rows import piece_style
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.tui.app import ExplorerApp
    from explorer.tui.gallery import Gallery, Shown


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be shown: these images, each in a box of at most these cells."""

    paths: tuple[str, ...] = ()
    columns: int = 0
    rows: int = 0
    first: int = 1
    total: int = 0


class PicturesReady(Message):
    """A worker has read and drawn what was wanted: an image or the reason why not, each."""

    def __init__(self, wanted: Wanted, results: Sequence[Shown | ExplorerError]) -> None:
        super().__init__()
        self.wanted = wanted
        self.results = tuple(results)


class Pictures(Widget):
    """Images under their captions.

    Args:
        gallery: what reads and draws them.
        alone: one image in the middle of the widget, without a line above it.
    """

    DEFAULT_CSS = """
    Pictures { height: auto; width: 1fr; }
    """

    def __init__(
        self,
        gallery: Gallery,
        *,
        id: str | None = None,  # noqa: A002
        alone: bool = False,
    ) -> None:
        super().__init__(id=id)
        self.gallery = gallery
        self.wanted = Wanted()
        self.results: tuple[Shown | ExplorerError, ...] = ()
        self._alone = alone
        self._lines: list[Pieces | list[Segment]] = []

    def show(self, wanted: Wanted) -> None:
        """Show these images; nothing happens if they are shown already."""
        if wanted == self.wanted:
            return
        if wanted.paths != self.wanted.paths:
            self.results = ()
        self.wanted = wanted
        if wanted.paths and wanted.columns > 0 and wanted.rows > 0:
            job = partial(self._read, wanted)
            self.run_worker(job, thread=True, group="pictures", name="pictures")
        self._lay_out()

    @property
    def text(self) -> str:
        """All that it says in words."""
        return "\n".join(
            "".join(text for text, _ in line)  # type: ignore[misc]
            for line in self._lines
            if not line or not isinstance(line[0], Segment)
        )

    def _read(self, wanted: Wanted) -> None:
        results: list[Shown | ExplorerError] = []
        for path in wanted.paths:
            if wanted != self.wanted:  # somebody went on to the next problem
                return
            try:
                results.append(self.gallery.show(path, wanted.columns, wanted.rows))
            except ExplorerError as error:
                results.append(error)
        self.post_message(PicturesReady(wanted, results))

    def on_pictures_ready(self, event: PicturesReady) -> None:
        if event.wanted != self.wanted:
            return
        self.results = event.results
        for result in self.results:
            if not isinstance(result, ExplorerError) and result.drawing is not None:
                cast("ExplorerApp", self.app).send(self.gallery.introduce(result.drawing))
        self._lay_out()

    def _lay_out(self) -> None:
        before = len(self._lines)
        self._lines = []
        for place, path in enumerate(self.wanted.paths):
            result = self.results[place] if place < len(self.results) else None
            if not self._alone or isinstance(result, ExplorerError):
                self._lines += self._caption(place, path, result)
            if result is None or isinstance(result, ExplorerError) or result.drawing is None:
                continue
            self._lines += [list(line) for line in result.drawing.lines]
        rest = self.wanted.total - self.wanted.first + 1 - len(self.wanted.paths)
        if not self._alone and rest > 0:
            self._lines.append([(f"▣ {rest} more: i shows all", "muted")])
        self.display = self._alone or bool(self._lines)
        self.refresh(layout=len(self._lines) != before)

    def _caption(
        self, place: int, path: str, result: Shown | ExplorerError | None
    ) -> list[Pieces | list[Segment]]:
        number = f"image {self.wanted.first + place} of {self.wanted.total}"
        name = one_line(PurePath(path).name, limit=40)
        if result is None:
            return [[("▣ ", "muted"), (f"{number} · {name} · reading …", "muted")]]
        if isinstance(result, ExplorerError):
            title, detail = one_line(result.title), one_line(result.detail)
            return [
                [("✗ ", "wrong bold"), (f"{number}: ", "muted"), (title, "wrong bold")],
                *([("  ", "text"), (line, "text")] for line in wrap(detail, self._room)),
            ]
        if result.drawing is None:  # the path is all there is, so all of it
            said = wrap(f"{number} · {result.facts} · {one_line(path, limit=4096)}", self._room)
            return [
                [("▣ " if not place_of_line else "  ", "accent"), (line, "muted")]
                for place_of_line, line in enumerate(said)
            ]
        return [[("▣ ", "accent"), (f"{number} · {name} · {result.facts}", "muted")]]

    @property
    def _room(self) -> int:
        return max(20, self.wanted.columns - 3)

    @property
    def palette(self) -> Palette:
        """The colours of the theme in use."""
        return palette_for(self.app.theme, self.app.current_theme.dark)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        blank = self.rich_style
        above = max(0, self.size.height - len(self._lines)) // 2 if self._alone else 0
        line = self._lines[y - above] if 0 <= y - above < len(self._lines) else []
        if not line or not isinstance(line[0], Segment):
            palette = self.palette
            pieces = [(text, piece_style(name, palette)) for text, name in line]  # type: ignore[misc]
            return strip_of([(" ", blank), *pieces], width, blank)
        segments = [part for part in line if isinstance(part, Segment)]
        if not self.screen.is_active:  # what covers the screen cannot cover pixels
            segments = [part for part in segments if not part.control]
        wide = sum(part.cell_length for part in segments)
        indent = (width - wide) // 2 if self._alone else 1
        rest = width - wide - indent
        if rest < 0:  # narrower than a moment ago: the next drawing is under way
            return Strip.blank(width, blank)
        left, right = Segment(" " * indent, blank), Segment(" " * rest, blank)
        return Strip([left, *segments, right], width)
