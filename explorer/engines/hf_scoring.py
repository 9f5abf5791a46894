"""Teacher-forces responses after a prompt: how likely the model held every token.

Invariant: memory does not grow with the length of a response times the vocabulary. The logits of
a batch are made a few positions at a time (`LOGITS_AT_ONCE`), each slice is reduced to a handful
of numbers per position, and the keys and values carry the past.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from explorer.core.arm import Sampling
from explorer.core.completion import Float32, Int32, TokenScores
from explorer.core.support import Truncation
from explorer.engines.base import Scored, ScoreJob
from explorer.engines.hf_cache import PromptCache, cache_of, continues_in_slices, free_bytes
from explorer.engines.hf_loading import Loaded, is_out_of_memory, prompt_cache
from explorer.engines.hf_text import TokenText
from explorer.engines.hf_truncation import Truncated, truncate
from explorer.errors import EngineError

LOGITS_AT_ONCE = {"cpu": 8 * 2**20, "cuda": 128 * 2**20}
"""Most logits (rows × positions × vocabulary) of one slice: 32 MiB or 512 MiB in float32. Working
memory is about four times that."""

MOST_POSITIONS = 2048
"""Most positions × rows of one slice, where the vocabulary is small."""


@torch.inference_mode()
def score(loaded: Loaded, job: ScoreJob, stopped: Callable[[], bool]) -> Iterator[Scored]:
    """Yield the scores of each response once; ends early when `stopped`.

    Raises:
        EngineError: not even one response fits into memory, or the model cannot be fed in parts.
    """
    vocabulary = loaded.info.vocab_size
    top = min(job.top, vocabulary)
    for position, response in enumerate(job.responses):
        if not response:
            empty = _Table(1, 0, top, job.sampling)
            yield Scored(position, empty.row(0, 0, loaded.text), empty.truncation(0, 0))
    # Longest first: a batch then holds rows of about one length, and memory fails early or never.
    order = sorted(
        (position for position, response in enumerate(job.responses) if response),
        key=lambda position: -len(job.responses[position]),
    )
    if not order or stopped():
        return
    prompt = prompt_cache(loaded, job)
    if not prompt.can_copy and not continues_in_slices(loaded.model, vocabulary, loaded.device):
        raise EngineError(
            "This architecture cannot score",
            f"{type(loaded.model).__name__} gives other answers when text is fed to it in parts.",
            "It can still be sampled here.",
        )
    rows = prompt.affordable_rows(len(job.prompt_ids) + len(job.responses[order[0]]), vocabulary)
    rows = min(rows, loaded.batch_size or rows)
    while order and not stopped():
        batch = order[:rows]
        table = _score_batch(loaded, job, prompt, batch, top, stopped)
        if table is None:
            rows = len(batch) // 2
            continue
        if stopped():
            return
        for row, position in enumerate(batch):
            length = len(job.responses[position])
            scores = table.row(row, length, loaded.text)
            yield Scored(position, scores, table.truncation(row, length))
        order = order[len(batch) :]


class Measured(NamedTuple):
    """What is kept of the logits of [B, C] positions; the last two are [B, C, K]."""

    logprobs: torch.Tensor
    ranks: torch.Tensor
    entropies: torch.Tensor
    top_ids: torch.Tensor
    top_logprobs: torch.Tensor


def measure(logits: torch.Tensor, targets: torch.Tensor, top: int) -> Measured:
    """Reduce [B, C, V] logits to what is kept of them; the target ids are [B, C]."""
    raw = logits.float()
    chosen = targets[..., None]
    ranks = 1 + (raw > raw.gather(-1, chosen)).sum(-1, dtype=torch.int32)
    logs = raw.log_softmax(-1)
    entropies = -torch.linalg.vecdot(logs.exp(), logs)
    if bool(entropies.isnan().any()):  # an impossible token: 0 · log 0 counts as 0
        entropies = torch.special.entr(logs.exp()).sum(-1)
    best = logs.topk(top, dim=-1)
    return Measured(
        logs.gather(-1, chosen).squeeze(-1), ranks, entropies, best.indices.int(), best.values
    )


class _Table:
    """The measurements of a batch, filled slice by slice."""

    def __init__(self, rows: int, longest: int, top: int, sampling: Sampling | None) -> None:
        shape = (rows, longest)
        self._truncated: list[Float32] = (
            [] if sampling is None else [np.empty(shape, np.float32) for _ in Truncated._fields]
        )
        self._logprobs: Float32 = np.empty(shape, np.float32)
        self._ranks: Int32 = np.empty(shape, np.int32)
        self._entropies: Float32 = np.empty(shape, np.float32)
        self._top_ids: Int32 = np.empty((*shape, top), np.int32)
        self._top_logprobs: Float32 = np.empty((*shape, top), np.float32)

    def fill(self, start: int, measured: Measured, truncated: Truncated | None) -> None:
        rows, positions = measured.logprobs.shape
        here = (slice(0, rows), slice(start, start + positions))
        self._logprobs[here] = measured.logprobs.cpu().numpy()
        self._ranks[here] = measured.ranks.cpu().numpy()
        self._entropies[here] = measured.entropies.cpu().numpy()
        self._top_ids[here] = measured.top_ids.cpu().numpy()
        self._top_logprobs[here] = measured.top_logprobs.cpu().numpy()
        if truncated is not None:
            for column, values in zip(self._truncated, truncated, strict=True):
                column[here] = values.cpu().numpy()

    def truncation(self, row: int, length: int) -> Truncation | None:
        """What the job's sampler makes of a row; None if the job named no sampler."""
        if not self._truncated:
            return None
        return Truncation(*(column[row, :length].copy() for column in self._truncated))

    def row(self, row: int, length: int, text: TokenText) -> TokenScores:
        here = (row, slice(0, length))
        top_ids = self._top_ids[here].copy()
        return TokenScores(
            self._logprobs[here].copy(),
            self._ranks[here].copy(),
            self._entropies[here].copy(),
            top_ids,
            self._top_logprobs[here].copy(),
            [[text.display(token) for token in tokens] for tokens in top_ids.tolist()],
        )


