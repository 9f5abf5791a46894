"""Bytes that the Traces screen sends to the terminal: per cursor move, page, and overlay change.

    python -m benchmarks.terminal_bytes [--size 200x50] [--colours 256]

What Textual would write is rendered and counted, through the screen's own messages and real
caches; the trace is 4,000 tokens per column with every second line holding a notable token.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
from rich.cells import cell_len
from rich.color import ColorSystem

from explorer.core.completion import (
    Completion,
    FinishReason,
    Outcome,
    Tokens,
    TokenScores,
    Verdict,
)
from explorer.core.problem import Problem
from explorer.core.prompts import RenderedPrompt
from explorer.store import catalog, completions
from explorer.store.connection import open_writer
from explorer.store.rows import ScorerRow
from explorer.views.trace import TraceLayout, TraceText
from tests.fake_cache import MODELS, spec
from tests.tui.traces_app import TracesApp, opened, settled

WORDS = (  # noqa: SIM905
    " the answer is so we have to find number of trees and gaps which means that 1 2 5 = + \\frac"
    " { } . , wait let me check again because both ends count therefore \\boxed \n"
).split(" ")

COLOURS = {"16": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT, "true": ColorSystem.TRUECOLOR}

STEPS = (
    ("cursor: next token", "right"),
    ("cursor: line down", "down"),
    ("next notable token", "full_stop"),
    ("page down", "pagedown"),
    ("half a page down", "ctrl+d"),
    ("next column", "tab"),
    ("overlay", "o"),
    ("next sample", "n"),
)


def build(path: Path, n_tokens: int) -> None:
    """Three arms, two long completions each, scored under base."""
    rng = np.random.default_rng(3)
    with_db = open_writer(path)
    catalog.put_models(with_db, MODELS)
    ids = catalog.put_problems(with_db, [Problem("bench", "one", "How many trees?", "7")])
    row = ScorerRow(0, "base", "local:base", "tok:1", "transformers", "float32")
    scorer = catalog.put_scorer(with_db, row)
    for model in MODELS:
        arm = catalog.put_arm(with_db, spec(model.name), model.name)
        catalog.put_prompt(with_db, arm, ids["one"], RenderedPrompt("Q", (1,)))
        cell = [_completion(rng, index, n_tokens) for index in range(2)]
        for row_id, (completion, _) in zip(
            completions.append(with_db, arm, ids["one"], cell), cell, strict=True
        ):
            assert row_id is not None
            assert completion.tokens is not None
            completions.record_score(with_db, scorer, row_id, _scores(rng, completion.tokens))
    with_db.close()


def _completion(
    rng: np.random.Generator, index: int, n_tokens: int
) -> tuple[Completion, Verdict | None]:
    pieces = [f" {word}" if word != "\n" else word for word in rng.choice(WORDS, n_tokens)]
    text = "".join(pieces)
    ends = np.cumsum([len(piece.encode()) for piece in pieces]).astype(np.int32)
    logprobs = -rng.gamma(0.25, 0.8, n_tokens).astype(np.float32)
    tokens = Tokens(np.arange(n_tokens, dtype=np.int32) % 500, ends, logprobs)
    completion = Completion(index, 0, text, FinishReason.STOP, tokens)
    return completion, Verdict("math", "math-1", Outcome.CORRECT, "7", "boxed")


def _scores(rng: np.random.Generator, tokens: Tokens) -> TokenScores:
    assert tokens.logprobs is not None
    n = len(tokens)
    logprobs = (tokens.logprobs - rng.gamma(0.1, 1.5, n)).astype(np.float32)
    return TokenScores(
        logprobs=logprobs,
        ranks=(1 + np.floor(-logprobs)).astype(np.int32),
        entropies=rng.gamma(0.5, 0.8, n).astype(np.float32),
        top_ids=np.tile(np.arange(5, dtype=np.int32), (n, 1)),
        top_logprobs=np.tile(np.log([0.5, 0.2, 0.1, 0.05, 0.01]).astype(np.float32), (n, 1)),
        top_texts=[[" so", " the", "\n", " we", "."] for _ in range(n)],
    )


async def measure(size: tuple[int, int], colours: str) -> list[tuple[str, int, int]]:
    """(action, bytes, bytes after zlib) for a whole screen and for every step."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "bench.db"
        build(cache, 4000)
        app = TracesApp(cache, 1, (1, 2, 3), colours=COLOURS[colours])
        async with opened(app, size) as pilot:
            found = []
            app.sent.clear()
            app.screen.refresh()
            await settled(pilot)
            found.append(_count("whole screen", app))
            for name, key in STEPS:
                app.sent.clear()
                await pilot.press(key)
                await settled(pilot)
                found.append(_count(name, app))
            await pilot.press("equals_sign")
            app.sent.clear()
            await pilot.press("pagedown")
            await settled(pilot)
            found.append(_count("page down, 3 columns linked", app))
        return found


def layout_time(n_tokens: int = 16_000) -> tuple[float, float]:
    """Best-of-five milliseconds to cut and to wrap a trace."""
    completion, _ = _completion(np.random.default_rng(1), 0, n_tokens)
    cuts, wraps = [], []
    for _ in range(5):
        start = time.perf_counter()
        text = TraceText(completion.text, completion.tokens)
        middle = time.perf_counter()
        TraceLayout(text, 60, cell_len)
        cuts.append(middle - start)
        wraps.append(time.perf_counter() - middle)
    return 1e3 * min(cuts), 1e3 * min(wraps)


def _count(name: str, app: TracesApp) -> tuple[str, int, int]:
    data = "".join(app.sent).encode()
    return name, len(data), len(zlib.compress(data))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="200x50")
    parser.add_argument("--colours", default="256", choices=sorted(COLOURS))
    chosen = parser.parse_args()
    width, height = (int(part) for part in chosen.size.split("x"))
    print(f"Traces at {width}×{height}, {chosen.colours} colours, three columns")
    for name, size, packed in asyncio.run(measure((width, height), chosen.colours)):
        print(f"  {name:<30}{size:>9,} bytes{packed:>9,} with ssh -C")
    cut, wrap = layout_time()
    print(f"  layout of 16,000 tokens: cut {cut:.1f} ms, wrapped {wrap:.1f} ms")


if __name__ == "__main__":
    main()
