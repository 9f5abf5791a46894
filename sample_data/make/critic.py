"""PPO's critic: what reward it expects, given the text so far."""

from copy import deepcopy

import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM


class Critic:
    """A copy of the policy's body with one output, trained on the returns.

    Values are clipped to stay within `clip` of those at rollout time while they are fitted, as in
    PPO's usual implementations.
    """

    def __init__(self, policy: LlamaForCausalLM, rate: float, clip: float = 0.2) -> None:
        self.body = deepcopy(policy.model)
        self.head = nn.Linear(policy.config.hidden_size, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.clip = clip
        self.parameters = [*self.body.parameters(), *self.head.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=rate, betas=(0.9, 0.95),
                                           weight_decay=0.0)  # fmt: skip

    def values(self, tokens: Tensor, seen: Tensor) -> Tensor:
        """[N, T - 1] expected reward before each token but the first."""
        positions = (seen.cumsum(1) - 1).clamp(min=0)
        hidden = self.body(
            input_ids=tokens[:, :-1], attention_mask=seen[:, :-1], position_ids=positions[:, :-1]
        ).last_hidden_state
        return torch.as_tensor(self.head(hidden).squeeze(-1))

    def fit(
        self, tokens: Tensor, seen: Tensor, written: Tensor, old: Tensor, returns: Tensor
    ) -> None:
        """One step towards the returns [N]; `old` are the values at rollout time."""
        values = self.values(tokens, seen)
        near = old + (values - old).clamp(-self.clip, self.clip)
        error = torch.maximum((values - returns[:, None]) ** 2, (near - returns[:, None]) ** 2)
        loss = 0.5 * (error * written).sum() / written.sum()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
