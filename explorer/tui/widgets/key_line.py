"""The bottom line: the keys that matter here, written from the bindings that are active."""

from __future__ import annotations

from dataclasses import replace

from textual.app import App
from textual.binding import ActiveBinding
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets import Input

from explorer.tui.keys import APP
from explorer.tui.widgets.line import Line


class KeyLine(Line):
    """Keys in the order of the bindings; those that do not fit are left to the help screen."""

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._renew)
        self._renew(self.screen)

    def _renew(self, screen: Screen[object]) -> None:
        if not self.is_attached:
            return
        pieces: list[tuple[str, str]] = []
        for active in distinct_bindings(screen):
            binding = active.binding
            if isinstance(screen.focused, Input) and active.node is not screen.focused:
                continue  # letters are text there
            if not binding.show or not binding.description or not active.enabled:
                continue
            pieces += [
                (key_name(self.app, active), "accent"),
                (f" {binding.description}   ", "muted"),
            ]
        self.say(pieces, [("?", "accent"), (" help", "muted")])

    def render_line(self, y: int) -> Strip:
        whole = self.left
        room = self.size.width - 2 - 2 - len("? help")
        kept: list[tuple[str, str]] = []
        for key, name in zip(whole[::2], whole[1::2], strict=True):
            room -= len(key[0]) + len(name[0])
            if room < -3:  # the spaces behind the last one may be lost
                break
            kept += [key, name]
        if kept:
            kept[-1] = (kept[-1][0].rstrip(), kept[-1][1])
        self.left = kept
        try:
            return super().render_line(y)
        finally:
            self.left = whole


def distinct_bindings(screen: Screen[object]) -> list[ActiveBinding]:
    """Active bindings, the focused widget's first, then the screen's, then the app's."""
    found: dict[str, ActiveBinding] = {}
    for active in screen.active_bindings.values():
        if active.binding.id and not active.binding.system:  # ours; Textual's own have no id
            found.setdefault(active.binding.id, active)

    def rank(active: ActiveBinding) -> int:
        if active.binding.group == APP:
            return 3
        return 1 if isinstance(active.node, Screen) else 2 if isinstance(active.node, App) else 0

    return sorted(found.values(), key=rank)


def key_names(screen: Screen[object], active: ActiveBinding) -> list[str]:
    """All keys that run a binding on a screen, as they are written."""
    names = []
    for key, one in screen.active_bindings.items():
        if one.binding.id == active.binding.id:
            names.append(
                screen.app.get_key_display(replace(one.binding, key=key, key_display=None))
            )
    return list(dict.fromkeys(names))


def key_name(app: App[object], active: ActiveBinding) -> str:
    """How a key is written."""
    return app.get_key_display(active.binding)
