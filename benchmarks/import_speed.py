"""MB/s of an import against a bare JSON parse of the same files; their ratio is what counts.

Both are of the processor's time, so that a busy machine matters little.

    python -m benchmarks.import_speed [--megabytes 32] [FILE…]

Without files it writes some of its own: few long completions a problem, many short ones, and the
flat rows of a training run. Each import goes into a cache of its own; nothing is graded.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from explorer.exchange.importer import import_file
from explorer.store.connection import open_writer

WORDS = (
    *("so", "the", "sum", "of", "both", "sides", "is", "then", "we", "add", "two", "and", "find"),
    *("that", "x", "equals", "\\frac{1}{2}", "or"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--megabytes", type=int, default=32)
    arguments = parser.parse_args()
    print(
        f"{'file':<44} {'MB':>7} {'rows in':>9} {'parse MB/s':>11} {'import MB/s':>12} {'ratio':>6}"
    )
    with tempfile.TemporaryDirectory() as folder:
        files = arguments.files or list(_own(Path(folder), arguments.megabytes))
        for place, path in enumerate(files):
            _measure(path, Path(folder) / f"cache-{place}.db")


def _measure(path: Path, cache: Path) -> None:
    size = path.stat().st_size / 1e6
    path.read_bytes()  # so that neither pays for reading the disk
    parse = min(_parse(path) for _ in range(3))
    with closing(open_writer(cache)) as db:
        start = time.process_time()
        report = import_file(db, path)
        taken = time.process_time() - start
    print(
        f"{path.name[-44:]:<44} {size:>7.1f} {report.added:>9,} {size / parse:>11.0f}"
        f" {size / taken:>12.1f} {parse / taken:>6.2f}"
    )


def _parse(path: Path) -> float:
    start = time.process_time()
    if path.suffix == ".json":
        json.loads(path.read_bytes())
    else:
        with path.open("rb") as file:
            for line in file:
                json.loads(line)
    return time.process_time() - start


def _own(folder: Path, megabytes: int) -> Iterator[Path]:
    noise = random.Random(0)
    for name, n, words in (("long", 8, 2000), ("short", 64, 60)):
        path = folder / "model" / name / f"test_{name}_-1_seed0_t0.6_s0_e-1.jsonl"
        _write(path, (_problem(noise, row, n, words) for row in range(1 << 30)), megabytes)
        yield path
    path = folder / "model" / "rollouts" / "1.jsonl"
    _write(path, (_rollout(noise, row) for row in range(1 << 30)), megabytes)
    yield path


def _write(path: Path, rows: Iterator[dict[str, Any]], megabytes: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < megabytes * 1e6:
            file.write(json.dumps(next(rows)) + "\n")


def _problem(noise: random.Random, row: int, n: int, words: int) -> dict[str, Any]:
    return {
        "idx": row,
        "question": f"What is {row} + {row}?",
        "gt": str(2 * row),
        "code": [_text(noise, words) for _ in range(n)],
        "score": [noise.random() < 0.5 for _ in range(n)],
    }


def _rollout(noise: random.Random, row: int) -> dict[str, Any]:
    asked = f"user\nWhat is {row // 8} + 1?\nassistant\n"
    gold = str(row // 8 + 1)
    return {"input": asked, "output": _text(noise, 400), "gts": gold, "score": 1.0, "step": 1}


def _text(noise: random.Random, words: int) -> str:
    return " ".join(noise.choices(WORDS, k=words)) + f" \\boxed{{{noise.randrange(1000)}}}"


if __name__ == "__main__":
    main()
