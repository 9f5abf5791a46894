"""The prompt that every arm gets, as sent or as it would be, under one template or another."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from explorer.tui.keys import VIEW
from explorer.tui.screens.text import TextScreen
from explorer.tui.widgets.line import Pieces
from explorer.views.prompts import AS_SET, Prompts, previews, template_choices
from explorer.views.text import lines_of, one_line

if TYPE_CHECKING:
    from explorer.settings import Settings


class PromptScreen(TextScreen):
    """Shows prompts; looking changes nothing that is sampled.

    Args:
        settings: for the templates.
        prompts: what is stored of the problem's prompts.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t,right,tab", "template(1)", "Next template", key_display="t",
                id="prompt.next", group=VIEW, tooltip="Show the next template"),
        Binding("T,left,shift+tab", "template(-1)", "Previous template", show=False,
                id="prompt.previous", group=VIEW, tooltip="Show the template before"),
    ]  # fmt: skip

    def __init__(self, settings: Settings, prompts: Prompts) -> None:
        self.choice = AS_SET
        self._settings = settings
        self._prompts = prompts
        self._choices = template_choices(settings)
        hint = "t T other templates · j k scroll · q back"
        super().__init__(self._heading(), self._prompt_rows(), hint)

    def action_template(self, step: int) -> None:
        place = self._choices.index(self.choice) + step
        self.choice = self._choices[place % len(self._choices)]
        self.retitle(self._heading())
        self.show(self._prompt_rows())

    def _heading(self) -> str:
        problem = one_line(self._prompts.row.problem.name, 40)
        place = f"{self._choices.index(self.choice) + 1} of {len(self._choices)}"
        return f"Prompt of {problem} · template: {one_line(self.choice, 40)} ({place})"

    def _prompt_rows(self) -> list[Pieces]:
        rows: list[Pieces] = []
        for one in previews(self._prompts, self._settings, self.choice):
            mark, name = one.column.mark, one_line(one.column.name)
            head: list[tuple[str, str]] = [(f"{mark.marker} {name}", f"{mark.colour} bold")]
            if one.template:
                head.append((f"  {one.template}", "text"))
            rows.append([*head, (f"  {one.note}", "undecided" if one.fault else "muted")])
            for role, text in one.turns:
                if role:
                    rows.append([(f"[{role}]", "faint")])
                rows += [[(line, "text")] for line in lines_of(text)]
            rows.append([])
        return rows
