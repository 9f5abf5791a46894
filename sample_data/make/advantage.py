"""How rewards become advantages: the part in which the policy-gradient algorithms differ most.

Each estimator takes the rewards as (prompts, samples of the prompt) and gives one advantage per
sample. Another algorithm is another function here.
"""

from collections.abc import Callable

from torch import Tensor

Estimator = Callable[[Tensor], Tensor]


def group_relative(rewards: Tensor) -> Tensor:
    """GRPO: how far a sample is from its own prompt's mean, in standard deviations."""
    centred = rewards - rewards.mean(dim=1, keepdim=True)
    return centred / (rewards.std(dim=1, keepdim=True) + 1e-4)
