"""The explorer's own app, opened on the Traces screen of a cache that was made without a model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from rich.color import ColorSystem
from textual.pilot import Pilot
from textual.screen import Screen

from explorer.core.arm import Sampling
from explorer.paths import Workspace
from explorer.settings import Settings
from explorer.tui.app import ExplorerApp
from explorer.tui.screens.traces import TracesScreen
from explorer.tui.writer import Written

FROZEN_AT = 1_900_000_000.0


class TracesApp(ExplorerApp):
    """Shows one problem's traces; writes down what would have been sent to the terminal."""

    def __init__(
        self,
        cache: Path,
        problem_id: int,
        arm_ids: Sequence[int],
        theme: str = "explorer-dark",
        colours: ColorSystem = ColorSystem.EIGHT_BIT,
    ) -> None:
        self.colours = colours  # 256: what an SSH session without COLORTERM has
        self.sampler_starts = 0
        self.sent: list[str] = []
        self._jobs_done = asyncio.Semaphore(0)
        workspace = Workspace(root=cache.parent, cache=cache)
        settings = Settings(workspace, {}, {}, {}, {"paper": Sampling()})
        super().__init__(settings, self._start_sampler, clock=lambda: FROZEN_AT)
        self.theme = theme
        self.traces = TracesScreen(problem_id, arm_ids)

    def _start_sampler(self) -> None:
        self.sampler_starts += 1

    def get_default_screen(self) -> Screen[None]:
        self.console._color_system = self.colours  # before the first strip is rendered
        return Screen()

    def on_mount(self) -> None:
        self.push_screen(self.traces)  # a default screen's own CSS would not be loaded

    async def wait_for_write(self) -> None:
        """Wait until one more job of the writer has ended."""
        async with asyncio.timeout(10):
            await self._jobs_done.acquire()

    def on_written(self, event: Written) -> None:
        self._jobs_done.release()

    def _display(self, screen: Screen[object], renderable: object) -> None:
        render = getattr(renderable, "render_segments", None)
        if render is not None:
            self.sent.append(render(self.console))
        super()._display(screen, renderable)  # type: ignore[arg-type]


async def settled(pilot: Pilot[None], rounds: int = 2) -> None:
    """Wait until all that is watched has been read and all messages about it are handled."""
    app = pilot.app
    assert isinstance(app, TracesApp)
    for _ in range(rounds):  # cells lead to traces, traces to nothing further
        await pilot.pause()
        app.reader.poke()
        assert await asyncio.to_thread(app.reader.wait_until_idle, 60.0)
        await pilot.pause()


@asynccontextmanager
async def opened(app: TracesApp, size: tuple[int, int]) -> AsyncIterator[Pilot[None]]:
    async with app.run_test(size=size) as pilot:
        await settled(pilot, rounds=3)
        yield pilot
