"""The explorer's app on a cache that was made without a model, with a frozen clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from rich.color import ColorSystem
from textual.message import Message
from textual.pilot import Pilot
from textual.screen import Screen

from explorer.core.arm import Sampling
from explorer.core.prompts import Template
from explorer.paths import Workspace
from explorer.settings import ModelSettings, Role, Settings
from explorer.tui.app import ExplorerApp
from explorer.tui.writer import Written
from tests import fake_cache

FROZEN_AT = 1_900_000_000.0


def settings_for(cache: Path, models: tuple[str, ...] = ("base", "rl", "distilled")) -> Settings:
    """A workspace of the fake cache's models."""
    every = (*fake_cache.MODELS, *fake_cache.CROWD, *fake_cache.CHECKPOINTS)
    known = {model.name: model for model in every}
    return Settings(
        Workspace(root=cache.parent, cache=cache),
        models={
            name: ModelSettings(
                name,
                Role(known[name].role),
                f"served:{name}",
                base=known[name].base,
                algorithm=known[name].algorithm,
                engine="vllm-server",
            )
            for name in models
        },
        datasets={},
        templates={"plain": Template("plain", "Question: {question}\nAnswer:")},
        presets={"small": fake_cache.SAMPLING, "paper": Sampling(0.6, 0.95, 0, 16384)},
        default_preset="small",
    )


class SeenApp(ExplorerApp):
    """Counts what would have been sent to the terminal, and how often a sampler was started."""

    def __init__(
        self,
        settings: Settings,
        link: str = "",
        theme: str = "explorer-dark",
        notices: tuple[str, ...] = (),
    ) -> None:
        self.sampler_starts = 0
        self.sent: list[str] = []
        self._jobs_done = asyncio.Semaphore(0)
        super().__init__(
            settings, self._start_sampler, link, notices=notices, clock=lambda: FROZEN_AT
        )
        self.theme = theme

    def _start_sampler(self) -> None:
        self.sampler_starts += 1

    def get_default_screen(self) -> Screen[None]:
        # 256 colours: what an SSH session without COLORTERM has
        self.console._color_system = ColorSystem.EIGHT_BIT
        return super().get_default_screen()

    async def wait_for_write(self) -> None:
        """Wait until one more job of the writer has ended."""
        async with asyncio.timeout(10):
            await self._jobs_done.acquire()

    def on_written(self, event: Written) -> None:
        super().on_written(event)
        self._jobs_done.release()

    def _display(self, screen: Screen[object], renderable: object) -> None:
        render = getattr(renderable, "render_segments", None)
        if render is not None:
            self.sent.append(render(self.console))
        super()._display(screen, renderable)  # type: ignore[arg-type]

    def sent_bytes(self) -> int:
        """Bytes since the last call."""
        total = sum(len(one.encode()) for one in self.sent)
        self.sent.clear()
        return total


async def settle(pilot: Pilot[None], rounds: int = 3) -> None:
    """Wait until all that is watched has been read and all messages about it are handled."""
    app = pilot.app
    assert isinstance(app, SeenApp)
    for _ in range(rounds):
        await pilot.pause()
        if app.settings.workspace.cache.is_file():
            app.reader.poke()
            assert await asyncio.to_thread(app.reader.wait_until_idle, 60.0)
        await pilot.pause()


@asynccontextmanager
async def opened(
    app: SeenApp,
    size: tuple[int, int] = (120, 35),
    hook: Callable[[Message], None] | None = None,
) -> AsyncIterator[Pilot[None]]:
    async with app.run_test(size=size, message_hook=hook, notifications=True) as pilot:
        await settle(pilot)
        yield pilot


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys and wait for what they lead to."""
    await pilot.press(*keys)
    await settle(pilot, rounds=2)


async def type_text(pilot: Pilot[None], text: str) -> None:
    """Type into the focused field."""
    from textual.keys import _character_to_key

    await press(pilot, *(_character_to_key(character) for character in text))


def screen_text(app: SeenApp) -> str:
    """All that is on the screen, one string per line."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in strips)
