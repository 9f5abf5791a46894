"""The six algorithms of the paper (section 4.4), each as what makes it that algorithm.

All start from the same base, see the same stream of prompts, draw the same number of rollouts a
step and take the same optimizer and number of steps; KL is off for all, as in the paper's runs.
"""

from dataclasses import dataclass, replace

from sample_data.make import advantage
from sample_data.make.advantage import Estimator


@dataclass(frozen=True)
class Recipe:
    """The numbers of a run.

    Attributes:
        estimator: turns rewards into advantages.
        clip, clip_high: how far the probability ratio may fall and rise.
        by_token: average the loss over all tokens of a mini-batch alike; else first over each
            sample's tokens, so that a long sample's tokens weigh less.
        resample: replace prompts whose samples are all right or all wrong, drawing on until the
            batch is full or `most_draws` batches were drawn (DAPO's dynamic sampling).
        greedy: also draw each prompt's greedy completion.
        critic: train a value network beside the policy, at `critic_rate`.
    """

    estimator: Estimator
    steps: int = 40
    prompts: int = 16
    samples: int = 16
    rate: float = 2e-4
    minibatches: int = 2
    clip: float = 0.2
    clip_high: float = 0.2
    longest: int = 96
    checkpoint_every: int = 10
    by_token: bool = False
    resample: bool = False
    most_draws: int = 4
    greedy: bool = False
    critic: bool = False
    critic_rate: float = 1e-3


GRPO = Recipe(advantage.group_relative)

ALGORITHMS: dict[str, Recipe] = {
    "grpo": GRPO,
    "ppo": replace(GRPO, estimator=advantage.over_critic, by_token=True, critic=True),
    "reinforce++": replace(GRPO, estimator=advantage.normalised_globally, by_token=True),
    "rloo": replace(GRPO, estimator=advantage.leave_one_out, by_token=True),
    "remax": replace(GRPO, estimator=advantage.against_greedy, by_token=True, greedy=True),
    "dapo": replace(GRPO, clip_high=0.28, by_token=True, resample=True),
}
"""By the name that the command line takes."""
