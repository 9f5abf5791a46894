"""The keys of Problem that ask the sampler for more, or to stop.

Invariant: what is asked for are the models and the settings that the screen shows; asking again for
what is there costs nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from explorer.tui.screens.frame import FrameScreen
from explorer.views.text import one_line

if TYPE_CHECKING:
    from explorer.core.arm import Sampling
    from explorer.settings import Settings
    from explorer.tui.screens.sample import Wanted as WantedSamples
    from explorer.views.arms import ArmColumn, ArmPick
    from explorer.views.problem_page import Live, ProblemPage
    from explorer.views.sureness import Sureness


class SamplingScreen(FrameScreen):
    """What a screen of one problem offers for drawing completions."""

    settings: Settings
    problem_id: int
    page: ProblemPage | None
    live: Live | None
    sureness: Sureness | None
    _pick: ArmPick

    def action_more(self) -> None:
        from explorer.views.problem_page import next_target

        if self.page is None:
            return
        columns = self._sampled_columns()
        if not columns:
            return
        names = {column.name for column in columns}
        completions = [arm.tally.completions for arm in self.page.arms if arm.column.name in names]
        sampling = self.page.choice.sampling
        asked = [
            request.n
            for request in (self.live.open if self.live else ())
            if request.sampling == sampling
        ]
        self._ask(columns, next_target(completions, asked, self.settings.default_n), sampling)

    def action_ask(self) -> None:
        from explorer.tui.screens.sample import SampleScreen
        from explorer.views.problem_page import next_target

        if self.page is None:
            return
        columns = self._sampled_columns()
        if not columns:
            return
        shown = self.page.choice.sampling
        names = {sampling: name for name, sampling in self.settings.presets.items()}
        presets = {names.get(shown, "as shown"): shown}
        presets |= {n: s for n, s in self.settings.presets.items() if s != shown}
        completions = [arm.tally.completions for arm in self.page.arms]
        proposed = next_target(completions, [], self.settings.default_n)
        models = one_line(", ".join(column.name for column in columns))
        self.app.push_screen(SampleScreen(models, proposed, presets), self._asked)

    def _asked(self, wanted: WantedSamples | None) -> None:
        from dataclasses import replace

        if wanted is None or self.page is None:
            return
        if wanted.sampling != self.page.choice.sampling:
            self._pick = replace(self._pick, sampling=wanted.sampling)
            self.watch_cache()
        self._ask(self._sampled_columns(), wanted.n, wanted.sampling)

    def _sampled_columns(self) -> list[ArmColumn]:
        """Arms that can be sampled from here; says so if there is none."""
        assert self.page is not None
        columns = [arm.column for arm in self.page.arms if arm.column.configured]
        if not columns:
            self.notify(
                "None of these models is in explorer.toml, so none can be sampled here.",
                severity="warning",
                markup=False,
            )
        return columns

    def _ask(self, columns: Sequence[ArmColumn], n: int, sampling: Sampling) -> None:
        models = [column.name for column in columns]
        job = partial(_request, models, self.problem_id, sampling, n)
        said = f"Asked for {n:,} completions of {', '.join(models)}."
        self.explorer.ask(said, job, then_sample=True)

    def action_settle(self) -> None:
        from explorer.tui.screens.settle import offer

        if self.page is not None:
            offer(self.explorer, self.page, self.sureness)

    def action_cancel(self) -> None:
        self.explorer.ask(
            "Cancelled; what is stored stays.", partial(cancel_problem, self.problem_id)
        )


def _request(
    models: Sequence[str], problem_id: int, sampling: Sampling, n: int, db: sqlite3.Connection
) -> None:
    from explorer.store.requests import ask_for_completions

    for model in models:
        ask_for_completions(db, model, problem_id, sampling, n)


def cancel_problem(problem_id: int, db: sqlite3.Connection) -> None:
    """Stop drawing for a problem; what is stored stays."""
    from explorer.store.requests import cancel

    cancel(db, problem_id)
