"""One problem: what it asks, how each arm does on it, what that says, and what is being drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.events import Resize

from explorer.tui.keys import GO, MOVE, SAMPLE, VIEW
from explorer.tui.render.luck_rows import cot_rows
from explorer.tui.render.parity_rows import pair_rows, parity_rows
from explorer.tui.render.problem_rows import (
    answer_rows,
    arm_rows,
    have,
    live_rows,
    statement_rows,
    verdict_rows,
)
from explorer.tui.render.sureness_rows import sureness_rows
from explorer.tui.screens.diversity import diversity_page
from explorer.tui.screens.problem_sampling import SamplingScreen
from explorer.tui.screens.text import TextScreen
from explorer.tui.widgets.chart import CurveChart
from explorer.tui.widgets.line import Line, Pieces
from explorer.tui.widgets.pictures import Pictures, Wanted
from explorer.tui.widgets.rows import Rows
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.settings import Settings
    from explorer.views.arms import ArmColumn, ArmPick
    from explorer.views.diversity import Diversity
    from explorer.views.pace import Pace
    from explorer.views.parity import Parity, ParitySubject
    from explorer.views.problem_page import Live, ProblemPage
    from explorer.views.prompts import Prompts
    from explorer.views.sureness import Sureness

CRUMBS_FROM = 100
"""Width from which the title says where the problem comes from."""

LEAST_IMAGE_ROWS = 6

IMAGES_SHOWN = 3
"""Images beneath the statement; the viewer has all."""

TRACES_SHOWN = 3
"""Columns of the Traces screen, besides the arms that a person added."""


class ProblemScreen(SamplingScreen):
    """A problem of a list.

    Args:
        settings: the workspace.
        problem_id: the problem shown first.
        ids: the list that previous and next walk through.
        pick: which arms are shown.
    """

    AUTO_FOCUS = "#page"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t,enter", "traces", "Traces", key_display="t", id="problem.traces", group=GO,
                tooltip="Read the completions side by side"),
        Binding("s", "more", "Sample more", id="problem.more", group=SAMPLE,
                tooltip="Ask for twice as many completions of every arm shown"),
        Binding("S", "ask", "Sample …", id="problem.ask", group=SAMPLE, show=False,
                tooltip="Choose how many completions, and with which settings"),
        Binding("u", "settle", "Until settled", show=False, id="problem.settle", group=SAMPLE,
                tooltip="Sample base and the compared model until it is settled which is better"),
        Binding("x", "cancel", "Cancel", id="problem.cancel", group=SAMPLE,
                tooltip="Stop drawing for this problem; what is stored stays"),
        Binding("n,right,right_square_bracket", "step(1)", "Next", key_display="n", group=GO,
                id="problem.next", tooltip="Next problem of the list"),
        Binding("N,left,left_square_bracket", "step(-1)", "Previous", show=False, group=GO,
                id="problem.previous", tooltip="Previous problem of the list"),
        Binding("i", "images", "Images", id="problem.images", group=VIEW,
                tooltip="The problem's images, as large as the terminal allows"),
        Binding("p", "prompt", "Prompt", id="problem.prompt", group=VIEW,
                tooltip="The prompt of every arm, as sent or as it would be"),
        Binding("A", "arms", "Arms", show=False, id="problem.stored", group=VIEW,
                tooltip="Show any stored arm, under settings of its own, beside the others"),
        Binding("e", "parity", "Parity", show=False, id="problem.parity", group=VIEW,
                tooltip="What differs between the arms besides their weights"),
        Binding("l", "review", "Was it luck?", show=False, id="problem.review", group=GO,
                tooltip="Review the reasoning of this problem's right answers, blind"),
        Binding("y", "diversity", "Diversity", show=False, id="problem.diversity", group=VIEW,
                tooltip="How varied each arm's answers are, and how steadily it is right"),
        Binding("m", "source", "Source", id="problem.source", show=False, group=VIEW,
                tooltip="The statement as the dataset has it, LaTeX and all"),
        Binding("ctrl+f", "search", "Search", show=False, id="problem.search", group=GO,
                tooltip="Search the texts of all completions of this problem"),
        Binding("j,down", "scroll(1)", "Down", show=False, id="problem.down", group=MOVE),
        Binding("k,up", "scroll(-1)", "Up", show=False, id="problem.up", group=MOVE),
        Binding("space,pagedown", "page(1)", "Page down", show=False, id="problem.page",
                group=MOVE),
        Binding("b,pageup", "page(-1)", "Page up", show=False, id="problem.pageup", group=MOVE),
    ]  # fmt: skip

    def __init__(
        self, settings: Settings, problem_id: int, ids: Sequence[int], pick: ArmPick
    ) -> None:
        super().__init__()
        self.settings = settings
        self.problem_id = problem_id
        self.page: ProblemPage | None = None
        self.live: Live | None = None
        self.parity: Parity | None = None
        self.sureness: Sureness | None = None
        self._parity_of: ParitySubject | None = None
        self._ids = ids
        self._pick = pick
        self._raw = False
        self._paces: dict[str, Pace] = {}
        self.trail = [("  Problems", "muted")]

    def compose_body(self) -> ComposeResult:
        with VerticalScroll(id="page"):
            yield Rows(id="statement")
            yield Pictures(self.explorer.gallery, id="pictures")
            yield Rows(id="verdict")
            yield Rows(id="sureness")
            yield Rows(id="arms")
            with Container(id="figures"):
                with Container(id="chart-box"):
                    yield Line(id="chart-title")
                    yield CurveChart(id="problem-chart")
                yield Rows(id="answers")
        yield Rows(id="live")

    def action_search(self) -> None:
        from explorer.tui.screens.search import SearchScreen

        dataset = self.page.row.problem.dataset if self.page else ""
        self.app.push_screen(SearchScreen(dataset, self.problem_id))

    def watch_cache(self) -> None:
        from explorer.views.problem_page import LiveSubject, PageSubject

        reader = self.explorer.reader
        reader.watch(self, "page", PageSubject(self.settings, self.problem_id, self._pick))
        reader.watch(self, "live", LiveSubject(self.problem_id))

    def take(self, key: str, value: object) -> None:
        if key == "page":
            page = cast("ProblemPage", value)
            if page.row.id == self.problem_id:
                self.page = page
                self._draw()
                self._watch_parity(page)
                self.refresh_bindings()
        elif key == "live":
            self._take_live(cast("Live", value))
        elif key == "prompt":
            self._show_prompts(cast("Prompts", value))
        elif key == "parity":
            self.parity = cast("Parity", value)
            self._draw()
        elif key == "diversity":
            self.explorer.reader.forget(self, "diversity")
            self.app.push_screen(diversity_page(cast("Diversity", value)))
        elif key == "sureness":
            self.sureness = cast("Sureness", value)
            self._draw()

    def _watch_parity(self, page: ProblemPage) -> None:
        """Once the page is there: parity takes longer, and nobody waits for it."""
        from explorer.views.parity import ParitySubject
        from explorer.views.sureness import SurenessSubject

        subject = ParitySubject(self.settings, page.row.problem.dataset, self._pick, page.row.id)
        self.explorer.reader.watch(self, "parity", subject)
        sure = SurenessSubject(self.settings, page.row.id, self._pick)
        self.explorer.reader.watch(self, "sureness", sure)

    def on_screen_suspend(self) -> None:
        self.query_one("#pictures", Pictures).refresh()  # pixels would show through a dialogue

    def on_screen_resume(self) -> None:
        self.query_one("#pictures", Pictures).refresh()

    def on_resize(self, event: Resize) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        page = self.page
        if page is None or not self.is_mounted:
            return
        width = self.query_one("#page").scrollable_content_region.width or self.size.width
        self.query_one("#statement", Rows).say(statement_rows(page, width, self._raw))
        self._show_images(page, width)
        self.query_one("#verdict", Rows).say(verdict_rows(page, width))
        sure = self.sureness if self.sureness and self.sureness.problem_id == page.row.id else None
        self.query_one("#sureness", Rows).say(sureness_rows(sure, width))
        self.query_one("#arms", Rows).say(
            [*arm_rows(page, width), *cot_rows(page.luck, width), *pair_rows(self.parity)]
        )
        answers = self.query_one("#answers", Rows)
        room = answers.size.width or (width if width < 100 else width // 2 - 2)
        answers.say(answer_rows(page, room))
        self.query_one("#problem-chart", CurveChart).show(page.curves)
        self.query_one("#chart-title", Line).say(
            [("pass@k", "strong bold")], [("⣿ 95% for this problem   ⠒⠂⠒ k > n/2", "faint")]
        )
        self._say_where(page)
        self._draw_live()

    def _show_images(self, page: ProblemPage, width: int) -> None:
        images = page.row.problem.images
        rows = max(LEAST_IMAGE_ROWS, self.size.height * 2 // 5)
        wanted = Wanted(images[:IMAGES_SHOWN], min(width - 2, 110), rows, 1, len(images))
        self.query_one("#pictures", Pictures).show(wanted)

    def _say_where(self, page: ProblemPage) -> None:
        from explorer.views.numbers import count, plural

        problem = page.row.problem
        crumbs: Pieces = [("  Problems", "muted"), (f"  {one_line(problem.dataset)}", "muted")]
        if self.size.width < CRUMBS_FROM:
            crumbs = []
        trail: Pieces = [*crumbs, (f"  {one_line(problem.name)}", "strong")]
        if self.problem_id in self._ids and len(self._ids) > 1:
            place = self._ids.index(self.problem_id) + 1
            trail = [*trail, (f"  {count(place)} of {count(len(self._ids))}", "muted")]
        self.set_trail([*trail, (f"  {page.choice.sampling.label()}", "muted")])
        tallies = [arm.tally for arm in page.arms]
        parts = [
            plural(sum(tally.completions for tally in tallies), "completion"),
            f"{count(sum(tally.undecided for tally in tallies))} undecided",
            f"{count(sum(tally.recorded for tally in tallies))} recorded",
        ]
        disagreed = sum(tally.disagreed for tally in tallies)
        if disagreed:
            parts.append(f"{count(disagreed)} where verifiers disagree")
        ungraded = sum(tally.ungraded for tally in tallies)
        if ungraded:
            parts.append(f"{count(ungraded)} not yet graded")
        self.say_status([(" · ".join(parts), "muted")])

    def _take_live(self, live: Live) -> None:
        from explorer.views.pace import Pace

        self.live = live
        columns = self._columns_by_arm()
        running = {request.model for request in live.open if request.state == "running"}
        self._paces = {name: pace for name, pace in self._paces.items() if name in running}
        for request in live.open:
            if request.model in running:
                pace = self._paces.setdefault(request.model, Pace())
                pace.observe(self.explorer.clock(), have(request, live, columns))
        self._draw_live()

    def _draw_live(self) -> None:
        box = self.query_one("#live", Rows)
        rows: list[Pieces] = []
        if self.live is not None and self.page is not None:
            columns = [arm.column for arm in self.page.arms]
            now = self.explorer.clock()
            rows = live_rows(self.live, columns, self._paces, now, self.size.width)
            rows = rows[: max(3, self.size.height // 3)]
        box.display = bool(rows)
        box.say(rows)

    def _columns_by_arm(self) -> dict[int, ArmColumn]:
        arms = self.page.arms if self.page else ()
        return {arm.column.arm_id: arm.column for arm in arms}

    def action_step(self, step: int) -> None:
        if self.problem_id not in self._ids:
            return
        place = self._ids.index(self.problem_id) + step
        if not 0 <= place < len(self._ids):
            self.notify("This is the end of the list.", markup=False, timeout=2)
            return
        self.problem_id = self._ids[place]
        self.live, self._paces = None, {}
        self.query_one("#page", VerticalScroll).scroll_home(animate=False)
        self.watch_cache()

    def action_back(self) -> None:
        from explorer.tui.screens.problems import ProblemsScreen

        for screen in self.app.screen_stack:
            if isinstance(screen, ProblemsScreen):
                screen.go_to(self.problem_id)
        super().action_back()

    def action_source(self) -> None:
        self._raw = not self._raw
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key does anything here; what does not is left out of the key line."""
        if action == "images":
            return self.page is not None and bool(self.page.row.problem.images)
        return super().check_action(action, parameters)

    def action_images(self) -> None:
        from explorer.tui.screens.pictures import PicturesScreen

        if self.page is not None:
            problem = self.page.row.problem
            title = f"{problem.dataset}/{problem.name}"
            self.app.push_screen(PicturesScreen(title, problem.images))

    def action_arms(self) -> None:
        from explorer.tui.screens.arms import ArmsScreen

        def chosen(pick: ArmPick) -> None:
            self._pick = pick
            self.watch_cache()

        if self.page is not None:
            self.app.push_screen(ArmsScreen(self.page.choice, self._pick, chosen))

    def action_traces(self) -> None:
        if self.page is None:
            return
        filled = [arm.column for arm in self.page.arms if arm.tally.completions]
        usual = [column.arm_id for column in filled if not column.label][:TRACES_SHOWN]
        arm_ids = [*usual, *(column.arm_id for column in filled if column.label)]
        if not arm_ids:
            self.notify("There are no completions to read yet; s draws some.", markup=False)
            return
        self.explorer.open_traces(self.problem_id, arm_ids)

    def action_prompt(self) -> None:
        from explorer.views.prompts import PromptsSubject

        if self.page is not None:
            columns = tuple(arm.column for arm in self.page.arms)
            subject = PromptsSubject(self.problem_id, columns)
            self.explorer.reader.watch(self, "prompt", subject)

    def _show_prompts(self, prompts: Prompts) -> None:
        from explorer.tui.screens.prompt import PromptScreen

        self.explorer.reader.forget(self, "prompt")
        self.app.push_screen(PromptScreen(self.settings, prompts))

    def action_diversity(self) -> None:
        from explorer.views.diversity import DiversitySubject

        subject = DiversitySubject(self.settings, "", (self.problem_id,), self._pick)
        self.explorer.reader.watch(self, "diversity", subject)

    def action_parity(self) -> None:
        if self.parity is None:
            self.notify("The arms are being compared; in a moment.", markup=False, timeout=2)
            return
        self.app.push_screen(TextScreen("Parity of the arms", parity_rows(self.parity)))

    def action_review(self) -> None:
        from explorer.settings.author import reviewer_of
        from explorer.tui.screens.review import ReviewScreen
        from explorer.views.review_queue import QueuePick

        if self.page is not None:
            who, dataset = reviewer_of(self.settings), self.page.row.problem.dataset
            pick = QueuePick(who, dataset, problem_ids=(self.problem_id,))
            self.app.push_screen(ReviewScreen(self.settings, pick))

    def action_scroll(self, step: int) -> None:
        self.query_one("#page", VerticalScroll).scroll_relative(y=step, animate=False)

    def action_page(self, step: int) -> None:
        scroller = self.query_one("#page", VerticalScroll)
        scroller.scroll_relative(y=step * max(1, scroller.size.height - 2), animate=False)