def _score_batch(
    loaded: Loaded,
    job: ScoreJob,
    prompt: PromptCache,
    batch: Sequence[int],
    top: int,
    stopped: Callable[[], bool],
) -> _Table | None:
    """Measure responses that are sorted, longest first; None if memory ran out with several."""
    try:
        return _forced(loaded, job, prompt, batch, top, stopped)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        if len(batch) == 1:
            raise _too_big(loaded, job, batch[0]) from error
    # Outside of `except`, whose traceback would keep the batch's memory alive.
    if loaded.device.type == "cuda":
        torch.cuda.empty_cache()
    return None


def _forced(
    loaded: Loaded,
    job: ScoreJob,
    prompt: PromptCache,
    batch: Sequence[int],
    top: int,
    stopped: Callable[[], bool],
) -> _Table:
    """Feed the responses a slice of positions at a time, dropping rows that have ended."""
    lengths = np.array([len(job.responses[position]) for position in batch])
    targets = _padded([job.responses[position] for position in batch]).to(loaded.device)
    first = torch.full((len(batch), 1), job.prompt_ids[-1], device=loaded.device)
    inputs = torch.cat([first, targets[:, :-1]], 1)
    table = _Table(len(batch), targets.shape[1], top, job.sampling)
    cache = prompt.copies(len(batch))
    rows, start = len(batch), 0
    budget = LOGITS_AT_ONCE[loaded.device.type] // loaded.info.vocab_size
    while start < targets.shape[1] and not stopped():
        left = int(np.count_nonzero(lengths > start))
        if left < rows and prompt.can_copy:
            cache.batch_select_indices(torch.arange(left, device=loaded.device))
            rows = left
        end = start + max(1, min(budget, MOST_POSITIONS) // rows)
        part = inputs[:rows, start:end]
        output = loaded.model(input_ids=part, use_cache=True, **prompt.given(cache))
        cache = cache_of(output)
        wanted = targets[:rows, start:end]
        cut = truncate(output.logits, wanted, job.sampling) if job.sampling else None
        table.fill(start, measure(output.logits, wanted, top), cut)
        start = end
    return table


def _padded(responses: Sequence[tuple[int, ...]]) -> torch.Tensor:
    """[B, T] ids, shorter rows filled up at the end: nothing before the filling can see it."""
    padded = torch.zeros((len(responses), max(map(len, responses))), dtype=torch.long)
    for row, response in enumerate(responses):
        padded[row, : len(response)] = torch.tensor(response)
    return padded


def _too_big(loaded: Loaded, job: ScoreJob, position: int) -> EngineError:
    free = free_bytes(loaded.device) / 2**30
    tokens = len(job.prompt_ids) + len(job.responses[position])
    return EngineError(
        "Not even one completion fits into memory to be scored",
        f"Prompt and completion have {tokens} tokens; {free:.1f} GiB of {loaded.device} are free.",
        "Use a smaller dtype, or free the device.",
    )
