"""Help, written from the bindings of the screen beneath: a key that is not here does not exist."""

from __future__ import annotations

from textual.screen import Screen

from explorer.tui.render.cells import fit
from explorer.tui.screens.text import TextScreen
from explorer.tui.widgets.key_line import distinct_bindings, key_names
from explorer.tui.widgets.line import Pieces

_KEYS = 18
_ORDER = ("Move", "Look", "Sample", "Go to", "Explorer")


class HelpScreen(TextScreen):
    """All keys of a screen, by group, and a word on what the marks mean."""

    def __init__(self, beneath: Screen[object]) -> None:
        super().__init__("Keys", [])
        self._beneath = beneath

    def on_mount(self) -> None:
        self.show(help_rows(self._beneath))


def help_rows(screen: Screen[object]) -> list[Pieces]:
    """The rows, from the bindings that are active on `screen`."""
    groups: dict[str, list[Pieces]] = {}
    for active in distinct_bindings(screen):
        binding = active.binding
        if not binding.description:
            continue
        group = binding.group.description if binding.group else "Explorer"
        keys = " ".join(key_names(screen, active))
        row: list[tuple[str, str]] = [
            (fit("  " + keys, _KEYS) + " ", "accent"),
            (fit(binding.description, 16), "strong" if active.enabled else "faint"),
            (f" {binding.tooltip}", "muted"),
        ]
        groups.setdefault(group, []).append(row)
    rows: list[Pieces] = []
    names = [name for name in _ORDER if name in groups]
    names += [name for name in groups if name not in _ORDER]
    for name in names:
        rows += [[(name, "strong bold")], *groups[name], []]
    return [*rows, *_LEGEND]


_LEGEND: list[Pieces] = [
    [("What the marks mean", "strong bold")],
    [
        ("  c/n    ", "accent"),
        ("correct of graded samples; ? some undecided, ≠ verifiers disagree", "muted"),
    ],
    [("  P      ", "right bold"), ("preserved: base and RL both solved it at least once", "muted")],
    [("  E      ", "rl bold"), ("expanded: only RL did", "muted")],
    [("  S      ", "base bold"), ("shrunk: only base did", "muted")],
    [("  O      ", "muted bold"), ("out of reach: neither did, at this n", "muted")],
    [("  P? …   ", "accent"), ("an undecided sample could change the letter", "muted")],
    [("  k>n/2  ", "accent"), ("dotted, on shaded ground: too few samples to trust", "muted")],
    [],
    [("Every letter is an observation at its n, temperature and verifier,", "muted")],
    [("never a statement about what a model can or cannot do.", "muted")],
]
