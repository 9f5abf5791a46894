"""Stage `truth`: so many samples per problem that a test may take their share for p itself.

What the explorer says of a few samples ('p is between', 'base above RL', 'handed these tokens it
solves 71 %', 'one in 10^4 samples is exactly this text') is tested against what is counted here.
"""

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from sample_data.make import model, tokenizer
from sample_data.make.asked import asked
from sample_data.make.corpus import prompt
from sample_data.make.crowd import Crowd
from sample_data.make.heldout import Problem, problems
from sample_data.make.reward import is_correct, is_worked

LONGEST = 160
"""Tokens of a completion at most, as in the recorded arms."""

Ids = NDArray[np.int16]


@dataclass(frozen=True)
class Setting:
    """How it is drawn."""

    n: int
    seed: int
    device: str = "cpu"
    temperature: float = 1.0
    top_p: float = 1.0


@dataclass(frozen=True)
class Texts:
    """Different completions [D, T] of one problem after `written` ids, and how often each came.

    `asked` are whole completions, by name, of which it is counted how often they came.
    """

    folder: Path
    problem: Problem
    written: list[int]
    ids: Ids
    counts: NDArray[np.int64]
    asked: dict[str, list[int]]


def count(texts: Texts) -> dict[str, Any]:
    """What is kept of them; runs in a process of its own."""
    words = _words(texts.folder)
    end = int(words.eos_token_id)
    answer, working = int(texts.problem["answer"]), texts.problem["working"]
    decoded = words.batch_decode(
        [texts.written + row for row in texts.ids.tolist()], skip_special_tokens=True
    )
    correct = np.array([is_correct(text, answer) for text in decoded])
    worked = np.array([is_worked(text, working) for text in decoded])
    ended = (texts.ids == end).any(axis=1)
    found: dict[str, Any] = {
        "correct": int(texts.counts[correct].sum()),
        "worked": int(texts.counts[worked].sum()),
        "ended": int(texts.counts[ended].sum()),
        "distinct": len(texts.counts),
    }
    if texts.asked:
        found["texts"] = {name: _times(texts, ids, end) for name, ids in texts.asked.items()}
    return found


@lru_cache
def _words(folder: Path) -> PreTrainedTokenizerBase:
    return tokenizer.load(folder)


def _times(texts: Texts, ids: list[int], end: int) -> int:
    """How often exactly these ids came."""
    room = texts.ids.shape[1] - len(ids)
    same = (texts.ids == np.array(ids + [end] * room, dtype=np.int16)).all(axis=1)
    return int(texts.counts[same].sum())


def different(rows: Tensor) -> tuple[Ids, NDArray[np.int64]]:
    """The different rows and how often each occurs; told apart by a 64-bit hash of each."""
    generator = torch.Generator().manual_seed(0)
    factors = torch.randint(-(2**62), 2**62, (rows.shape[1],), generator=generator).to(rows.device)
    hashes = ((rows.long() + 1) * factors).sum(1)
    _, inverse, counts = torch.unique(hashes, return_inverse=True, return_counts=True)
    first = torch.empty_like(counts)
    first[inverse] = torch.arange(len(rows), device=rows.device)
    return rows[first].cpu().numpy(), counts.cpu().numpy()


class Drawer:
    """Draws with one model; counting goes on in other processes meanwhile."""

    def __init__(self, folder: Path, setting: Setting, pool: ProcessPoolExecutor) -> None:
        self.folder, self.setting, self.pool = folder, setting, pool
        self.words = tokenizer.load(folder)
        self.crowd = Crowd(model.load(folder), setting.device)

    def draw(
        self, problem: Problem, written: list[int], asked: dict[str, list[int]], salt: int
    ) -> "Future[dict[str, Any]]":
        """Of completions of a problem that begin with the `written` ids."""
        ids = [*self.words(prompt(problem["question"])).input_ids, *written]
        setting = self.setting
        rows = self.crowd.draw(
            ids, setting.n, LONGEST, setting.seed * 1_000_003 + salt, setting.temperature,
            setting.top_p,
        )  # fmt: skip
        return self.pool.submit(
            count, Texts(self.folder, problem, written, *different(rows), asked)
        )


def of_model(
    folder: Path, texts: dict[str, dict[str, list[int]]], setting: Setting,
    pool: ProcessPoolExecutor,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """The counts of all problems, by problem id; of the `texts` of each too."""
    drawer, began = Drawer(folder, setting, pool), time.monotonic()
    waiting = {
        problem["id"]: drawer.draw(problem, [], texts.get(problem["id"], {}), place)
        for place, problem in enumerate(problems())
    }
    drawn = time.monotonic() - began
    counted = {name: each.result() for name, each in waiting.items()}
    print(
        f"{folder.name}: {setting.n} x {len(counted)} drawn in {drawn:.0f} s, counted after "
        f"{time.monotonic() - began:.0f} s, pass@1 "
        f"{np.mean([each['correct'] for each in counted.values()]) / setting.n:.4f}",
        flush=True,
    )
    return counted


def of_branches(
    models: Path, asked: list[dict[str, Any]], setting: Setting, pool: ProcessPoolExecutor
) -> Iterator[dict[str, Any]]:
    """The counts after each beginning that is asked about."""
    by_id = {problem["id"]: problem for problem in problems()}
    for name in dict.fromkeys(each["by"] for each in asked):
        drawer, began = Drawer(models / name, setting, pool), time.monotonic()
        mine = [each for each in asked if each["by"] == name]
        waiting = [
            drawer.draw(by_id[each["problem"]], each["ids"], {}, 1000 + place)
            for place, each in enumerate(mine)
        ]
        for each, counted in zip(mine, waiting, strict=True):
            found = counted.result()
            where = {key: each[key] for key in ("by", "problem", "trace", "at")}
            yield {**where, "correct": found["correct"], "ended": found["ended"]}
        print(f"{name}: {len(mine)} beginnings in {time.monotonic() - began:.0f} s", flush=True)


def make(
    models: Path, recorded: Path, out: Path, names: list[str], setting: Setting, workers: int
) -> None:
    """Count for the named models, then after the beginnings; keep after each model."""
    out.mkdir(parents=True, exist_ok=True)
    questions = asked(recorded)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for name in names:
            counted = of_model(models / name, questions.texts, setting, pool)
            write(out / f"{name}.json", setting, "problems", counted)
        if {each["by"] for each in questions.beginnings} <= set(names):
            found = list(of_branches(models, questions.beginnings, setting, pool))
            write(out / "beginnings.json", setting, "beginnings", found)


def write(path: Path, setting: Setting, what: str, found: Any) -> None:
    """One row a line, so that a change of one can be read."""
    drawn_on = torch.cuda.get_device_name() if setting.device.startswith("cuda") else "the CPU"
    head = {
        "n": setting.n, "temperature": setting.temperature, "top_p": setting.top_p,
        "max_tokens": LONGEST, "seed": setting.seed,
        "drawn_on": f"{drawn_on}, torch {torch.__version__}, float32",
    }  # fmt: skip
    opening = json.dumps(head)[:-1]
    if isinstance(found, dict):
        rows = [f" {json.dumps(name)}: {json.dumps(each)}" for name, each in found.items()]
        brackets = "{}"
    else:
        rows, brackets = [f" {json.dumps(each)}" for each in found], "[]"
    body = ",\n".join(rows)
    text = f'{opening}, "{what}": {brackets[0]}\n{body}\n{brackets[1]}}}\n'
    path.write_text(text, encoding="utf-8")
