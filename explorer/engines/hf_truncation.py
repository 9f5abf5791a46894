"""Measures what a sampler makes of a response's tokens, from the whole distribution.

Invariant: a token is inside here exactly if `hf_picking.pick` could have drawn it from the same
logits; both ask `hf_picking.smallest_kept`, and ties at the edge are kept by both.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from explorer.core.arm import Sampling
from explorer.engines.hf_picking import smallest_kept


class Truncated(NamedTuple):
    """What `core.support.Truncation` holds, of [B, C] positions."""

    tempered: torch.Tensor
    above: torch.Tensor
    kept: torch.Tensor
    short: torch.Tensor


def truncate(logits: torch.Tensor, targets: torch.Tensor, sampling: Sampling) -> Truncated:
    """Reduce [B, C, V] logits to what a sampler makes of the target ids [B, C].

    Sums are in double precision; no vocabulary is sorted beyond what the sampler keeps.
    """
    rows, positions, vocabulary = logits.shape
    flat = logits.reshape(-1, vocabulary).float()
    shifted = flat - flat.amax(-1, keepdim=True)
    own = shifted.gather(1, targets.reshape(-1, 1))
    measured = _greedy(own) if sampling.temperature == 0 else _cut(shifted, own, sampling)
    return Truncated(*(part.reshape(rows, positions).float() for part in measured))


def _greedy(own: torch.Tensor) -> Truncated:
    """All mass on the first choice."""
    first = own == 0
    certain = torch.zeros_like(own).masked_fill_(~first, -torch.inf)
    return Truncated(certain, (~first).float(), torch.ones_like(own), -own)


def _cut(shifted: torch.Tensor, own: torch.Tensor, sampling: Sampling) -> Truncated:
    weights = (shifted / sampling.temperature).exp_()
    whole = weights.sum(-1, keepdim=True, dtype=torch.float64)
    left, short = whole, torch.zeros_like(own)
    if 0 < sampling.top_k < shifted.shape[1]:
        last = shifted.topk(sampling.top_k, dim=-1).values[:, -1:]
        left = weights.where(shifted >= last, 0.0).sum(-1, keepdim=True, dtype=torch.float64)
        short = last - own
    above = weights.where(shifted > own, 0.0).sum(-1, keepdim=True, dtype=torch.float64) / left
    kept = torch.ones_like(whole)
    if sampling.top_p < 1 or 0 < sampling.top_k < shifted.shape[1]:
        inside = shifted >= smallest_kept(shifted, weights, sampling)
        kept = weights.where(inside, 0.0).sum(-1, keepdim=True, dtype=torch.float64) / whole
    return Truncated(
        own / sampling.temperature - whole.log(), above.clamp(max=1.0), kept.clamp(max=1.0), short
    )
