"""Draws the completions of one job with `model.generate`, in batches, streaming each as it ends.

`generate` keeps the keys and values and runs the steps; the picker chooses the tokens and the
`StopCheck` below says which rows are over. Invariant: a completion is a function of (prompt,
sampling, seed, index), so a batch may be split, shrunk or started again without changing it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteria
from transformers import StoppingCriteriaList as CriteriaList

from explorer.core.completion import FinishReason, Tokens
from explorer.engines.base import Sampled, SampleJob
from explorer.engines.hf_cache import PromptCache, cache_of, free_bytes
from explorer.engines.hf_loading import Loaded, is_out_of_memory, prompt_cache
from explorer.engines.hf_picking import Picker, UniformStreams
from explorer.engines.hf_text import GrowingText, TokenText
from explorer.engines.stops import Stops
from explorer.engines.wire import TextChange
from explorer.errors import EngineError

PROGRESS_SECONDS = 0.2
"""Shortest time between two reports on the running streams."""

PROGRESS_SHARE = 0.05
"""Most of the time that reporting may take."""

SHRINK_AT = 0.75
"""A batch is made smaller when this part of its rows, or less, still runs."""

GROW_STEPS = 256
"""Steps that a batch's buffers gain at a time."""


class Sampler:
    """Runs one job; `item` receives each completion, `progress` the changes of running texts."""

    def __init__(
        self,
        loaded: Loaded,
        job: SampleJob,
        item: Callable[[Sampled], None],
        progress: Callable[[list[TextChange]], None],
        stopped: Callable[[], bool],
    ) -> None:
        self._loaded = loaded
        self._job = job
        self._item = item
        self._progress = progress
        self._stopped = stopped
        self._limit = min(job.sampling.max_tokens, loaded.info.context - len(job.prompt_ids))
        self._stops = StopStrings(job.sampling.stop, loaded.text)

    @torch.inference_mode()
    def run(self) -> None:
        """Draw everything, or what there is time for until `stopped`.

        Raises:
            EngineError: not even one row fits into memory, or the model computes no numbers.
        """
        if self._stopped() or not self._job.indices:
            return
        prompt = prompt_cache(self._loaded, self._job)
        longest = len(self._job.prompt_ids) + self._limit
        rows = prompt.affordable_rows(longest, self._loaded.info.vocab_size)
        if self._loaded.batch_size:
            rows = min(rows, self._loaded.batch_size)
        waiting = deque(self._job.indices)
        while waiting and not self._stopped():
            # Batches of equal size: 65 completions as 33 + 32 rather than 64 + 1.
            batches = -(-len(waiting) // rows)
            indices = list(islice(waiting, -(-len(waiting) // batches)))
            left = self._batch(prompt, indices)
            for _ in indices:
                waiting.popleft()
            if left:
                waiting.extendleft(reversed(left))
                rows = max(1, len(indices) // 2)

    def _batch(self, prompt: PromptCache, indices: list[int]) -> list[int]:
        """Draw these; returns those that are still to be drawn because memory ran out."""
        batch = Batch(self._loaded, self._job, indices, self._limit, self._stops, self._item)
        check = StopCheck(batch, self._progress, self._stopped)
        try:
            self._generate(prompt, batch, check)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if len(indices) == 1:
                raise self._too_big() from error
        else:
            return []
        # Outside of `except`, whose traceback would keep the batch's memory alive.
        if self._loaded.device.type == "cuda":
            torch.cuda.empty_cache()
        return batch.running()

    def _generate(self, prompt: PromptCache, batch: Batch, check: StopCheck) -> None:
        """Run `generate` until all rows are over, again with fewer rows whenever many are."""
        model, device = self._loaded.model, self._loaded.device
        # What cannot be copied might not be continued in parts either: `generate` begins it whole.
        cache = prompt.copies(len(batch.indices)) if prompt.can_copy else None
        start = torch.tensor([self._job.prompt_ids], dtype=torch.long, device=device)
        sequences = start.expand(len(batch.indices), -1)
        while batch.running() and not self._stopped():
            check.shrink_below = int(SHRINK_AT * len(batch.indices)) if prompt.can_copy else 0
            config = GenerationConfig(  # type: ignore[no-untyped-call]
                max_new_tokens=self._limit - batch.steps,
                do_sample=False,
                use_cache=True,
                return_dict_in_generate=True,
            )
            output = model.generate(
                input_ids=sequences,
                attention_mask=torch.ones_like(sequences),
                generation_config=config,
                logits_processor=LogitsProcessorList([batch.picker]),
                stopping_criteria=CriteriaList([check]),
                **prompt.given(cache),
            )
            if self._stopped():
                return
            sequences, cache = output.sequences, cache_of(output)
            rows = batch.keep_running()
            if len(rows) < len(sequences):
                kept = torch.from_numpy(rows).to(device)
                sequences = sequences[kept]
                if len(rows):
                    cache.batch_select_indices(kept)

    def _too_big(self) -> EngineError:
        free = free_bytes(self._loaded.device) / 2**30
        tokens = len(self._job.prompt_ids) + self._limit
        return EngineError(
            "Not even one completion fits into memory",
            f"Prompt and completion may take {tokens} tokens; {free:.1f} GiB of "
            f"{self._loaded.device} are free.",
            "Lower max_tokens or context, use a smaller dtype, or free the device.",
        )


class StopStrings(Stops):
    """Finds stop strings, looking only where a token's bytes can complete one."""

    def __init__(self, stops: Sequence[str], text: TokenText) -> None:
        super().__init__(stops)
        self._can_complete: NDArray[np.bool_] | None = None
        if self.strings and text.pieces is not None:
            last = {stop.encode()[-1] for stop in self.strings}
            self._can_complete = np.array([not last.isdisjoint(piece) for piece in text.pieces])

    def candidates(self, tokens: NDArray[np.int64]) -> NDArray[np.bool_]:
        """[B] rows whose text may just have come to hold a stop string."""
        if not self.strings:
            return np.zeros(len(tokens), bool)
        if self._can_complete is None:
            return np.ones(len(tokens), bool)
        return self._can_complete[tokens]


class Batch:
    """The rows of one batch: what they have drawn, and which of them still run.

    Attributes:
        indices: sample index of each row that `generate` has.
        picker: chooses their tokens.
        steps: tokens drawn per row so far.
    """

    def __init__(
        self,
        loaded: Loaded,
        job: SampleJob,
        indices: list[int],
        limit: int,
        stops: StopStrings,
        item: Callable[[Sampled], None],
    ) -> None:
        self.indices = np.array(indices, np.int64)
        self.steps = 0
        self.stops = stops
        self._streams = UniformStreams(job.seed, indices)
        self.picker = Picker(job.sampling, self._streams)
        self._text = loaded.text
        self._eos = np.array(loaded.info.eos_ids, np.int64)
        self._limit = limit
        self._item = item
        self._runs = np.ones(len(indices), bool)
        self._ids = np.empty((len(indices), 0), np.int32)
        self._logprobs = np.empty((len(indices), 0), np.float32)
        self._growing = [GrowingText(loaded.text) for _ in indices]
        self._texts = [""] * len(indices)

    def running(self) -> list[int]:
        """Sample indices of the rows that still run."""
        return [int(index) for index in self.indices[self._runs]]

    @property
    def over(self) -> NDArray[np.bool_]:
        return ~self._runs

    def take(self) -> None:
        """Take in what the picker chose, and hand out the rows that are over."""
        tokens = self.picker.tokens
        if not np.isfinite(self.picker.logprobs[self._runs]).all():
            raise EngineError(
                "The model computes no numbers",
                "Its logits are not finite.",
                "float16 can overflow; try dtype = 'bfloat16' or 'float32'.",
            )
        if self.steps == self._ids.shape[1]:
            self._grow()
        self._ids[:, self.steps] = tokens
        self._logprobs[:, self.steps] = self.picker.logprobs
        self.steps += 1
        ends = np.isin(tokens, self._eos) & self._runs
        for row in places(self.stops.candidates(tokens) & self._runs & ~ends):
            before = len(self._texts[row])
            if self.stops.find(self.grow(row), before) >= 0:
                ends[row] = True
        for row in places(ends):
            self._finish(row, FinishReason.STOP)
        if self.steps >= self._limit:
            for row in places(self._runs):
                self._finish(row, FinishReason.LENGTH)

    def grow(self, row: int) -> str:
        """The text of a row so far, without characters that are not complete yet."""
        self._texts[row] = self._growing[row].update(self._ids[row, : self.steps].tolist())
        return self._texts[row]

    def keep_running(self) -> NDArray[np.intp]:
        """Drop the rows that are over; returns the places of those that stay."""
        rows = np.flatnonzero(self._runs)
        if len(rows) < len(self.indices):
            self.indices, self._runs = self.indices[rows], self._runs[rows]
            self._ids, self._logprobs = self._ids[rows], self._logprobs[rows]
            self._growing = [self._growing[row] for row in rows]
            self._texts = [self._texts[row] for row in rows]
            self._streams.keep(rows)
        return rows

    def _grow(self) -> None:
        room = ((0, 0), (0, min(GROW_STEPS, self._limit - self.steps)))
        self._ids = np.pad(self._ids, room)
        self._logprobs = np.pad(self._logprobs, room)

    def _finish(self, row: int, finish: FinishReason) -> None:
        ids = self._ids[row, : self.steps].copy()
        text = self._text.decode(ids.tolist())
        ends = self._text.ends(ids.tolist(), text)
        cut = self.stops.find(text)
        if cut >= 0:
            text = text[:cut]
            ends = np.minimum(ends, len(text.encode())).astype(np.int32)
            finish = FinishReason.STOP
        tokens = Tokens(ids, ends, self._logprobs[row, : self.steps].copy())
        self._item(Sampled(int(self.indices[row]), text, tokens, finish))
        self._runs[row] = False


def places(mask: NDArray[np.bool_]) -> list[int]:
    """Where the mask is set."""
    return [int(place) for place in np.flatnonzero(mask)]


class StopCheck(StoppingCriteria):
    """Tells `generate` after each step which rows are over, and reports on the others.

    Attributes:
        shrink_below: `generate` is left when at most this many rows run, to go on with those.
    """

    def __init__(
        self,
        batch: Batch,
        progress: Callable[[list[TextChange]], None],
        stopped: Callable[[], bool],
    ) -> None:
        self.shrink_below = 0
        self._batch = batch
        self._progress = progress
        self._stopped = stopped
        self._shown: dict[int, str] = {}
        self._next_report = time.monotonic() + PROGRESS_SECONDS

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        self._batch.take()
        over = self._batch.over
        running = len(over) - np.count_nonzero(over)
        if running <= self.shrink_below or self._stopped():
            over = np.ones(len(over), bool)
        if running and time.monotonic() >= self._next_report:
            self._report()
        return torch.from_numpy(over).to(input_ids.device)

    def _report(self) -> None:
        started = time.monotonic()
        batch, changes = self._batch, []
        for row in places(~batch.over):
            index = int(batch.indices[row])
            text, shown = batch.stops.safe(batch.grow(row)), self._shown.get(index, "")
            # Texts only grow, except when what was held back for a stop string grows faster.
            kept = len(shown) if text.startswith(shown) else 0
            changes.append(TextChange(index, kept, text[kept:], batch.steps))
            self._shown[index] = text
        self._progress(changes)
        now = time.monotonic()
        self._next_report = now + max(PROGRESS_SECONDS, (now - started) / PROGRESS_SHARE)
