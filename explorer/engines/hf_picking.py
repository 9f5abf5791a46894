"""Picks the next token of every row of a batch at once, and says how likely the model held it.

The draw inverts the cumulative distribution at a uniform number that belongs to (seed, index,
step) alone, so a completion does not depend on the batch that it is drawn in. The running sum is
in double precision and in vocabulary order: rare tokens of a big vocabulary keep their share, and
equal logits cannot change places between batches. Top-k and top-p keep whole groups of equal
logits, so both can keep a few tokens more than their number says where logits tie. Top-p looks at
what top-k has kept, as in transformers and vLLM.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import LogitsProcessor

from explorer.core.arm import Sampling

STREAM_BLOCK = 128
"""Uniform numbers drawn at a time for each row."""

NUCLEUS_GUESS = 64
"""How many of the most likely tokens are sorted at first; a row whose nucleus is wider has more
sorted."""

WIDER = 16
"""Times as many are sorted for such a row."""

_WORD = 2**64


class UniformStreams:
    """One uniform number in [0, 1) per row and step, from Philox keyed by (seed, index)."""

    def __init__(self, seed: int, indices: Sequence[int], step: int = 0) -> None:
        self._streams = [
            np.random.Generator(np.random.Philox(key=[seed % _WORD, index % _WORD]))
            for index in indices
        ]
        for stream in self._streams:
            stream.random(step)
        self._block: NDArray[np.float64] = np.empty((len(self._streams), 0))
        self._used = 0

    def next(self) -> NDArray[np.float64]:
        if self._used == self._block.shape[1]:
            self._block = np.stack([stream.random(STREAM_BLOCK) for stream in self._streams])
            self._used = 0
        self._used += 1
        return self._block[:, self._used - 1]

    def keep(self, rows: NDArray[np.intp]) -> None:
        """Go on with these rows only."""
        self._streams = [self._streams[row] for row in rows]
        self._block = self._block[rows]


class Picker(LogitsProcessor):
    """A logits processor that decides: after it, `generate` can only take what was picked.

    Attributes:
        tokens, logprobs: [B] what was picked last, and its raw log-probability.
    """

    def __init__(self, sampling: Sampling, streams: UniformStreams) -> None:
        self.tokens: NDArray[np.int64] = np.empty(0, np.int64)
        self.logprobs: NDArray[np.float32] = np.empty(0, np.float32)
        self._sampling = sampling
        self._streams = streams

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        uniform = torch.from_numpy(self._streams.next()).to(scores.device)
        tokens, logprobs = pick(scores.float(), uniform, self._sampling)
        self.tokens, self.logprobs = tokens.cpu().numpy(), logprobs.cpu().numpy()
        # `generate` hands over a copy of its own, so nothing else sees this.
        return scores.scatter_(1, tokens[:, None], torch.inf)


def pick(
    logits: torch.Tensor, uniform: torch.Tensor, sampling: Sampling
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one token per row.

    Args:
        logits: [B, V] float32, raw.
        uniform: [B] float64 in [0, 1).
        sampling: temperature, top_k and top_p, applied in that order.

    Returns:
        [B] token ids and [B] raw log-probabilities (temperature 1, nothing cut).
    """
    shifted = logits - logits.amax(-1, keepdim=True)
    raw = shifted.exp()
    if sampling.temperature == 0:
        tokens = shifted.argmax(-1)
    elif sampling.top_p < 1 or 0 < sampling.top_k < logits.shape[1]:
        tokens = _draw_cut(shifted, uniform, sampling, max(NUCLEUS_GUESS, sampling.top_k + 1))
    else:
        tempered = raw if sampling.temperature == 1 else (shifted / sampling.temperature).exp()
        tokens = _invert(tempered, uniform)
    chosen = shifted.gather(1, tokens[:, None]).squeeze(1)
    return tokens, chosen - raw.sum(-1).log()


def _draw_cut(
    shifted: torch.Tensor, uniform: torch.Tensor, sampling: Sampling, width: int
) -> torch.Tensor:
    """[B] tokens under top-k and top-p; looks at the `width` best first, at more where need be."""
    vocabulary = shifted.shape[1]
    if width > vocabulary // 4:  # sorting everything costs no more
        best = shifted.sort(-1, descending=True).values
        tempered = (shifted / sampling.temperature).exp_()
        kept = shifted >= _threshold(best, tempered, sampling)
        return _invert(tempered.masked_fill_(~kept, 0.0), uniform)
    best, ids = shifted.topk(width, dim=-1)
    threshold = _threshold(best, (shifted / sampling.temperature).exp_(), sampling)
    ids, order = ids.sort(-1)
    weights = (best / sampling.temperature).exp().masked_fill(best < threshold, 0.0)
    place = _invert(weights.gather(1, order), uniform)
    tokens = ids.gather(1, place[:, None]).squeeze(1)
    # Only a row whose kept tokens end before the last one looked at has seen them all.
    unsure = best[:, -1] >= threshold.squeeze(1)
    if bool(unsure.any()):
        wider = WIDER * width
        tokens[unsure] = _draw_cut(shifted[unsure], uniform[unsure], sampling, wider)
    return tokens


def smallest_kept(
    shifted: torch.Tensor, tempered: torch.Tensor, sampling: Sampling, width: int = 0
) -> torch.Tensor:
    """[B, 1] the smallest logit that top-k and top-p keep; sorts no more of a row than it needs.

    Args:
        shifted: [B, V] logits.
        tempered: [B, V] weights of the same tokens at the job's temperature.
        width: how many of the best are looked at first; 0 = a guess.
    """
    vocabulary = shifted.shape[1]
    width = width or max(NUCLEUS_GUESS, sampling.top_k + 1)
    if width > vocabulary // 4:
        return _threshold(shifted.sort(-1, descending=True).values, tempered, sampling)
    best = shifted.topk(width, dim=-1).values
    threshold = _threshold(best, tempered, sampling)
    unsure = (best[:, -1:] >= threshold).squeeze(1)
    if bool(unsure.any()):
        wider = smallest_kept(shifted[unsure], tempered[unsure], sampling, WIDER * width)
        threshold[unsure] = wider
    return threshold


def _threshold(best: torch.Tensor, tempered: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """[B, 1] the smallest logit kept, or the last of `best` where that is not far enough.

    Args:
        best: [B, W] the largest logits, sorted.
        tempered: [B, V] weights of all tokens at the job's temperature.
    """
    threshold = best[:, -1:]
    weights = (best / sampling.temperature).exp()
    if sampling.top_k > 0:
        threshold = best[:, min(sampling.top_k, best.shape[1]) - 1, None]
        weights = weights.masked_fill(best < threshold, 0.0)
        whole = weights.sum(-1, keepdim=True, dtype=torch.float64)
    else:
        whole = tempered.sum(-1, keepdim=True, dtype=torch.float64)
    if sampling.top_p < 1:
        mass = weights.cumsum(-1, dtype=torch.float64)
        last = (mass < sampling.top_p * whole).sum(-1, keepdim=True)
        threshold = torch.maximum(threshold, best.gather(1, last.clamp(max=best.shape[1] - 1)))
    return threshold


def _invert(weights: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """[B] the place at which the running sum of the weights first passes `uniform` of the whole."""
    running = weights.cumsum(-1, dtype=torch.float64)
    whole = running[:, -1:]
    target = torch.minimum(uniform[:, None] * whole, whole.nextafter(whole.new_zeros(())))
    # Where the weights are no numbers the search runs over the end; their logprob then tells.
    return (
        torch.searchsorted(running, target, right=True).squeeze(1).clamp(max=weights.shape[1] - 1)
    )
