"""Next-token training on examples: pretraining and distillation are this, on other texts."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

from sample_data.make.drills import Row
from sample_data.make.muon import Optimizer

POOL = 16
"""Batches cut from one pool of rows sorted by length, so that little is padding."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast."""

    steps: int
    rate: float
    batch: int = 48
    warmup: int = 30

    def rate_at(self, step: int) -> float:
        """Linear warm-up, a plateau, then linearly down over the second half."""
        left = (self.steps - step) / self.steps
        return self.rate * min((step + 1) / self.warmup, 1.0, max(0.02, 2 * left))


def batches(
    rows: Iterator[Row], tokenizer: PreTrainedTokenizerBase, size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """(tokens, their weights) of like-long rows, padded on the right."""
    while True:
        pool = [_tokens(row, tokenizer) for row in islice(rows, size * POOL)]
        pool.sort(key=len)
        chunks = [pool[at : at + size] for at in range(0, len(pool), size)]
        for at in torch.randperm(len(chunks)).tolist():
            yield _padded(chunks[at], int(tokenizer.pad_token_id))


def _tokens(row: Row, tokenizer: PreTrainedTokenizerBase) -> list[tuple[int, float]]:
    """Token ids with weights, and the end of text."""
    weighed = [(token, weight) for text, weight in row for token in tokenizer(text)["input_ids"]]
    return [*weighed, (int(tokenizer.eos_token_id), 1.0)]


def _padded(lines: list[list[tuple[int, float]]], pad: int) -> tuple[Tensor, Tensor]:
    width = max(map(len, lines))
    tokens = torch.full((len(lines), width), pad)
    weights = torch.zeros(len(lines), width)
    for i, line in enumerate(lines):
        tokens[i, : len(line)] = torch.tensor([token for token, _ in line])
        weights[i, : len(line)] = torch.tensor([weight for _, weight in line])
    return tokens, weights


def loss_on(model: LlamaForCausalLM, tokens: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean cross-entropy."""
    logits = model(input_ids=tokens[:, :-1]).logits
    each = cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    weight = weights[:, 1:].flatten()
    return (each * weight).sum() / weight.sum()


def train(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    rows: Iterator[Row],
    schedule: Schedule,
) -> None:
    """Run the schedule, telling every 50 steps how it goes."""
    optimizer = Optimizer(model)
    stream = batches(rows, tokenizer, schedule.batch)
    began, losses = time.monotonic(), [0.0]
    model.train()
    for step in range(schedule.steps):
        loss = loss_on(model, *next(stream))
        optimizer.step(loss, schedule.rate_at(step))
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            left = (time.monotonic() - began) / (step + 1) * (schedule.steps - step - 1)
            mean = sum(losses[-50:]) / 50
            print(
                f"step {step + 1}/{schedule.steps}  loss {mean:.3f}  ETA {left:.0f} s", flush=True
            )
    model.train(False)
