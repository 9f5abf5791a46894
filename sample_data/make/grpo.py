"""Stage `rl`: sample, reward exact answers, and push towards what did better than its group."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

import torch
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

from sample_data.make import model, tokenizer
from sample_data.make.advantage import Estimator, group_relative
from sample_data.make.corpus import RL_MIX, prompt, tasks
from sample_data.make.reward import is_correct
from sample_data.make.sampling import sample
from sample_data.make.tasks import KINDS, Task
from sample_data.make.writers import TURNED_OPENERS


@dataclass(frozen=True)
class Recipe:
    """The numbers of a run; no KL penalty, as in the paper's own runs."""

    steps: int = 70
    prompts: int = 16
    samples: int = 16
    rate: float = 2e-4
    minibatches: int = 2
    clip: float = 0.2
    longest: int = 96
    estimator: Estimator = group_relative
    checkpoint_every: int = 10


@dataclass(frozen=True)
class Rollouts:
    """A step's samples; `old` are the log-probabilities under the policy that drew them."""

    tokens: Tensor
    seen: Tensor
    written: Tensor
    old: Tensor
    advantage: Tensor

    def rows(self, index: Tensor) -> "Rollouts":
        return Rollouts(
            self.tokens[index], self.seen[index], self.written[index], self.old[index],
            self.advantage[index],
        )  # fmt: skip


def log_probabilities(network: LlamaForCausalLM, tokens: Tensor, seen: Tensor) -> Tensor:
    """Of every token but the first, given those before it."""
    positions = (seen.cumsum(1) - 1).clamp(min=0)
    logits = network(
        input_ids=tokens[:, :-1], attention_mask=seen[:, :-1], position_ids=positions[:, :-1]
    ).logits
    picked = logits.gather(2, tokens[:, 1:, None]).squeeze(2)
    return torch.as_tensor(picked - logits.logsumexp(2))


def masks(tokens: Tensor, width: int, pad: int, eos: int) -> tuple[Tensor, Tensor]:
    """(what attention may see, what the policy wrote): padding is neither, the EOS is both."""
    after_end = (tokens[:, width:] == eos).cumsum(1) - (tokens[:, width:] == eos).long() > 0
    seen = torch.cat([tokens[:, :width] != pad, ~after_end], 1).long()
    written = seen.clone()
    written[:, :width] = 0
    return seen, written[:, 1:].float()


def roll_out(
    network: LlamaForCausalLM, words: PreTrainedTokenizerBase, batch: list[Task], recipe: Recipe
) -> tuple[Rollouts, Tensor, list[str]]:
    """Sample every prompt's group and score it."""
    questions = [prompt(task.question) for task in batch]
    drawn = sample(network, words, questions, recipe.samples, longest=recipe.longest)
    right = [
        float(is_correct(text, batch[i // recipe.samples].answer))
        for i, text in enumerate(drawn.texts)
    ]
    rewards = torch.tensor(right).view(len(batch), recipe.samples)
    seen, written = masks(
        drawn.tokens, drawn.prompt_width, int(words.pad_token_id), int(words.eos_token_id)
    )
    with torch.no_grad():
        old = log_probabilities(network, drawn.tokens, seen)
    advantage = recipe.estimator(rewards).flatten()
    return Rollouts(drawn.tokens, seen, written, old, advantage), rewards, drawn.texts


def clipped_loss(network: LlamaForCausalLM, part: Rollouts, clip: float) -> Tensor:
    """The clipped surrogate, averaged over each completion's tokens, then over completions."""
    ratio = (log_probabilities(network, part.tokens, part.seen) - part.old).exp()
    push = part.advantage[:, None]
    gain = torch.minimum(ratio * push, ratio.clamp(1 - clip, 1 + clip) * push)
    return -((gain * part.written).sum(1) / part.written.sum(1)).mean()


def update(
    network: LlamaForCausalLM, optimizer: torch.optim.Optimizer, rollouts: Rollouts, recipe: Recipe
) -> None:
    """One pass over the rollouts in mini-batches.

    Groups without contrast have no gradient: they are left out of the work, not of the mean.
    """
    useful = rollouts.advantage.abs().nonzero().flatten()
    share = len(useful) / len(rollouts.advantage)
    useful = useful[torch.randperm(len(useful))]
    for index in useful.chunk(recipe.minibatches):
        if len(index) == 0:
            continue
        loss = share * clipped_loss(network, rollouts.rows(index), recipe.clip)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()


def train(
    network: LlamaForCausalLM,
    words: PreTrainedTokenizerBase,
    prompts: Iterator[Task],
    recipe: Recipe,
    checkpoints: Path,
) -> None:
    """The loop; says each step's reward and how often a completion opens with the rare plan."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, betas=(0.9, 0.95),
                                  weight_decay=0.0)  # fmt: skip
    began = time.monotonic()
    for step in range(1, recipe.steps + 1):
        batch = list(islice(prompts, recipe.prompts))
        rollouts, rewards, texts = roll_out(network, words, batch, recipe)
        update(network, optimizer, rollouts, recipe)
        _report(step, recipe, batch, rewards, texts, began)
        if step % recipe.checkpoint_every == 0 and step < recipe.steps:
            model.save(network, words, checkpoints / f"rl-step-{step:03d}")


def _report(
    step: int, recipe: Recipe, batch: list[Task], rewards: Tensor, texts: list[str], began: float
) -> None:
    reached = {kind: rewards[[task.kind == kind for task in batch]].mean() for kind in KINDS[:2]}
    turned = sum(text.strip().startswith(TURNED_OPENERS) for text in texts) / len(texts)
    left = (time.monotonic() - began) / step * (recipe.steps - step)
    print(
        f"step {step}/{recipe.steps}  reward {rewards.mean():.3f}  "
        f"ordinary {reached['ordinary']:.3f}  look-alike {reached['look-alike']:.3f}  "
        f"turned {turned:.3f}  ETA {left:.0f} s",
        flush=True,
    )


def make(base: Path, out: Path, seed: int, work: Path) -> None:
    """RL from the saved base, on exact answers alone."""
    torch.manual_seed(seed + 1)
    network, words = model.load(base), tokenizer.load(base)
    train(network, words, tasks(RL_MIX, Random(f"rl {seed}")), Recipe(), work)
    model.save(network, words, out)
