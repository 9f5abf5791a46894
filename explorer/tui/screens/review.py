"""Was it luck? Right answers one after another, without saying who wrote them.

Invariant: while a review is blind, nothing on this screen depends on the model or the arm that
wrote the completion until the reviewer has said what they find; whoever asks then is told, and
from there on nothing that they say of that completion counts as blind.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import Resize
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from explorer.core.review import Finding
from explorer.tui.keys import APP, GO, MOVE, VIEW
from explorer.tui.render.review_rows import FINDINGS, key_rows, page_rows, writer_rows
from explorer.tui.screens.frame import FrameScreen
from explorer.tui.widgets.line import Pieces
from explorer.tui.widgets.rows import Rows
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.settings import Settings
    from explorer.store.rows import ReviewRow
    from explorer.tui.screens.override import Said as Overridden
    from explorer.views.review_queue import Item, Queued, QueuePick

LONGEST_NOTE = 1000

REVIEW = Binding.Group("Say")

_SAY: list[BindingType] = [
    Binding(key, f"say('{finding.value}')", word.capitalize(), id=f"review.{finding.name.lower()}",
            show=False, group=REVIEW)
    for key, finding, word, _ in FINDINGS
]  # fmt: skip


class ReviewScreen(FrameScreen):
    """A queue of completions to review.

    Args:
        pick: what is reviewed, and who reviews.
        blind: hide who wrote a completion until something was said of it.
    """

    AUTO_FOCUS = "#review-page"

    BINDINGS: ClassVar[list[BindingType]] = [
        *_SAY,
        Binding("n", "next", "Next", id="review.next", group=GO,
                tooltip="The next one that you have not reviewed"),
        Binding("u", "undo", "Undo", id="review.undo", group=REVIEW,
                tooltip="Take back what you said last"),
        Binding("t", "note", "Note", id="review.note", group=REVIEW,
                tooltip="A remark that is kept with what you find"),
        Binding("w", "reveal", "Who wrote it", id="review.reveal", group=VIEW,
                tooltip="Say who wrote this one, once you have said what you find"),
        Binding("m", "source", "Source", id="review.source", show=False, group=VIEW,
                tooltip="The text as it is, LaTeX and all"),
        Binding("i", "images", "Images", id="review.images", show=False, group=VIEW,
                tooltip="The problem's images"),
        Binding("right,right_square_bracket", "step(1)", "One on", show=False, group=GO,
                id="review.on", tooltip="The next of the queue, reviewed or not"),
        Binding("left,left_square_bracket,N", "step(-1)", "One back", show=False, group=GO,
                id="review.back", tooltip="The one before"),
        Binding("j,down", "scroll(1)", "Down", show=False, id="review.down", group=MOVE),
        Binding("k,up", "scroll(-1)", "Up", show=False, id="review.up", group=MOVE),
        Binding("space,pagedown", "page(1)", "Page down", show=False, id="review.page",
                group=MOVE),
        Binding("b,pageup", "page(-1)", "Page up", show=False, id="review.pageup", group=MOVE),
    ]  # fmt: skip

    def __init__(self, settings: Settings, pick: QueuePick, blind: bool = True) -> None:
        super().__init__()
        self.settings = settings
        self.pick = pick
        self.blind = blind
        self.queue: tuple[Queued, ...] | None = None
        self.said: dict[int, ReviewRow] | None = None
        self.current = 0
        self.item: Item | None = None
        self._raw = False
        self._notes: dict[int, str] = {}
        self._done: list[tuple[int, ReviewRow | None]] = []
        self.trail = [("  Review", "strong")]

    def compose_body(self) -> ComposeResult:
        with VerticalScroll(id="review-page"):
            yield Rows(id="review-text")
        yield Rows(id="review-writer")
        yield Rows(id="review-keys")

    def watch_cache(self) -> None:
        from explorer.views.review_queue import QueueSubject, SaidSubject

        reader = self.explorer.reader
        reader.watch(self, "queue", QueueSubject(self.settings, self.pick))
        reader.watch(self, "said", SaidSubject(self.pick.reviewer))

    def take(self, key: str, value: object) -> None:
        if key == "queue":
            self.queue = cast("tuple[Queued, ...]", value)
        elif key == "said":
            self.said = cast("dict[int, ReviewRow]", value)
        elif key == "item":
            item = cast("Item | None", value)
            if item is not None and item.trace.head.id == self.current:
                self.item = item
        if self.queue is not None and self.said is not None:
            if self._place() is None:
                self._go_to_open(0)
            self._draw()

    def _renew_title(self) -> None:
        """While blind, the title does not say which model is at work either."""
        known, self.activity = self.activity, None if self.blind else self.activity
        super()._renew_title()
        self.activity = known

    def _place(self) -> int | None:
        ids = [queued.completion_id for queued in self.queue or ()]
        return ids.index(self.current) if self.current in ids else None

    def _go_to_open(self, start: int) -> bool:
        from explorer.views.review_queue import first_open

        queue = self.queue or ()
        place = first_open(queue, self.said or {}, start)
        if place is None:
            if queue and self._place() is None:
                self._go_to(queue[0].completion_id)
            return False
        self._go_to(queue[place].completion_id)
        return True

    def _go_to(self, completion_id: int) -> None:
        from explorer.views.review_queue import ItemSubject

        self.current, self.item = completion_id, None
        subject = ItemSubject(completion_id, self.pick.reviewer)
        self.explorer.reader.watch(self, "item", subject)
        self.query_one("#review-page", VerticalScroll).scroll_home(animate=False)

    def on_resize(self, event: Resize) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        if not self.is_mounted or self.queue is None or self.said is None:
            return
        page = self.query_one("#review-page", VerticalScroll)
        width = page.scrollable_content_region.width or self.size.width
        text, writer = self.query_one("#review-text", Rows), self.query_one("#review-writer", Rows)
        keys = self.query_one("#review-keys", Rows)
        review = self.said.get(self.current)
        if not self.queue:
            text.say(self._nothing())
            keys.say([])
        elif self.item is None:
            keys.say(key_rows(review, width))
        else:
            text.say(page_rows(self.item, width, self._raw))
            keys.say(key_rows(review, width))
        shown = self.item is not None and self._may_know(self.item, review)
        writer.display = shown
        writer.say(writer_rows(self.item) if self.item is not None and shown else [])
        self._say_where()

    def _may_know(self, item: Item, review: ReviewRow | None) -> bool:
        return not self.blind or (item.revealed and review is not None)

    def _nothing(self) -> list[Pieces]:
        return [
            [],
            [(" There is nothing to review: no completion here is graded as correct.", "muted")],
        ]

    def _say_where(self) -> None:
        from explorer.views.numbers import plural

        queue, said = self.queue or (), self.said or {}
        place = self._place()
        trail: list[tuple[str, str]] = [("  Review", "strong")]
        if place is not None:
            trail.append((f"  {place + 1} of {len(queue)}", "muted"))
            if self.item is not None:
                problem = self.item.problem.problem
                trail.append((f"  {one_line(problem.dataset)}/{one_line(problem.name)}", "muted"))
        self.set_trail(trail)
        done = sum(queued.completion_id in said for queued in queue)
        parts = [f"{done} of {plural(len(queue), 'right answer')} reviewed"]
        hard = sum(queued.hard for queued in queue)
        if hard:
            parts.append(f"{hard} under 5% first")
        how = "blind" if self.blind else "open"
        who = one_line(self.pick.reviewer, 24)
        self.say_status([(" · ".join(parts), "muted")], [(f"{who} · {how}", "muted")])

    def action_say(self, name: str) -> None:
        if self.item is None or self.said is None:
            return
        finding, item = Finding(name), self.item
        blind = self.blind and not item.revealed
        self._done.append((self.current, self.said.get(self.current)))
        self._write(self.current, finding, blind, self._notes.pop(self.current, None))
        if finding is Finding.GRADER_ERROR:
            self._offer_override(item)

    def _write(self, completion_id: int, finding: Finding, blind: bool, note: str | None) -> None:
        reviewer = self.pick.reviewer

        def write(db: sqlite3.Connection) -> None:
            from explorer.store.reviews import say

            say(db, completion_id, reviewer, finding, blind=blind, note=note)

        self.explorer.ask("", write)

    def _offer_override(self, item: Item) -> None:
        from explorer.settings.author import author_of
        from explorer.tui.screens.override import OverrideScreen, job

        author = author_of(self.settings)

        def said(wanted: Overridden | None) -> None:
            if wanted is not None:
                word = f"counts as {wanted.outcome}" if wanted.outcome else "is the verifier's"
                self.explorer.ask(f"That one {word} now.", job(wanted, item.trace.head.id, author))

        self.app.push_screen(OverrideScreen(item.trace, author), said)

    def action_undo(self) -> None:
        if self.said is None:
            return
        if self._done:
            completion_id, before = self._done.pop()
        else:
            completion_id, before = self.current, None
        reviewer = self.pick.reviewer

        def write(db: sqlite3.Connection) -> None:
            from explorer.store.reviews import put_reviews, take_back

            if before is None:
                take_back(db, completion_id, reviewer)
            else:
                put_reviews(db, [before])

        if completion_id != self.current:
            self._go_to(completion_id)
        self.explorer.ask("Taken back.", write)

    def action_note(self) -> None:
        if self.item is None or self.said is None:
            return
        review = self.said.get(self.current)
        text = review.note if review else self._notes.get(self.current, "")
        self.app.push_screen(NoteScreen(text, self.pick.reviewer), self._noted)

    def _noted(self, note: str | None) -> None:
        if note is None or self.said is None:
            return
        review = self.said.get(self.current)
        if review is None:
            self._notes[self.current] = note
            self.notify("Kept with what you find, once you say it.", markup=False, timeout=3)
        else:
            self._write(self.current, review.finding, review.blind, note)

    def action_reveal(self) -> None:
        if self.item is None or self.said is None or not self.blind:
            return
        if self.current not in self.said:
            self.notify("Say first what you find; then this key tells.", markup=False, timeout=3)
            return
        completion_id, reviewer = self.current, self.pick.reviewer

        def write(db: sqlite3.Connection) -> None:
            from explorer.store.reviews import reveal

            reveal(db, completion_id, reviewer)

        self.explorer.ask("", write)

    def action_next(self) -> None:
        if self.queue is None:
            return
        place = self._place()
        if not self._go_to_open(0 if place is None else place + 1):
            self.notify("All of it is reviewed.", markup=False, timeout=3)
        self._draw()

    def action_step(self, step: int) -> None:
        place, queue = self._place(), self.queue or ()
        if place is None or not 0 <= place + step < len(queue):
            self.notify("This is the end of the queue.", markup=False, timeout=2)
            return
        self._go_to(queue[place + step].completion_id)
        self._draw()

    def action_source(self) -> None:
        self._raw = not self._raw
        self._draw()

    def action_images(self) -> None:
        from explorer.tui.screens.pictures import PicturesScreen

        if self.item is not None and self.item.problem.problem.images:
            problem = self.item.problem.problem
            title = f"{problem.dataset}/{problem.name}"
            self.app.push_screen(PicturesScreen(title, problem.images))

    def action_scroll(self, step: int) -> None:
        self.query_one("#review-page", VerticalScroll).scroll_relative(y=step, animate=False)

    def action_page(self, step: int) -> None:
        scroller = self.query_one("#review-page", VerticalScroll)
        scroller.scroll_relative(y=step * max(1, scroller.size.height - 2), animate=False)


class NoteScreen(ModalScreen[str | None]):
    """Asks for a remark.

    Args:
        note: what it is so far.
        reviewer: the name under which it is kept.
    """

    AUTO_FOCUS = "Input"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "dismiss", "Back", id="note.back", group=APP),
    ]

    def __init__(self, note: str, reviewer: str) -> None:
        super().__init__()
        self._note = note
        self._reviewer = reviewer

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("A note on this completion", classes="dialog-title", markup=False)
            yield Input(self._note, max_length=LONGEST_NOTE, compact=True, id="review-note")
            hint = f"kept as {one_line(self._reviewer, 30)} · enter keeps it · esc back"
            yield Static(hint, classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(" ".join(event.value.split()))
