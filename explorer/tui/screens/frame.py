"""What all screens share: title line, banner, status line, keys; and a sentence when too small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Static

from explorer.errors import ExplorerError
from explorer.tui.keys import APP
from explorer.tui.reader import Snapshot
from explorer.tui.theme import Palette, palette_for
from explorer.tui.widgets.key_line import KeyLine
from explorer.tui.widgets.line import Line, Pieces

if TYPE_CHECKING:
    from explorer.tui.app import ExplorerApp
    from explorer.views.activity import Activity
    from explorer.views.saved_view import SavedView

WIDTHS: Final = ((0, "-tiny"), (60, "-narrow"), (100, "-normal"), (150, "-wide"))
HEIGHTS: Final = ((0, "-flat"), (16, "-short"), (30, "-tall"), (44, "-high"))
"""Classes that a screen carries from these widths and heights on."""

TOO_SMALL: Final = (
    "This needs a terminal of at least 60 × 16.\nMake the window larger, or q to leave."
)


class FrameScreen(Screen[None]):
    """A screen of the explorer; subclasses compose their body in `compose_body`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "q,backspace,escape",
            "back",
            "Back",
            id="screen.back",
            tooltip="Back, or quit from the list",
            group=APP,
        ),
        Binding(
            "X",
            "save_view",
            "Save view",
            show=False,
            id="screen.save",
            tooltip="Write this screen as SVG and its data as JSONL into exports/",
            group=APP,
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = list(WIDTHS)
        self.VERTICAL_BREAKPOINTS = list(HEIGHTS)
        self.activity: Activity | None = None
        self.trail: Pieces = ()

    @property
    def explorer(self) -> ExplorerApp:
        """The app, by its own type."""
        return cast("ExplorerApp", self.app)

    @property
    def palette(self) -> Palette:
        """The colours of the theme in use."""
        return palette_for(self.app.theme, self.app.current_theme.dark)

    def compose(self) -> ComposeResult:
        yield Line(id="title", classes="bar", keep=2)
        yield Line(id="banner")
        with Vertical(id="body"):
            yield from self.compose_body()
        yield Line(id="status")
        yield KeyLine(id="keys", classes="bar")
        yield Static(TOO_SMALL, id="too-small", markup=False)

    def compose_body(self) -> ComposeResult:
        """The middle of the screen."""
        yield from ()

    def on_mount(self) -> None:
        self.set_trail(self.trail)
        self.call_after_refresh(self._start_watching)
        self.set_interval(5.0, self._renew_title)  # only says if a heartbeat went missing

    def on_screen_resume(self) -> None:
        self.show_trouble(self.explorer.trouble)
        self.explorer.reader.pause(self, False)

    def on_screen_suspend(self) -> None:
        self.explorer.reader.pause(self, True)

    def on_unmount(self) -> None:
        self.explorer.reader.forget(self)

    def watch_cache(self) -> None:
        """Ask the reader for what this screen shows; called once the first frame is drawn."""

    def take(self, key: str, value: object) -> None:
        """Apply a snapshot; runs inside one batch of updates."""

    def _start_watching(self) -> None:
        from explorer.views.activity import ActivitySubject

        self.explorer.reader.watch(self, "activity", ActivitySubject())
        self.watch_cache()

    def on_snapshot(self, event: Snapshot) -> None:
        event.stop()
        with self.app.batch_update():
            if event.key == "activity":
                self.activity = cast("Activity", event.value)
                self._renew_title()
            self.take(event.key, event.value)

    def set_trail(self, trail: Sequence[tuple[str, str]]) -> None:
        """Where this is: the parts of the title, the last of them the page itself."""
        self.trail = trail
        self._renew_title()

    def say_status(self, left: Pieces, right: Pieces = ()) -> None:
        """The line above the keys."""
        self.query_one("#status", Line).say(left, right)

    def show_trouble(self, error: ExplorerError | None, preparing: bool = False) -> None:
        """A banner for an error, until it is over."""
        from explorer.views.text import one_line

        if not self.is_mounted:
            return
        banner = self.query_one("#banner", Line)
        banner.display = error is not None
        if error is not None:
            pieces = [(one_line(error.title), "wrong bold")]
            if error.detail:
                pieces.append((f"  {one_line(error.detail)}", "text"))
            if error.hint:
                pieces.append((f"  {one_line(error.hint)}", "muted"))
            banner.say(pieces)

    def saved_view(self) -> SavedView:
        """What `X` writes besides the picture; screens say what they show."""
        from explorer.views.saved_view import SavedView

        return SavedView(type(self).__name__.removesuffix("Screen").lower())

    def action_save_view(self) -> None:
        from explorer.tui.saving import save_view

        save_view(self.explorer, self.saved_view())

    def action_back(self) -> None:
        self.explorer.pop_screen()

    def _renew_title(self) -> None:
        words: Pieces = ()
        if self.activity is not None:
            words = [self.activity.words(self.explorer.clock())]
        title = self.query_one("#title", Line)
        title.say([("rlvr-explorer", "accent bold"), *self.trail], words)
