"""The images of a problem, one at a time, as large as the terminal allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from explorer.errors import ExplorerError
from explorer.tui.keys import APP, GO
from explorer.tui.widgets.key_line import KeyLine
from explorer.tui.widgets.line import Line
from explorer.tui.widgets.pictures import Pictures, PicturesReady, Wanted
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.tui.app import ExplorerApp

BARS = 3
"""Lines that are not the image's: title, status and keys."""


class PicturesScreen(Screen[None]):
    """A viewer.

    Args:
        title: whose images they are.
        paths: the images.
        place: which one is shown first, from 0.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape,backspace,i,enter", "dismiss", "Back", key_display="q",
                id="pictures.back", group=APP),
        Binding("n,right,right_square_bracket,j,down,space", "step(1)", "Next", key_display="n",
                id="pictures.next", group=GO, tooltip="The next image of this problem"),
        Binding("N,left,left_square_bracket,k,up,b", "step(-1)", "Previous", key_display="N",
                id="pictures.previous", group=GO, tooltip="The image before"),
    ]  # fmt: skip

    def __init__(self, title: str, paths: Sequence[str], place: int = 0) -> None:
        super().__init__()
        self.paths = tuple(paths)
        self.place = place
        self._title = title

    def compose(self) -> ComposeResult:
        explorer = cast("ExplorerApp", self.app)
        yield Line(id="title", classes="bar", keep=2)
        yield Pictures(explorer.gallery, id="picture", alone=True)
        yield Line(id="status")
        yield KeyLine(id="keys", classes="bar")

    def on_mount(self) -> None:
        self._show()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        path = self.paths[self.place]
        number = f"image {self.place + 1} of {len(self.paths)}"
        self.query_one("#title", Line).say(
            [(one_line(self._title), "strong"), (f"  {number}", "muted")]
        )
        # One column stays free: a terminal may wrap behind the last one.
        columns, rows = self.size.width - 1, self.size.height - BARS
        wanted = Wanted((path,), columns, rows, self.place + 1, len(self.paths))
        pictures = self.query_one("#picture", Pictures)
        if wanted != pictures.wanted:
            self.query_one("#status", Line).say([(one_line(path, limit=4096), "muted")])
            pictures.show(wanted)

    def on_pictures_ready(self, event: PicturesReady) -> None:
        (result,) = event.results
        path = one_line(event.wanted.paths[0], limit=4096)
        if isinstance(result, ExplorerError):
            said = [
                (f"✗ {one_line(result.title)}  ", "wrong bold"),
                (one_line(result.detail), "text"),
            ]
        else:
            said = [(f"{result.facts}  ", "text"), (path, "muted")]
        self.query_one("#status", Line).say(said)

    def action_step(self, step: int) -> None:
        if len(self.paths) > 1:
            self.place = (self.place + step) % len(self.paths)
            self._show()
