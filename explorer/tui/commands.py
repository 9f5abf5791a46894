"""The command palette: every action that has a key here, found by its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from explorer.tui.widgets.key_line import distinct_bindings, key_name


class ActionProvider(Provider):
    """Actions of the screen beneath the palette; what is disabled now is left out."""

    async def discover(self) -> Hits:
        for title, help_text, run in self._actions():
            yield DiscoveryHit(title, run, help=help_text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, help_text, run in self._actions():
            score = matcher.match(f"{title} {help_text}")
            if score > 0:
                yield Hit(score, matcher.highlight(title), run, help=help_text)

    def _actions(self) -> list[tuple[str, str, Callable[[], Awaitable[object]]]]:
        actions: list[tuple[str, str, Callable[[], Awaitable[object]]]] = []
        for active in distinct_bindings(self.screen):
            binding = active.binding
            if not binding.description or not active.enabled or binding.id == "app.palette":
                continue
            if binding.group is not None and binding.group.description == "Move":
                continue
            title = f"{binding.description} · {key_name(self.app, active)}"
            run = partial(self.app.run_action, binding.action, active.node)
            actions.append((title, binding.tooltip, run))
        return actions
