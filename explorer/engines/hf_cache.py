"""The prompt's keys and values, computed once and shared by all completions of a job.

Also says how much memory a row of a batch takes, measured on that cache rather than guessed from
a config. Models whose cache cannot be copied row by row (state-space layers) get no shared cache;
their callers forward the prompt with every batch.
"""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from explorer.engines.hf_images import forget_prompt
from explorer.errors import EngineError

PREFILL_TOKENS = 2048
"""Prompt tokens per forward pass, so that a long prompt needs no long activations."""

MEMORY_SHARE = 0.6
"""Part of the free memory that a batch's keys and values may take when all rows are longest."""

LOGIT_BYTES = 2**30
"""Most memory for one step's working copies of the logits."""

LOGIT_COPIES = 24
"""Bytes of working memory per logit of a step: float32 copies and a float64 running sum."""

CANARY_TOKENS = 12
CANARY_MARGIN, CANARY_FLOOR = 8.0, 1e-5
"""Slices may be this many times as far off as single tokens are, plus the floor (in nats)."""

MOST_ROWS = {"cpu": 64, "cuda": 256}
"""Rows beyond this make a step slower without making more of it."""


def cache_keyword(model: Any) -> str | None:
    """What this model's forward calls its cache; transformers renamed it within version 5.

    None for a model with another kind of memory, which is then left to `generate` itself.
    """
    known = inspect.signature(model.forward).parameters
    return next((name for name in ("cache", "past_key_values") if name in known), None)


def cache_of(output: Any) -> Any:
    """The cache in a forward pass's output, None if it has none."""
    return output.get("cache", None) or output.get("past_key_values", None)


class PromptCache:
    """A prompt's keys and values without its last token, which starts every completion.

    Args:
        inputs: what shows the model its images, for the ids without the last one; they are then
            read in one pass, and a model whose cache cannot be copied is refused.
    """

    def __init__(
        self,
        model: Any,
        prompt_ids: Sequence[int],
        device: torch.device,
        inputs: Mapping[str, Any] | None = None,
    ) -> None:
        self.keyword = cache_keyword(model)
        self._model = model
        self._inputs = dict(inputs or {})
        self._ids = torch.tensor([list(prompt_ids[:-1])], dtype=torch.long, device=device)
        self._device = device
        forget_prompt(model)
        self._one_row = self._prefill(1) if len(prompt_ids) > 1 and self.keyword else None
        if self._inputs and not self.can_copy:
            raise EngineError(
                "This architecture cannot be used with images here",
                f"{type(model).__name__} keeps what it saw in a form that cannot be shared.",
                "Use it with the vLLM engine.",
            )

    @property
    def can_copy(self) -> bool:
        """Whether rows can be repeated and selected."""
        layers = getattr(self._one_row, "layers", ())
        return bool(layers) and all(
            hasattr(layer, "batch_repeat_interleave") and hasattr(layer, "batch_select_indices")
            for layer in layers
        )

    def given(self, cache: Any) -> dict[str, Any]:
        """The keyword arguments that hand this cache to a forward pass."""
        return {} if cache is None or self.keyword is None else {self.keyword: cache}

    def copies(self, rows: int) -> Any:
        """A cache of that many rows that the caller may extend; None where there is nothing yet."""
        if self._one_row is None:
            return None
        if not self.can_copy:
            return self._prefill(rows)
        cache = copy.deepcopy(self._one_row)
        if rows > 1:
            cache.batch_repeat_interleave(rows)
        return cache

    def affordable_rows(self, most_tokens: int, vocabulary: int) -> int:
        """How many rows of that length fit into what memory is free now (at least 1)."""
        rows = min(MOST_ROWS[self._device.type], LOGIT_BYTES // (LOGIT_COPIES * vocabulary))
        per_row = self._bytes_per_token() * most_tokens
        if per_row:
            rows = min(rows, int(MEMORY_SHARE * free_bytes(self._device) / per_row))
        return max(1, rows)

    def _bytes_per_token(self) -> float:
        if self._one_row is None or not self.can_copy:
            return 0.0
        held: int = sum(
            tensor.nbytes for layer in self._one_row.layers for tensor in (layer.keys, layer.values)
        )
        return held / self._ids.shape[1]

    def _prefill(self, rows: int) -> Any:
        cache = None
        at_once = self._ids.shape[1] if self._inputs else PREFILL_TOKENS
        for part in torch.split(self._ids, at_once, dim=1):
            given = self.given(cache) | self._inputs
            if "logits_to_keep" in inspect.signature(self._model.forward).parameters:
                given["logits_to_keep"] = 1
            output = self._model(input_ids=part.expand(rows, -1), use_cache=True, **given)
            cache = cache_of(output)
        return cache


@torch.inference_mode()
def continues_in_slices(model: Any, vocabulary: int, device: torch.device) -> bool:
    """Whether this model, fed in slices with its own cache, says what it says of the whole.

    Some state-space layers begin anew at every slice of more than one token, and say nothing.
    One token at a time is what `generate` does; its rounding error is the measure.
    """
    ids = (torch.arange(2 * CANARY_TOKENS, device=device)[None] * 7 + 11) % vocabulary
    whole = model(input_ids=ids).logits.float().log_softmax(-1)
    by_token = _sliced(model, ids, 1)
    by_slice = _sliced(model, ids, CANARY_TOKENS)
    noise, error = ((way - whole).abs().max().item() for way in (by_token, by_slice))
    return bool(error <= CANARY_MARGIN * noise + CANARY_FLOOR)


def _sliced(model: Any, ids: torch.Tensor, width: int) -> torch.Tensor:
    """Log-probabilities of all positions, fed `width` at a time."""
    keyword, cache, parts = cache_keyword(model), None, []
    for part in torch.split(ids, width, dim=1):
        given: dict[str, Any] = {} if cache is None or keyword is None else {keyword: cache}
        output = model(input_ids=part, use_cache=True, **given)
        cache = cache_of(output)
        parts.append(output.logits.float().log_softmax(-1))
    return torch.cat(parts, 1)


def free_bytes(device: torch.device) -> int:
    """Memory that is free on the device now."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
