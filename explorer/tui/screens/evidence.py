"""The evidence for one trace: could the base have drawn it, and where does its likelihood lie?

The screen only wires. Invariant: its cursor and the cursor of the Traces screen beneath stand on
the same token whenever a person has moved it here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from explorer.core.arm import Sampling
from explorer.tui.keys import GO, MOVE, SAMPLE, VIEW
from explorer.tui.render.context_rows import context_rows
from explorer.tui.render.evidence_rows import evidence_rows
from explorer.tui.screens.frame import FrameScreen
from explorer.tui.widgets.line import Pieces
from explorer.tui.widgets.rows import Rows
from explorer.views.evidence import Evidence, EvidenceSubject
from explorer.views.evidence_support import sampler_label
from explorer.views.numbers import plural
from explorer.views.text import one_line

SUPPORT, LIKELIHOOD = "support", "likelihood"

CURVE_ROWS = ((40, 5), (30, 3), (0, 2))
"""Heights of the terminal from which the survival curve has so many rows."""


class EvidenceScreen(FrameScreen):
    """The evidence for a completion.

    Args:
        completion_id: the trace.
        token: the token that the cursor begins on.
        show_token: told of the token that a person moves to.
    """

    AUTO_FOCUS = "#evidence-page"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("full_stop,n", "outside(1)", "Next outside", key_display=".", group=MOVE,
                id="evidence.next", tooltip="Next token outside; Traces goes there too"),
        Binding("comma,p", "outside(-1)", "Previous outside", key_display=",", show=False,
                group=MOVE, id="evidence.previous", tooltip="Previous token outside"),
        Binding("right,l", "token(1)", "Next token", show=False, group=MOVE,
                id="evidence.token.next", tooltip="Next token"),
        Binding("left,h", "token(-1)", "Previous token", show=False, group=MOVE,
                id="evidence.token.previous", tooltip="Previous token"),
        Binding("x", "ask", "Score", group=SAMPLE, id="evidence.ask",
                tooltip="Ask the sampler for the scores that this panel lacks"),
        Binding("enter", "back", "To the token", group=GO, id="evidence.go",
                tooltip="Back to the traces, at this token"),
        Binding("tab,shift+tab,c", "panel", "Likelihood", key_display="tab", group=VIEW,
                id="evidence.panel", tooltip="Support, or likelihood in context"),
        Binding("s", "settings", "Settings", group=VIEW, id="evidence.settings",
                tooltip="Ask about the next sampler settings"),
        Binding("z", "zoom", "Zoom", show=False, group=VIEW, id="evidence.zoom",
                tooltip="Scatter: only where the base's own samples lie, or everything"),
        Binding("j,down", "scroll(1)", "Down", show=False, id="evidence.down", group=MOVE),
        Binding("k,up", "scroll(-1)", "Up", show=False, id="evidence.up", group=MOVE),
        Binding("space,pagedown", "page(1)", "Page down", show=False, id="evidence.page",
                group=MOVE),
        Binding("b,pageup", "page(-1)", "Page up", show=False, id="evidence.pageup", group=MOVE),
    ]  # fmt: skip

    def __init__(
        self, completion_id: int, token: int = 0, show_token: Callable[[int], None] | None = None
    ) -> None:
        super().__init__()
        self.completion_id = completion_id
        self.cursor = token
        self.panel = SUPPORT
        self.evidence: Evidence | None = None
        self._show_token = show_token
        self._chosen: Sampling | None = None
        self._remark = ""
        self._close = False
        self.trail = [("  Evidence", "strong")]

    def compose_body(self) -> ComposeResult:
        with VerticalScroll(id="evidence-page"):
            yield Rows(id="evidence-rows")

    def watch_cache(self) -> None:
        presets = tuple(self.explorer.settings.presets.values())
        subject = EvidenceSubject(self.completion_id, presets, self._chosen)
        self.explorer.reader.watch(self, "evidence", subject)

    def take(self, key: str, value: object) -> None:
        if key == "evidence" and isinstance(value, Evidence):
            self.evidence = value
            self.cursor = max(0, min(self.cursor, value.trace.view.n_tokens - 1))
            self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    # --- keys ----------------------------------------------------------------------------------

    def action_outside(self, step: int) -> None:
        if self.evidence is None:
            return
        found = self.evidence.trace.view.next_outside(self.cursor, step)
        if found is None:
            self._say(f"no token outside {'further on' if step > 0 else 'before this'}")
        else:
            self._to(found)

    def action_token(self, step: int) -> None:
        if self.evidence is not None and self.evidence.trace.view.n_tokens:
            last = self.evidence.trace.view.n_tokens - 1
            self._to(max(0, min(self.cursor + step, last)))

    def action_panel(self) -> None:
        self.panel = LIKELIHOOD if self.panel == SUPPORT else SUPPORT
        self.query_one("#evidence-page", VerticalScroll).scroll_home(animate=False)
        self._say("")

    def action_zoom(self) -> None:
        self._close = not self._close
        self._say("")

    def action_settings(self) -> None:
        if self.evidence is None:
            return
        choices = self.evidence.choices
        if len(choices) < 2:
            self._say("there are no other settings to ask about")
            return
        place = choices.index(self.evidence.sampling)
        self._chosen = choices[(place + 1) % len(choices)]
        self._remark = ""
        self.watch_cache()

    def action_ask(self) -> None:
        if self.evidence is None:
            return
        support = self.panel == SUPPORT
        asks = self.evidence.asks if support else self.evidence.context_asks
        if not asks:
            self._say("nothing is missing here")
            return
        problem_id = self.evidence.problem.id

        def write(db: sqlite3.Connection) -> None:
            for ask in reversed(asks):  # the latest request is worked on first
                ask.write(db, problem_id)

        names = ", ".join(dict.fromkeys(one_line(ask.scorer) for ask in asks))
        what = plural(len(asks), "trace") if support else "this problem's samples"
        self.explorer.ask(f"Asked {names} to score {what}.", write, then_sample=True)

    def action_scroll(self, step: int) -> None:
        self.query_one("#evidence-page", VerticalScroll).scroll_relative(y=step, animate=False)

    def action_page(self, step: int) -> None:
        page = self.query_one("#evidence-page", VerticalScroll)
        page.scroll_relative(y=step * max(1, page.size.height - 2), animate=False)

    # --- drawing -------------------------------------------------------------------------------

    def _to(self, token: int) -> None:
        self.cursor = token
        if self._show_token is not None:
            self._show_token(token)
        self._say("")

    def _say(self, remark: str) -> None:
        self._remark = remark
        self._draw()

    def _draw(self) -> None:
        evidence = self.evidence
        if evidence is None:
            return
        page = self.query_one("#evidence-page", VerticalScroll)
        width = page.scrollable_content_region.width or self.size.width
        if self.panel == SUPPORT:
            curve = next(rows for height, rows in CURVE_ROWS if self.size.height >= height)
            rows = evidence_rows(evidence, self.cursor, width, curve)
        else:
            rows = context_rows(evidence, width, page.size.height, self._close)
        self.query_one("#evidence-rows", Rows).say(rows)
        self._write_trail(evidence)
        self._write_status(evidence)

    def _write_trail(self, evidence: Evidence) -> None:
        problem = evidence.problem.problem
        name = one_line(f"{problem.dataset}/{problem.name}", 40)
        trace = one_line(evidence.trace.title, 30)
        self.set_trail([("  Evidence", "strong"), (f"  {name}", "text"), (f"  {trace}", "muted")])

    def _write_status(self, evidence: Evidence) -> None:
        names = ((SUPPORT, "Support"), (LIKELIHOOD, "Likelihood"))
        left: list[tuple[str, str]] = [
            (f"[{title}]", "accent bold") if name == self.panel else (f" {title} ", "muted")
            for name, title in names
        ]
        if self._remark:
            left.append((f"  {self._remark}", "accent"))
        self.say_status(left, _progress(evidence) or _settings(evidence))


def _settings(evidence: Evidence) -> Pieces:
    place = evidence.choices.index(evidence.sampling) + 1
    label = sampler_label(evidence.sampling)
    return [(f"{label} ({place}/{len(evidence.choices)})", "muted")]


def _progress(evidence: Evidence) -> Pieces:
    """How a request to score goes, where there is one."""
    request = evidence.request
    if request is None:
        return ()
    if request.state == "failed":
        title = one_line(str(request.error.get("title", "no reason given")), 60)
        return [(f"scoring failed: {title}", "wrong")]
    if not evidence.alive:
        return [("scores asked for: waiting for the sampler", "undecided")]
    return [(f"{one_line(request.model, 20)} is scoring…", "accent")]
