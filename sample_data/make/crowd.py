"""Very many completions of one prompt, for counts that leave no doubt about a problem's p.

The family's network written out a second time, without transformers' generality: the prompt is
computed once and shared by all rows, and rows that have ended leave the batch. A GPU draws 20,000
completions of a problem in about a second; on a CPU the same code serves small numbers and tests.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import rms_norm, silu
from transformers import LlamaForCausalLM

LOOK_EVERY = 8
"""Steps after which rows that have ended leave the batch."""

KeysAndValues = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Cache:
    """Keys and values of one layer, [heads, P, D] of the prompt and [rows, heads, longest, D]."""

    prompt: KeysAndValues
    own: KeysAndValues

    def of_rows(self, rows: Tensor) -> "Cache":
        return Cache(self.prompt, (self.own[0][rows], self.own[1][rows]))


class Crowd:
    """A network of the family, ready to draw."""

    def __init__(self, network: LlamaForCausalLM, device: str = "cpu") -> None:
        config: Any = network.config
        self.weights = {name: each.detach().to(device) for name, each in network.named_parameters()}
        self.layers = int(config.num_hidden_layers)
        self.heads, self.size = int(config.num_attention_heads), int(config.head_dim)
        if config.num_key_value_heads != self.heads or not config.tie_word_embeddings:
            raise ValueError("only the family's own shape can be drawn this way")
        self.epsilon = float(config.rms_norm_eps)
        self.end = int(config.eos_token_id)
        base = float(config.rope_parameters["rope_theta"])
        turns = base ** (-torch.arange(0, self.size, 2, device=device) / self.size)
        angles = torch.outer(
            torch.arange(int(config.max_position_embeddings), device=device), turns
        )
        self.cos, self.sin = angles.cos().repeat(1, 2), angles.sin().repeat(1, 2)
        self.device = device

    @torch.no_grad()
    def draw(
        self, prompt: list[int], rows: int, longest: int, seed: int,
        temperature: float = 1.0, top_p: float = 1.0,
    ) -> Tensor:  # fmt: skip
        """[rows, longest] token ids; what comes after an end of text is filled up with it."""
        generator = torch.Generator(self.device).manual_seed(seed)
        logits, caches = self._read(prompt, rows, longest)
        written = torch.full((rows, longest), self.end, dtype=torch.int16, device=self.device)
        alive = torch.arange(rows, device=self.device)
        for step in range(longest):
            chances = nucleus((logits / temperature).softmax(-1), top_p)
            token = torch.multinomial(chances, 1, generator=generator).squeeze(1)
            ended_before = (written[alive, step - 1] == self.end) if step else alive < 0
            token = torch.where(ended_before, self.end, token)
            written[alive, step] = token.to(torch.int16)
            if step % LOOK_EVERY == LOOK_EVERY - 1:
                going = (token != self.end).nonzero().squeeze(1)
                if len(going) == 0:
                    break
                alive, token = alive[going], token[going]
                caches = [cache.of_rows(going) for cache in caches]
            if step + 1 < longest:
                logits = self._write(token, len(prompt) + step, step, caches)
        return written

    def next_logits(self, prompt: list[int]) -> Tensor:
        """[V] after the prompt; for comparison with transformers."""
        return self._read(prompt, 1, 1)[0][0]

    def _read(self, prompt: list[int], rows: int, longest: int) -> tuple[Tensor, list[Cache]]:
        """The logits after the prompt, the same for every row, and room for what they write."""
        count = len(prompt)
        hidden = self.weights["model.embed_tokens.weight"][torch.tensor(prompt, device=self.device)]
        ahead = torch.ones(count, count, dtype=torch.bool, device=self.device).triu(1)
        caches = []
        for layer in range(self.layers):
            query, key, value = self._project(layer, hidden, slice(0, count))
            query, key, value = (each.transpose(0, 1) for each in (query, key, value))
            scores = (query @ key.mT / self.size**0.5).masked_fill(ahead, -torch.inf)
            mixed = (scores.softmax(-1) @ value).transpose(0, 1)
            hidden = self._finish(layer, hidden, mixed)
            room = torch.empty(2, rows, self.heads, longest, self.size, device=self.device)
            caches.append(Cache((key, value), (room[0], room[1])))
        return self._logits(hidden[-1:]).expand(rows, -1), caches

    def _write(self, token: Tensor, position: int, step: int, caches: list[Cache]) -> Tensor:
        """[rows, V] after one more token of every row."""
        hidden = self.weights["model.embed_tokens.weight"][token]
        for layer, cache in enumerate(caches):
            query, key, value = self._project(layer, hidden, slice(position, position + 1))
            cache.own[0][:, :, step], cache.own[1][:, :, step] = key, value
            keys, values = (own[:, :, : step + 1] for own in cache.own)
            shared = torch.einsum("rhd,hpd->rhp", query, cache.prompt[0])
            lately = (keys @ query[..., None]).squeeze(-1)
            scores = (torch.cat([shared, lately], -1) / self.size**0.5).softmax(-1)
            early, late = scores.split([shared.shape[-1], step + 1], -1)
            mixed = torch.einsum("rhp,hpd->rhd", early, cache.prompt[1])
            hidden = self._finish(layer, hidden, mixed + (late[:, :, None] @ values).squeeze(2))
        return self._logits(hidden)

    def _project(self, layer: int, hidden: Tensor, where: slice) -> list[Tensor]:
        """Query, key and value, each [rows, heads, D], the first two turned to their position."""
        normed = self._norm(hidden, self._of(layer, "input_layernorm"))
        query, key, value = (
            (normed @ self._of(layer, f"self_attn.{name}_proj").T).view(-1, self.heads, self.size)
            for name in "qkv"
        )
        cos, sin = self.cos[where, None], self.sin[where, None]
        return [query * cos + _turned(query) * sin, key * cos + _turned(key) * sin, value]

    def _finish(self, layer: int, hidden: Tensor, mixed: Tensor) -> Tensor:
        hidden = hidden + mixed.flatten(1) @ self._of(layer, "self_attn.o_proj").T
        normed = self._norm(hidden, self._of(layer, "post_attention_layernorm"))
        gate, up, down = (self._of(layer, f"mlp.{name}_proj") for name in ("gate", "up", "down"))
        return hidden + (silu(normed @ gate.T) * (normed @ up.T)) @ down.T

    def _logits(self, hidden: Tensor) -> Tensor:
        normed = self._norm(hidden, self.weights["model.norm.weight"])
        return normed @ self.weights["model.embed_tokens.weight"].T

    def _norm(self, hidden: Tensor, weight: Tensor) -> Tensor:
        return rms_norm(hidden, (hidden.shape[-1],), weight, self.epsilon)

    def _of(self, layer: int, name: str) -> Tensor:
        return self.weights[f"model.layers.{layer}.{name}.weight"]


def nucleus(chances: Tensor, top_p: float) -> Tensor:
    """The fewest tokens that hold `top_p`, the rest at 0; rows need not sum to 1."""
    if top_p >= 1:
        return chances
    ranked, order = chances.sort(descending=True)
    ranked = ranked.masked_fill(ranked.cumsum(-1) - ranked >= top_p, 0)
    return torch.zeros_like(chances).scatter(-1, order, ranked)


def _turned(vectors: Tensor) -> Tensor:
    first, second = vectors.chunk(2, -1)
    return torch.cat([-second, first], -1)
