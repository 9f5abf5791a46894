"""How long the heavy parts of reading take: opening, aligning, comparing, searching.

    python -m benchmarks.reading [--completions N] [--tokens T]

Opening is from the key to the drawn trace, in the real screen without a terminal; comparing is one
trace of 2,000 tokens with 1,024 others, as the Nearest screen does on its worker thread.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.terminal_bytes import WORDS, build
from explorer.core.alignment import align
from explorer.core.completion import Completion, FinishReason
from explorer.core.nearest import Sample, compare
from explorer.core.phrases import parse
from explorer.store import catalog, completions
from explorer.store.connection import open_writer
from explorer.store.search import Scope, bring_up_to_date, search
from explorer.views.step_book import StepBook
from tests.fake_cache import MODELS, _problem, spec
from tests.tui.traces_app import TracesApp, opened, settled

_LONG = 16_000


def _text(generator: random.Random, tokens: int) -> str:
    return " ".join(generator.choices([word for word in WORDS if word], k=tokens))


def _worked(generator: random.Random, tokens: int) -> str:
    """Words and calculations, about as many as in worked solutions: one in seven words."""
    words = [word for word in WORDS if word]

    def word() -> str:
        if generator.random() > 0.15:
            return generator.choice(words)
        left, right = generator.randint(1, 60), generator.randint(1, 60)
        return f"{left} + {right} = {left + right}"

    return " ".join(word() for _ in range(tokens * 3 // 4))


def timed(name: str, work: Callable[[], object], runs: int = 3) -> None:
    """Print the best of some runs."""
    best = float("inf")
    for _ in range(runs):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    print(f"  {name:<58}{best:>9.3f} s")


async def opening(folder: Path) -> tuple[list[float], float]:
    """Seconds until a stored 16,000-token trace is drawn, ten times; and for a page down."""
    cache = folder / "long.db"
    build(cache, _LONG)
    app = TracesApp(cache, 1, (1,))
    gc.freeze()  # as the command does before it opens the screen
    async with opened(app, (200, 50)) as pilot:
        took = []
        for step in (1, -1) * 5:  # the other sample: read, cut, coloured, wrapped, drawn
            started = time.perf_counter()
            app.traces.action_sample(step)
            while app.traces.column.trace is None:
                await asyncio.sleep(0.001)
            drawn = len(app.sent)
            while len(app.sent) == drawn:
                await asyncio.sleep(0.001)
            took.append(time.perf_counter() - started)
            await settled(pilot)
        started = time.perf_counter()
        for _ in range(50):
            await pilot.press("pagedown")
        return took, (time.perf_counter() - started) / 50


def searching(folder: Path, many: int, tokens: int) -> None:
    """Index and search a cache of `many` completions."""
    generator = random.Random(2)
    with closing(open_writer(folder / "search.db")) as db:
        catalog.put_models(db, MODELS)
        task = _problem(0)
        problem = catalog.put_problems(db, [task])[task.name]
        arm = catalog.put_arm(db, spec("base"), "base")
        cell = [
            (Completion(i, 0, _text(generator, tokens), FinishReason.STOP, None), None)
            for i in range(many)
        ]
        completions.append(db, arm, problem, cell)
        print(f"Searching {many:,} completions of {tokens:,} tokens")
        for text in ("let me check", "\\boxed", "absent"):
            timed(f"scan for {text!r}", partial(search, db, parse(text), Scope()), 1)
        timed("bring the index up to date (once)", lambda: bring_up_to_date(db), 1)
        for text in ("let me check", "\\boxed", "absent"):
            timed(f"index for {text!r}", partial(search, db, parse(text), Scope()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--completions", type=int, default=6400)
    parser.add_argument("--tokens", type=int, default=500)
    options = parser.parse_args()
    generator, numbers = random.Random(1), np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        took, page = asyncio.run(opening(Path(folder)))
        print(f"A trace of {_LONG:,} tokens")
        print(f"  {'opened, the median of 10':<58}{sorted(took)[5]:>9.3f} s")
        print(f"  {'opened, the slowest of 10':<58}{max(took):>9.3f} s")
        print(f"  {'each page down':<58}{page:>9.3f} s")
        for length in (2_000, _LONG):
            left, right = (numbers.integers(0, 300, length).tolist() for _ in range(2))
            timed(f"align 2 × {length:,} tokens", partial(align, left, right))
        ids = [numbers.integers(0, 300, 2_000, np.int32) for _ in range(1_025)]
        samples = [Sample(i, _worked(generator, 2_000), "7", ids[i]) for i in range(1_025)]
        book = StepBook()
        timed(
            "compare one trace with 32, as the first rows",
            lambda: compare(samples[0], samples[1:33], book.of),
            1,
        )
        timed("compare one trace with 1,024", lambda: compare(samples[0], samples[1:], book.of), 1)
        timed("compare another with the same", lambda: compare(samples[1], samples[1:], book.of), 1)
        searching(Path(folder), options.completions, options.tokens)


if __name__ == "__main__":
    main()
