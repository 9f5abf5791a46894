"""Stage `rl` and its siblings: sample, reward exact answers, push towards what did better.

One loop for all six algorithms; `algorithms` says what each of them does differently.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from random import Random

import torch
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

from sample_data.make import model, tokenizer
from sample_data.make.advantage import Judged
from sample_data.make.algorithms import Recipe
from sample_data.make.corpus import RL_MIX, prompt, tasks
from sample_data.make.critic import Critic
from sample_data.make.reward import is_correct
from sample_data.make.sampling import Sampled, sample
from sample_data.make.tasks import KINDS, Task
from sample_data.make.writers import TURNED_OPENERS

Words = PreTrainedTokenizerBase


@dataclass(frozen=True)
class Drawn:
    """A batch of prompts and what the policy wrote to them, `samples` rows a prompt.

    Attributes:
        drawn: how many completions were drawn for it, those thrown away included.
    """

    batch: list[Task]
    rows: Sampled
    rewards: Tensor
    drawn: int


@dataclass(frozen=True)
class Rollouts:
    """A step's samples as rows; `old` and `values` are as they were when drawn."""

    tokens: Tensor
    seen: Tensor
    written: Tensor
    old: Tensor
    advantage: Tensor
    returns: Tensor
    values: Tensor | None

    def rows(self, index: Tensor) -> "Rollouts":
        return Rollouts(
            self.tokens[index], self.seen[index], self.written[index], self.old[index],
            self.advantage[index], self.returns[index],
            None if self.values is None else self.values[index],
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


def draw(network: LlamaForCausalLM, words: Words, prompts: Iterator[Task], recipe: Recipe) -> Drawn:
    """One batch; with `resample`, prompts without contrast make room for others."""
    drawn = _draw_once(network, words, list(islice(prompts, recipe.prompts)), recipe)
    if not recipe.resample:
        return drawn
    kept, draws = [drawn], 1
    while sum(map(_contrasts, kept)) < recipe.prompts and draws < recipe.most_draws:
        kept.append(_draw_once(network, words, list(islice(prompts, recipe.prompts)), recipe))
        draws += 1
    return _full_batch(kept, recipe, int(words.pad_token_id))


def _draw_once(network: LlamaForCausalLM, words: Words, batch: list[Task], recipe: Recipe) -> Drawn:
    questions = [prompt(task.question) for task in batch]
    rows = sample(network, words, questions, recipe.samples, longest=recipe.longest)
    right = [
        float(is_correct(text, batch[i // recipe.samples].answer))
        for i, text in enumerate(rows.texts)
    ]
    rewards = torch.tensor(right).view(len(batch), recipe.samples)
    return Drawn(batch, rows, rewards, len(rows.texts))


def _contrast(drawn: Drawn) -> Tensor:
    """[P] whether a prompt has right and wrong samples."""
    return drawn.rewards.std(dim=1) > 0


def _contrasts(drawn: Drawn) -> int:
    return int(_contrast(drawn).sum())


def _full_batch(parts: list[Drawn], recipe: Recipe, pad: int) -> Drawn:
    """The first prompts with contrast, filled up with others if there are too few."""
    ranked = [
        (not useful, part, place)
        for part in parts
        for place, useful in enumerate(_contrast(part).tolist())
    ]
    chosen = sorted(ranked, key=lambda one: one[0])[: recipe.prompts]
    before = max(part.rows.prompt_width for _, part, _ in chosen)
    after = max(part.rows.tokens.shape[1] - part.rows.prompt_width for _, part, _ in chosen)
    blocks, texts = [], []
    for _, part, place in chosen:
        rows = slice(place * recipe.samples, (place + 1) * recipe.samples)
        tokens, width = part.rows.tokens[rows], part.rows.prompt_width
        room = (before - width, after - (tokens.shape[1] - width))
        blocks.append(torch.nn.functional.pad(tokens, room, value=pad))
        texts += part.rows.texts[rows]
    return Drawn(
        [part.batch[place] for _, part, place in chosen],
        Sampled(torch.cat(blocks), before, texts),
        torch.stack([part.rewards[place] for _, part, place in chosen]),
        sum(part.drawn for part in parts),
    )


def roll_out(
    network: LlamaForCausalLM, words: Words, drawn: Drawn, recipe: Recipe, critic: Critic | None
) -> Rollouts:
    """What the update needs of a batch."""
    rows = drawn.rows
    seen, written = masks(
        rows.tokens, rows.prompt_width, int(words.pad_token_id), int(words.eos_token_id)
    )
    with torch.no_grad():
        old = log_probabilities(network, rows.tokens, seen)
        values = None if critic is None else critic.values(rows.tokens, seen)
    greedy = _greedy_rewards(network, words, drawn.batch, recipe) if recipe.greedy else None
    advantage = recipe.estimator(Judged(drawn.rewards, written, greedy, values))
    returns = drawn.rewards.flatten()
    return Rollouts(rows.tokens, seen, written, old, advantage, returns, values)


def _greedy_rewards(
    network: LlamaForCausalLM, words: Words, batch: list[Task], recipe: Recipe
) -> Tensor:
    questions = [prompt(task.question) for task in batch]
    rows = sample(network, words, questions, 1, temperature=0.0, longest=recipe.longest)
    return torch.tensor(
        [float(is_correct(text, task.answer)) for text, task in zip(rows.texts, batch, strict=True)]
    )


def clipped_loss(network: LlamaForCausalLM, part: Rollouts, recipe: Recipe) -> Tensor:
    """The clipped surrogate, averaged as the recipe says."""
    ratio = (log_probabilities(network, part.tokens, part.seen) - part.old).exp()
    near = ratio.clamp(1 - recipe.clip, 1 + recipe.clip_high)
    gain = torch.minimum(ratio * part.advantage, near * part.advantage) * part.written
    if recipe.by_token:
        return -gain.sum() / part.written.sum()
    return -(gain.sum(1) / part.written.sum(1)).mean()


def update(
    network: LlamaForCausalLM,
    optimizer: torch.optim.Optimizer,
    rollouts: Rollouts,
    recipe: Recipe,
    critic: Critic | None,
) -> None:
    """One pass over the rollouts in mini-batches.

    Rows without advantage have no gradient: they are left out of the work, not of the mean. Where
    the mean is over tokens, the share that is left is that of their tokens.
    """
    useful = (rollouts.advantage != 0).any(1).nonzero().flatten()
    if recipe.by_token:
        share = float(rollouts.written[useful].sum() / rollouts.written.sum())
    else:
        share = len(useful) / len(rollouts.advantage)
    useful = useful[torch.randperm(len(useful))]
    for index in useful.chunk(recipe.minibatches):
        if len(index) == 0:
            continue
        part = rollouts.rows(index)
        loss = share * clipped_loss(network, part, recipe)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if critic is not None and part.values is not None:
            critic.fit(part.tokens, part.seen, part.written, part.values, part.returns)


def train(
    network: LlamaForCausalLM,
    words: Words,
    prompts: Iterator[Task],
    recipe: Recipe,
    checkpoints: Path,
) -> None:
    """The loop; says each step's reward and how often a completion opens with the rare plan."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, betas=(0.9, 0.95),
                                  weight_decay=0.0)  # fmt: skip
    critic = Critic(network, recipe.critic_rate) if recipe.critic else None
    began = time.monotonic()
    for step in range(1, recipe.steps + 1):
        drawn = draw(network, words, prompts, recipe)
        rollouts = roll_out(network, words, drawn, recipe, critic)
        update(network, optimizer, rollouts, recipe, critic)
        _report(step, recipe, drawn, began)
        if step % recipe.checkpoint_every == 0 and step < recipe.steps:
            model.save(network, words, checkpoints / f"step-{step:03d}")


def _report(step: int, recipe: Recipe, drawn: Drawn, began: float) -> None:
    rewards, texts = drawn.rewards, drawn.rows.texts
    reached = {
        kind: rewards[[task.kind == kind for task in drawn.batch]].mean() for kind in KINDS[:2]
    }
    turned = sum(text.strip().startswith(TURNED_OPENERS) for text in texts) / len(texts)
    left = (time.monotonic() - began) / step * (recipe.steps - step)
    print(
        f"step {step}/{recipe.steps}  reward {rewards.mean():.3f}  "
        f"ordinary {reached['ordinary']:.3f}  look-alike {reached['look-alike']:.3f}  "
        f"turned {turned:.3f}  drawn {drawn.drawn}  ETA {left:.0f} s",
        flush=True,
    )


def make(base: Path, out: Path, recipe: Recipe, seed: int, work: Path) -> None:
    """RL from the saved base, on exact answers alone."""
    torch.manual_seed(seed + 1)
    network, words = model.load(base), tokenizer.load(base)
    train(network, words, tasks(RL_MIX, Random(f"rl {seed}")), recipe, work / out.name)
    model.save(network, words, out)


def make_steps(
    base: Path, out: Path, recipe: Recipe, steps: Sequence[int], seed: int, work: Path
) -> None:
    """The same run, gone on to the last of these steps, and kept at each as `grpo-step-010` …"""
    last = work / "steps"
    make(base, last, replace(recipe, steps=max(steps)), seed, work / "run")
    for step in steps:
        kept = last if step == max(steps) else work / "run" / last.name / f"step-{step:03d}"
        shutil.copytree(kept, out / f"grpo-step-{step:03d}", dirs_exist_ok=True)
