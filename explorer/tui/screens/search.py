"""Searching the completions of a problem, of its dataset or of the whole cache.

Invariant: index and search run on a worker thread with connections of their own; a newer search
ends the one before, and only the newest one's findings are shown.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input
from textual.worker import Worker, get_current_worker

from explorer.core.phrases import Phrase, parse
from explorer.errors import ExplorerError, StoreError
from explorer.store.search import Scope, bring_up_to_date
from explorer.tui.keys import MOVE, VIEW
from explorer.tui.places import open_completion
from explorer.tui.render.cells import fit
from explorer.tui.screens.frame import FrameScreen
from explorer.tui.widgets.pick_list import PickList
from explorer.tui.widgets.rows import Rows
from explorer.views.numbers import count, plural
from explorer.views.palette import OUTCOME_COLOURS, OUTCOME_MARKS, ArmMark, arm_marks
from explorer.views.search import WITHOUT_INDEX, SearchReport, run
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.views.saved_view import SavedView

MOST_ARMS = 5
"""Arms whose shares are listed above the hits."""


class SearchScreen(FrameScreen):
    """The search field, the shares per arm, the hits.

    Args:
        dataset: '' = all.
        problem_id: the problem to search first, None = the dataset.
        text: what to begin with.
        searched: told of every search, for the phrase keys of Traces.
    """

    AUTO_FOCUS = "#search-text"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+t", "scope", "Where", id="search.scope", group=VIEW, key_display="^t",
                tooltip="Search this problem, its dataset, or everything"),
        Binding("slash", "edit", "Edit", id="search.edit", group=VIEW, key_display="/",
                tooltip="Back to the search field"),
        Binding("down", "hits", "Hits", show=False, id="search.hits", group=MOVE,
                tooltip="From the field to the hits"),
    ]  # fmt: skip

    class Answered(Message):
        """A search ended."""

        def __init__(self, number: int, report: SearchReport | None, error: str = "") -> None:
            super().__init__()
            self.number = number
            self.report = report
            self.error = error

    class Working(Message):
        """How far a search is."""

        def __init__(self, number: int, said: str) -> None:
            super().__init__()
            self.number = number
            self.said = said

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, SearchScreen.Working)

    def __init__(
        self,
        dataset: str,
        problem_id: int | None = None,
        text: str = "",
        searched: Callable[[Phrase], object] = lambda _phrase: None,
    ) -> None:
        super().__init__()
        self.scopes = [
            (scope, where)
            for scope, where in (
                (Scope(problem_id=problem_id), "this problem"),
                (Scope(dataset=dataset), one_line(dataset, 40)),
                (Scope(), "the whole cache"),
            )
            if scope == Scope() or (scope.problem_id is not None or scope.dataset)
        ]
        self.place = 0
        self.report: SearchReport | None = None
        self._text = text
        self._searched = searched
        self._number = 0
        self._marks: dict[int, ArmMark] = {}
        self.trail = [("  Search", "strong")]

    def compose_body(self) -> ComposeResult:
        yield Input(
            self._text, placeholder='words, "a phrase", \\boxed{7}, calc*', compact=True,
            id="search-text", max_length=300,
        )  # fmt: skip
        yield Rows(id="search-shares")
        yield PickList(widget_id="search-hits")

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self._say_scope()
        if self._text:
            self._search()

    def _say_scope(self) -> None:
        where = self.scopes[self.place][1]
        self.set_trail([("  Search", "strong"), (f"  in {where}", "text")])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._text = event.value
        self._search()

    def action_scope(self) -> None:
        self.place = (self.place + 1) % len(self.scopes)
        self._say_scope()
        if self._text:
            self._search()

    def action_edit(self) -> None:
        self.query_one(Input).focus()

    def action_hits(self) -> None:
        self.query_one(PickList).focus()

    def _search(self) -> None:
        self._number += 1
        number, text = self._number, self._text
        scope, where = self.scopes[self.place]
        self._searched(parse(text))
        self.say_status([("searching …", "muted")])
        self.run_worker(
            lambda: self._work(number, text, scope, where), thread=True, exclusive=True,
            exit_on_error=False, group="search", description="searching",
        )  # fmt: skip

    def _work(self, number: int, text: str, scope: Scope, where: str) -> None:
        from explorer.store.connection import open_reader

        worker, cache = get_current_worker(), self.explorer.settings.workspace.cache

        def progress(what: str) -> Callable[[int, int], bool]:
            def told(done: int, of_all: int) -> bool:
                said = f"{what} {count(done)} of {plural(of_all, 'completion')} …"
                self.post_message(self.Working(number, said))
                return not worker.is_cancelled

            return told

        try:
            note = self._index(progress("indexing"))
            with closing(open_reader(cache)) as db:
                report = run(db, text, scope, where, progress("reading"), note=note)
        except ExplorerError as error:
            self.post_message(self.Answered(number, None, error.title))
            return
        if not worker.is_cancelled:
            self.post_message(self.Answered(number, report))

    def _index(self, progress: Callable[[int, int], bool]) -> str:
        """Bring the index up to date; what to say if it could not be, '' if it was."""
        from explorer.store.connection import open_writer

        try:
            with closing(open_writer(self.explorer.settings.workspace.cache)) as db:
                return "" if bring_up_to_date(db, progress) else WITHOUT_INDEX
        except StoreError as error:  # a cache that others own can still be searched
            return f"the index could not be written ({error.title})"

    def on_search_screen_working(self, event: Working) -> None:
        if event.number == self._number:
            self.say_status([(event.said, "muted")])

    def on_search_screen_answered(self, event: Answered) -> None:
        if event.number != self._number:
            return
        if event.report is None:
            self.say_status([(one_line(event.error), "wrong")])
            return
        self.report = event.report
        arms = [share.arm for share in self.report.arms]
        marks = arm_marks([arm.model.role for arm in arms])
        self._marks = {arm.id: mark for arm, mark in zip(arms, marks, strict=True)}
        self.query_one("#search-shares", Rows).say(self._shares(self.report))
        hits = self.query_one(PickList)
        nothing = "Nothing holds it." if self.report.phrase.text else ""
        hits.show(len(self.report.hits), self._row, nothing)
        if self.report.hits:
            hits.focus()
        self._say(self.report)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.worker.error is not None:  # a bug: it must not pass in silence
            raise event.worker.error

    def _say(self, report: SearchReport) -> None:
        listed = len(report.hits)
        said = f"{plural(report.total, 'completion')} hold it"
        if listed < report.total:
            said += f", the first {count(listed)} listed"
        self.say_status([(said, "muted")], [(one_line(report.note), "undecided")])

    def saved_view(self) -> SavedView:
        from explorer.views.saved_view import SavedView
        from explorer.views.search import as_dict

        if self.report is None:
            return super().saved_view()
        found = as_dict(self.report)
        rows = found.pop("hits")
        return SavedView("search", None, (), found, rows)

    def _shares(self, report: SearchReport) -> list[list[tuple[str, str]]]:
        rows = []
        for share in report.arms[:MOST_ARMS]:
            mark = self._marks[share.arm.id]
            drawn = round(20 * share.share)
            drawn = max(1, drawn) if share.hits else 0
            rows.append(
                [
                    (f" {mark.marker} {fit(one_line(share.arm.model.name), 16)}", mark.colour),
                    (fit(count(share.hits), 9, "right"), "text"),
                    (f"  {fit(share.words(), 20)}", "strong"),
                    ("━" * drawn, mark.colour),
                    ("─" * (20 - drawn), "line"),
                    (f"  {share.arm.spec.sampling.label()}", "faint"),
                ]
            )
        if len(report.arms) > MOST_ARMS:
            rows.append([(f"   and {len(report.arms) - MOST_ARMS} further arms", "muted")])
        return rows

    def _row(self, number: int, width: int) -> list[tuple[str, str]]:
        report = self.report
        if report is None or number >= len(report.hits):
            return []
        hit = report.hits[number]
        mark, problem = self._marks[hit.arm_id], report.problems[hit.problem_id].problem
        name = fit(one_line(problem.name), 16)
        head = f"{name} {fit(f'#{hit.index}', 6, 'right')}"
        room = max(10, width - 31)
        match = one_line(hit.match, max(4, room // 2)) or "…"
        before = one_line(hit.before)[-max(0, (room - len(match)) // 2) :]
        space = " " if hit.before[-1:].isspace() else ""
        after_space = " " if hit.after[:1].isspace() else ""
        return [
            (f"{mark.marker} ", mark.colour),
            (head, "text"),
            (f" {OUTCOME_MARKS[hit.outcome]} ", OUTCOME_COLOURS[hit.outcome]),
            (before + space, "muted"),
            (match, "accent underline"),
            (after_space + one_line(hit.after), "muted"),
        ]

    def on_pick_list_opened(self, event: PickList.Opened) -> None:
        assert self.report is not None
        hit = self.report.hits[event.row]
        open_completion(self.explorer, hit.completion_id, character=hit.start)
