"""The TUI's app: wiring only. Screens show, the reader reads, the writer writes.

First paint does not touch the database, numpy or a model: screens draw their frame, and only then
ask the reader for what they show.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from explorer.errors import ExplorerError
from explorer.tui.commands import ActionProvider
from explorer.tui.gallery import Gallery
from explorer.tui.keys import APP, GO
from explorer.tui.reader import CacheState, Reader, ReadingBroke
from explorer.tui.screens.problems import ProblemsScreen
from explorer.tui.terminal import Graphics
from explorer.tui.theme import make_themes, theme_name
from explorer.tui.writer import Writer, Written

if TYPE_CHECKING:
    import sqlite3

    from explorer.settings import Settings

LEAVE_S: Final = 2.0
"""How long leaving waits for a write that was just asked for."""


class ExplorerApp(App[None]):
    """The explorer on a terminal.

    Args:
        settings: the workspace.
        start_sampler: makes sure that a sampler runs; called on a thread after a request.
        link: a problem to open at once, `name` or `dataset/name`.
        notices: sentences to say once the screen is there.
        clock: wall time in seconds; tests freeze it.
        graphics: how this terminal shows images.
        start_at: makes a screen to begin at, over the list of problems.
    """

    TITLE = "rlvr-explorer"
    CSS_PATH = Path(__file__).parent / "explorer.tcss"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar = {ActionProvider}

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "r", "runs", "Runs", id="app.runs", tooltip="Models, queue, sampler, logs", group=GO
        ),
        Binding(
            "question_mark,f1",
            "help",
            "Help",
            show=False,
            id="app.help",
            tooltip="All keys of this screen",
            group=APP,
        ),
        Binding(
            "ctrl+p",
            "command_palette",
            "Commands",
            show=False,
            id="app.palette",
            tooltip="Find an action by its name",
            group=APP,
        ),
        Binding(
            "f2",
            "toggle_theme",
            "Dark or light",
            show=False,
            id="app.theme",
            tooltip="Switch between the dark and the light theme",
            group=APP,
        ),
        Binding(
            "ctrl+q",
            "quit",
            "Quit",
            show=False,
            id="app.quit",
            tooltip="Leave; sampling goes on",
            group=APP,
            priority=True,
        ),
    ]

    def __init__(
        self,
        settings: Settings,
        start_sampler: Callable[[], object],
        link: str = "",
        notices: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
        graphics: Graphics | None = None,
        start_at: Callable[[], Screen[None]] | None = None,
    ) -> None:
        super().__init__()
        self.animation_level = "none"
        self.settings = settings
        self.start_sampler = start_sampler
        self.link = link
        self.notices = tuple(notices)
        self.start_at = start_at
        self.clock = clock
        self.reader = Reader(settings.workspace.cache, self)
        self.writer = Writer(settings.workspace.cache, self)
        self.gallery = Gallery(graphics or Graphics())
        self._started = False
        self.trouble: ExplorerError | None = None
        self.preparing = False
        for theme in make_themes():
            self.register_theme(theme)
        self.theme = theme_name(True, self.console.color_system)

    def get_default_screen(self) -> Screen[None]:
        return ProblemsScreen(self.settings, self.link)

    def on_mount(self) -> None:
        self.call_after_refresh(self._start)

    def _start(self) -> None:
        self._started = True
        self.reader.start()
        self.writer.start()
        if self.start_at is not None:
            self.push_screen(self.start_at())
        from explorer.views.text import one_line

        for notice in self.notices:
            self.notify(one_line(notice), markup=False, timeout=8)

    async def on_unmount(self) -> None:
        self.send(self.gallery.farewell())
        self.reader.stop()
        self.writer.stop()
        if self._started:
            await asyncio.to_thread(self.reader.join, LEAVE_S)
            await asyncio.to_thread(self.writer.join, LEAVE_S)

    def send(self, sequence: str) -> None:
        """Send something to the terminal between two frames; no cell shows it."""
        if sequence and self._driver is not None:
            self._driver.write(sequence)

    def ask(
        self,
        said: str,
        job: Callable[[sqlite3.Connection], object],
        then_sample: bool = False,
    ) -> None:
        """Write something and say so; `then_sample` makes sure that a sampler runs."""
        self.writer.write(said, job, self.start_sampler if then_sample else None)

    def on_written(self, event: Written) -> None:
        if event.error is not None:
            self.report(event.error)
        elif event.said:
            from explorer.views.text import one_line

            self.notify(one_line(event.said), markup=False, timeout=4)
        self.reader.poke()

    def report(self, error: ExplorerError) -> None:
        """Tell of an expected failure."""
        from explorer.views.text import lines_of

        text = "\n".join(
            line for part in (error.detail, error.hint) if part for line in lines_of(part)
        )
        title = lines_of(error.title)[0]
        self.notify(text or title, title=title, severity="error", markup=False, timeout=12)

    def on_cache_state(self, event: CacheState) -> None:
        self.trouble, self.preparing = event.error, event.preparing
        for screen in self.screen_stack:
            show = getattr(screen, "show_trouble", None)
            if show is not None:
                show(event.error, event.preparing)

    def on_reading_broke(self, event: ReadingBroke) -> None:
        raise event.error

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        yield from ()

    def open_traces(self, problem_id: int, arm_ids: Sequence[int]) -> None:
        """Show traces of a problem, one column per arm."""
        from explorer.tui.screens.traces import TracesScreen

        self.push_screen(TracesScreen(problem_id, arm_ids))

    def action_runs(self) -> None:
        from explorer.tui.screens.runs import RunsScreen

        if not isinstance(self.screen, RunsScreen):
            self.push_screen(RunsScreen())

    def action_help(self) -> None:
        from explorer.tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_toggle_theme(self) -> None:
        self.theme = theme_name(not self.current_theme.dark, self.console.color_system)
