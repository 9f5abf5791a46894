"""What runs, what waits, what failed, and what the logs say."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.events import Resize

from explorer.tui.keys import MOVE, SAMPLE, VIEW
from explorer.tui.render.runs_rows import runs_rows
from explorer.tui.screens.frame import FrameScreen
from explorer.tui.widgets.line import Line, Pieces
from explorer.tui.widgets.rows import Rows
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.views.guides import GuideProgress
    from explorer.views.runs import LogTail, Runs
    from explorer.views.servers import Serving

LOG_EVERY_S = 1.0
"""How often the end of the log is read; it repaints only if it grew."""


class RunsScreen(FrameScreen):
    """Models, arms, queue, sampler and logs."""

    AUTO_FOCUS = "#runs-page"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "cancel", "Cancel", id="runs.cancel", group=SAMPLE,
                tooltip="Cancel open requests or guided sampling; what is stored stays"),
        Binding("p", "pause", "Pause", id="runs.pause", group=SAMPLE,
                tooltip="Pause guided sampling, or resume what was paused"),
        Binding("K", "stop", "Stop sampler", id="runs.stop", group=SAMPLE,
                tooltip="Ask the sampler to finish; open requests stay in the queue"),
        Binding("l", "log", "Next log", id="runs.log", group=VIEW,
                tooltip="Show the end of another log"),
        Binding("j,down", "scroll(1)", "Down", show=False, id="runs.down", group=MOVE),
        Binding("k,up", "scroll(-1)", "Up", show=False, id="runs.up", group=MOVE),
        Binding("space,pagedown", "page(1)", "Page down", show=False, id="runs.page", group=MOVE),
        Binding("b,pageup", "page(-1)", "Page up", show=False, id="runs.pageup", group=MOVE),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.runs: Runs | None = None
        self.log_tail: LogTail | None = None
        self.serving: Serving | None = None
        self._log_name = ""
        self.trail = [("  Runs", "strong")]

    def compose_body(self) -> ComposeResult:
        with VerticalScroll(id="runs-page"):
            yield Rows(id="runs")
        yield Line(id="log-title")
        yield Rows(id="log")

    def watch_cache(self) -> None:
        from explorer.views.runs import RunsSubject

        self.explorer.reader.watch(self, "runs", RunsSubject(self.explorer.settings))
        self._read_log()

    def on_mount(self) -> None:
        self.set_interval(LOG_EVERY_S, self._read_log)
        cache = one_line(str(self.explorer.settings.workspace.cache))
        self.say_status([(f"cache {cache}", "muted")])

    def _read_log(self) -> None:
        from explorer.views.runs import LogSubject
        from explorer.views.servers import ServingSubject

        if self.is_current:
            subject = LogSubject(self.explorer.settings.workspace.logs, self._log_name)
            self.explorer.reader.watch(self, "log", subject)
            self.explorer.reader.watch(self, "servers", ServingSubject(self.explorer.settings))

    def take(self, key: str, value: object) -> None:
        if key == "runs":
            self.runs = cast("Runs", value)
        elif key == "log":
            self.log_tail = cast("LogTail", value)
        elif key == "servers":
            self.serving = cast("Serving", value)
        self._draw()

    def on_resize(self, event: Resize) -> None:
        self.call_after_refresh(self._draw)

    def _renew_title(self) -> None:
        super()._renew_title()
        self._draw()

    def _draw(self) -> None:
        if self.runs is not None:
            page = self.query_one("#runs-page", VerticalScroll)
            width = page.scrollable_content_region.width or self.size.width
            rows = runs_rows(self.runs, self.explorer.clock(), width, self.serving)
            self.query_one("#runs", Rows).say(rows)
        tail = self.log_tail
        if tail is None:
            return
        title: Pieces = [("Log", "strong bold"), (f"  {tail.name or 'none yet'}", "muted")]
        more = f"l: {len(tail.names) - 1} more" if len(tail.names) > 1 else ""
        self.query_one("#log-title", Line).say(title, [(more, "faint")])
        box = self.query_one("#log", Rows)
        height = max(3, self.size.height // 4)
        shown = tail.lines[-height:]
        box.say([[(" ", "text"), (line[: self.size.width - 2], "muted")] for line in shown])

    def action_log(self) -> None:
        tail = self.log_tail
        if tail is None or not tail.names:
            return
        place = tail.names.index(tail.name) if tail.name in tail.names else -1
        self._log_name = tail.names[(place + 1) % len(tail.names)]
        self._read_log()

    def action_cancel(self) -> None:
        from explorer.tui.screens.choose import ChooseScreen
        from explorer.views.guides import what_label
        from explorer.views.numbers import plural

        open_ = self.runs.open if self.runs is not None else ()
        guides = [one.guide for one in self._guides("open", "paused")]
        if not open_ and not guides:
            self.notify("Nothing waits or runs.", markup=False)
            return
        problems: dict[int, str] = {}
        for line in open_:
            problems.setdefault(line.request.problem_id, line.problem)
        jobs: list[Callable[[sqlite3.Connection], None]] = [partial(_cancel, None)]
        texts = [f"all of them, {plural(len(open_), 'request')}"]
        jobs += [partial(_move_guide, "cancel", guide.id) for guide in guides]
        texts += [f"guided sampling {guide.id}: {what_label(guide.wish)}" for guide in guides]
        jobs += [partial(_cancel, problem_id) for problem_id in problems]
        texts += [one_line(name) for name in problems.values()]

        def chosen(position: int | None) -> None:
            if position is not None:
                self.explorer.ask("Cancelled; what is stored stays.", jobs[position])

        self.app.push_screen(ChooseScreen("Cancel which requests?", texts), chosen)

    def _guides(self, *states: str) -> list[GuideProgress]:
        found = self.runs.guides if self.runs is not None else ()
        return [one for one in found if one.guide.state in states]

    def action_pause(self) -> None:
        from explorer.tui.screens.choose import ChooseScreen
        from explorer.views.guides import what_label

        guides = [one.guide for one in self._guides("open", "paused", "cancelled", "failed")]
        if not guides:
            self.notify("There is no guided sampling to pause or resume.", markup=False)
            return

        def chosen(position: int | None) -> None:
            if position is None:
                return
            guide = guides[position]
            name = "pause" if guide.state == "open" else "resume"
            said = "Paused; what is stored stays." if name == "pause" else "It goes on."
            job = partial(_move_guide, name, guide.id)
            self.explorer.ask(said, job, then_sample=name == "resume")

        if len(guides) == 1:
            chosen(0)
            return
        texts = [
            f"{'pause' if guide.state == 'open' else 'resume'} {guide.id}: {what_label(guide.wish)}"
            for guide in guides
        ]
        self.app.push_screen(ChooseScreen("Pause or resume which?", texts), chosen)

    def action_stop(self) -> None:
        from explorer.tui.screens.choose import ChooseScreen

        if self.runs is None or self.runs.sampler is None or self.runs.sampler.state == "stopped":
            self.notify("No sampler is running.", markup=False)
            return

        def chosen(position: int | None) -> None:
            if position == 1:
                self.explorer.ask("Asked the sampler to stop.", _stop)

        choices = ["no, let it go on", "yes; open requests stay in the queue"]
        self.app.push_screen(ChooseScreen("Stop the sampler?", choices), chosen)

    def action_scroll(self, step: int) -> None:
        self.query_one("#runs-page", VerticalScroll).scroll_relative(y=step, animate=False)

    def action_page(self, step: int) -> None:
        scroller = self.query_one("#runs-page", VerticalScroll)
        scroller.scroll_relative(y=step * max(1, scroller.size.height - 2), animate=False)


def _cancel(problem_id: int | None, db: sqlite3.Connection) -> None:
    from explorer.store.requests import cancel

    cancel(db, problem_id)


def _move_guide(name: str, guide_id: int, db: sqlite3.Connection) -> None:
    from explorer.store import guides

    {"pause": guides.pause, "resume": guides.resume, "cancel": guides.cancel}[name](db, guide_id)


def _stop(db: sqlite3.Connection) -> None:
    from explorer.store.status import request_stop

    request_stop(db)
