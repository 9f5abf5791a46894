"""How rewards become advantages: the part in which the policy-gradient algorithms differ most.

Each estimator takes what is known of a batch of rollouts, laid out as (prompts, samples of the
prompt), and gives one advantage per written token. Rewards come at the end and are not discounted,
so every token of a sample shares its return; only PPO's critic tells tokens apart.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Judged:
    """A batch of rollouts after the verifier has seen it.

    Attributes:
        rewards: [P, G] of each sample of each prompt.
        written: [P * G, T] 1 where the policy wrote a token (its end of text included).
        greedy: [P] reward of each prompt's greedy completion, where the algorithm asks for it.
        values: [P * G, T] the critic's expectation before each token, where there is a critic.
    """

    rewards: Tensor
    written: Tensor
    greedy: Tensor | None = None
    values: Tensor | None = None


Estimator = Callable[[Judged], Tensor]


def group_relative(judged: Judged) -> Tensor:
    """GRPO (Shao et al. 2024): distance from the prompt's own mean, in standard deviations."""
    rewards = judged.rewards
    centred = rewards - rewards.mean(dim=1, keepdim=True)
    return _per_token(centred / (rewards.std(dim=1, keepdim=True) + 1e-4), judged)


def leave_one_out(judged: Judged) -> Tensor:
    """RLOO (Ahmadian et al. 2024): distance from the mean of the prompt's other samples."""
    rewards = judged.rewards
    others = (rewards.sum(dim=1, keepdim=True) - rewards) / (rewards.shape[1] - 1)
    return _per_token(rewards - others, judged)


def against_greedy(judged: Judged) -> Tensor:
    """ReMax (Li et al. 2024): distance from the reward of the prompt's greedy completion."""
    assert judged.greedy is not None, "ReMax needs the greedy completions' rewards"
    return _per_token(judged.rewards - judged.greedy[:, None], judged)


def normalised_globally(judged: Judged) -> Tensor:
    """REINFORCE++ (Hu 2025): returns, normalised over all tokens of the whole batch."""
    return whitened(_per_token(judged.rewards, judged), judged.written)


def over_critic(judged: Judged) -> Tensor:
    """PPO (Schulman et al. 2017) with GAE, gamma = lambda = 1: return minus the critic's value.

    Whitened over the batch, as PPO's usual implementations do.
    """
    assert judged.values is not None, "PPO needs a critic"
    surplus = _per_token(judged.rewards, judged) - judged.values * judged.written
    return whitened(surplus, judged.written)


def whitened(values: Tensor, mask: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the masked entries; 0 elsewhere."""
    chosen = values[mask.bool()]
    spread = (values - chosen.mean()) / torch.sqrt(chosen.var() + 1e-8)
    return spread * mask


def _per_token(advantage: Tensor, judged: Judged) -> Tensor:
    return advantage.reshape(-1, 1) * judged.written
