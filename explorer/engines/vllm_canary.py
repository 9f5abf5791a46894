"""Canaries: a fixed prompt's log-probabilities, to prove what a server computes with.

Invariant: an adapter is used only where it changes the output. vLLM answers like the base model
where an adapter's module names match nothing (vllm-project/vllm#34186), which would show 'the RL
model equals its base'.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import httpx

from explorer.errors import EngineError

PROMPT_TOKENS: Final = 24
"""Ids 5, 6, 7 … of the vocabulary: any text will do, so long as it is the same."""

SAME_WITHIN: Final = 1e-6
"""Largest difference (nats) at which two answers count as the same; a batch's noise is avoided by
asking one after the other, with the prefix cache out of the way (prompt log-probabilities skip
it)."""

WOKEN_WITHIN: Final = 0.05
"""Largest difference (nats) between a server's answer before and after its sleep: kernels may
differ in the last bits of bfloat16, discarded weights differ by much more."""


async def canary(client: httpx.AsyncClient, model: str) -> list[float]:
    """Log-probabilities of the fixed prompt's tokens after the first, and of the likeliest next.

    The last one is there because a changed output layer shows only in what is sampled (#51594).

    Raises:
        EngineError: the server does not give them.
    """
    ids = list(range(5, 5 + PROMPT_TOKENS))
    body = {
        "model": model,
        "prompt": ids,
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": 0,
        "prompt_logprobs": 0,
    }
    try:
        answer = await client.post("/v1/completions", json=body, timeout=120.0)
        answer.raise_for_status()
        choice: dict[str, Any] = answer.json()["choices"][0]
        rows = choice["prompt_logprobs"]
        known = [
            float(row[str(token)]["logprob"]) for token, row in zip(ids[1:], rows[1:], strict=True)
        ]
        return [*known, float(choice["logprobs"]["token_logprobs"][0])]
    except (httpx.HTTPError, KeyError, TypeError, ValueError, IndexError) as error:
        said = error.response.text[:500] if isinstance(error, httpx.HTTPStatusError) else error
        raise EngineError("The server's canary failed", f"{model}: {said}") from error


def largest_difference(one: Sequence[float], other: Sequence[float]) -> float:
    """In nats."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


async def check_adapter(url: str, key: str, base: str, adapter: str, folder: str) -> None:
    """Prove that an adapter changes the output.

    Raises:
        EngineError: it does not, or the server does not answer.
    """
    async with httpx.AsyncClient(
        base_url=url, headers={"Authorization": f"Bearer {key}"}, trust_env=False
    ) as client:
        plain = await canary(client, base)
        adapted = await canary(client, adapter)
    if largest_difference(plain, adapted) <= SAME_WITHIN:
        raise EngineError(
            "The adapter changes nothing: the server answers as the base model does",
            f"{folder}: {PROMPT_TOKENS} log-probabilities are equal to within {SAME_WITHIN:g}"
            " nats. Its module names most likely do not match this model's"
            " (vllm-project/vllm#34186).",
            "Check that it was trained on this base model, or merge it into a checkpoint of its"
            " own (peft: merge_and_unload) and name that as `source`.",
        )
