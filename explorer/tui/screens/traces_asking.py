"""The keys of Traces that ask about the trace that is read, or take it away.

The viewer itself is `traces.TracesScreen`. Invariant: each acts on the focused column's trace alone
(or, where it says so, on all of that column), and says why where there is nothing to act on.
"""

from __future__ import annotations

import sqlite3

from explorer.store.requests import ask_for_scores
from explorer.tui import clipboard
from explorer.tui.screens.traces_reading import ReadingScreen
from explorer.views.text import one_line
from explorer.views.trace_facts import token_line


class AskingScreen(ReadingScreen):
    """What a screen with columns of traces offers to do with one."""

    def _title(self) -> str:
        raise NotImplementedError

    def action_score(self, whole_column: bool) -> None:
        column = self.column
        if column.trace is None or not column.samples.heads:
            self._say("nothing to score here")
            return
        if column.trace.tokens is None and not whole_column:
            self._say("only its text is known: it is tokenised first")
        n = len(column.samples.heads) if whole_column else 1
        one = None if whole_column else column.trace.head.id
        base, problem_id, arm_id = column.base, self.problem_id, column.arm_id

        def ask(db: sqlite3.Connection) -> None:
            ask_for_scores(db, base, problem_id, arm_id, n, one)

        what = f"all {n} samples" if whole_column else "this sample"
        self.explorer.ask(f"Asked to score {what} under {one_line(base)}.", ask, then_sample=True)

    def action_override(self) -> None:
        from explorer.settings.author import author_of
        from explorer.tui.screens.override import OverrideScreen, Said, job, sentence

        trace = self.column.trace
        if trace is None:
            self._say("nothing to judge here")
            return
        author = author_of(self.explorer.settings)

        def say(said: Said | None) -> None:
            if said is not None:
                write = job(said, trace.head.id, author)
                self.explorer.ask(sentence(said, trace.head.index), write)

        self.app.push_screen(OverrideScreen(trace, author), say)

    def action_evidence(self) -> None:
        from explorer.tui.screens.evidence import EvidenceScreen

        column = self.column
        if column.trace is None:
            self._say("no trace to ask about here")
            return
        completion_id, view = column.trace.head.id, column.view
        self.app.push_screen(EvidenceScreen(completion_id, view.token, view.move_to_token))

    def action_fork(self) -> None:
        from explorer.tui.screens.fork import offer

        column = self.column
        if column.trace is None or column.trace.tokens is None or column.cell is None:
            self._say("only tokens can be gone on from, and none are known here")
            return
        sampling = column.cell.arm.spec.sampling
        offer(self.explorer, column.trace, column.view.token, column.base, sampling)

    def action_branches(self) -> None:
        from explorer.tui.screens.branches import BranchesScreen

        column = self.column
        if column.trace is not None:
            title = f"{self._title()} {column.name_shown} #{column.trace.head.index}"
            completion_id, view = column.trace.head.id, column.view
            self.app.push_screen(
                BranchesScreen(completion_id, title, view.token, view.move_to_token)
            )

    def action_copy(self, whole: bool) -> None:
        column = self.column
        trace, known, text = column.trace, column.likelihoods, column.view.text
        if trace is None or known is None or text is None:
            self._say("nothing to copy here")
            return
        if whole or not text.n_units:
            content, what = trace.text, "the trace"
        else:
            where = f"{self._title()} {column.name_shown} #{trace.head.index}"
            content, what = token_line(text, column.view.cursor, trace, known, where), "the token"
        remark = clipboard.copy(self.app, content)
        self._say(f"copied {what}" + (f" ({remark})" if remark else ""))
