"""The contract that every engine keeps; `tests/contract` puts each engine through it.

An engine holds one model. It works in token ids and raw log-probabilities (natural log,
temperature 1, before top-p/top-k). It is asynchronous so that one event loop can drive several
engines; abandoning an iterator (`aclose`, or cancelling the task that reads it) stops the work
behind it soon, on the device or server too.

Randomness is a function of (seed, index): drawing index 70 alone, or as part of 0..127, uses the
same random numbers, so topping up never repeats and never depends on history. Batched matrix
products may differ in the last bits between batch sizes; where two tokens are within that noise
the draw may differ too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from explorer.core.arm import Sampling
from explorer.core.completion import FinishReason, Tokens, TokenScores
from explorer.core.prompts import Message, PromptImage, RenderedPrompt
from explorer.core.server_options import ServerOptions as ServerOptions
from explorer.core.support import Truncation


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Which model to load, and how.

    Attributes:
        source: a checkpoint folder, or a hub name `owner/name`, optionally `@revision`.
        engine: name in the registry.
        dtype: 'auto', 'float32', 'bfloat16' or 'float16'.
        device: 'auto', 'cpu' or 'cuda'.
        context: most tokens of prompt + completion; 0 = what the model holds.
        batch_size: most completions at once; 0 = what memory allows.
        log_path: file that the engine's output is appended to; None = thrown away.
        threads: CPU threads; 0 = the library's own choice.
        urls: servers that already run this model (`http://host:8000`, without `/v1`), used
            evenly; then `source` is the name they serve it under, '' = the only one they have.
        api_key_env: name of the environment variable that holds their key; never the key.
        adapter: a LoRA folder, served by the server of `source`.
        adapters: every LoRA folder that this server is to serve, so that they share it.
        server: how a server of ours is started.
        state_folder: where the sampler keeps what it must remember of servers that it started.
        server_idle_s: a server of ours that nobody uses for so long is stopped; 0 = never.
    """

    source: str
    engine: str = "transformers"
    dtype: str = "auto"
    device: str = "auto"
    context: int = 0
    batch_size: int = 0
    log_path: Path | None = None
    threads: int = 0
    urls: tuple[str, ...] = ()
    api_key_env: str = ""
    adapter: str = ""
    adapters: tuple[str, ...] = ()
    server: ServerOptions = field(default_factory=ServerOptions)
    state_folder: Path | None = None
    server_idle_s: float = 900.0


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What is loaded, for the arm key and for people.

    Attributes:
        engine, version: e.g. 'transformers', '5.24.0'.
        dtype, device: as resolved, e.g. 'float32', 'cpu'.
        checkpoint, tokenizer: identities as in `ArmSpec`.
        context: most tokens of prompt + completion.
        vocab_size: rows of the output layer.
        eos_ids: token ids that end a completion.
        parameters: number of weights, 0 if unknown.
        facts: what else could make its completions unlike another arm's, by name: kept with the
            arm and compared by `core.parity`, but no part of the key. `generation.<field>` is a
            field of the checkpoint's generation_config.json, `generation.use` whether the engine
            follows that file ('ignored' or 'applied').
        jobs_at_once: how many sample jobs may be given to it side by side; more than 1 where it
            batches across them.
    """

    engine: str
    version: str
    dtype: str
    device: str
    checkpoint: str
    tokenizer: str
    context: int
    vocab_size: int
    eos_ids: tuple[int, ...]
    parameters: int
    images: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    jobs_at_once: int = 1


@dataclass(frozen=True, slots=True)
class SampleJob:
    """Draw one completion of `prompt_ids` for every index.

    Attributes:
        images: what the prompt shows; the ids then have the model's own number of ids for each.
        prompt_text: the rendered prompt with one placeholder per image, as `RenderedPrompt.text`;
            needed only where there are images.
    """

    prompt_ids: tuple[int, ...]
    sampling: Sampling
    seed: int
    indices: tuple[int, ...]
    images: tuple[PromptImage, ...] = ()
    prompt_text: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """A running stream: all text so far (not a delta), and how many tokens it is."""

    index: int
    text: str
    n_tokens: int


@dataclass(frozen=True, slots=True)
class Sampled:
    """A finished completion. Its text is the decoded tokens without control tokens.

    A stop string is cut from the text, with all after it; its tokens are kept, with empty spans
    (the token that it begins in keeps the part before it).
    """

    index: int
    text: str
    tokens: Tokens
    finish: FinishReason


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """Teacher-force each response after the prompt.

    Attributes:
        prompt_ids: shared by all responses; never scored.
        responses: token ids per response, EOS included where it was drawn.
        top: how many alternatives per position to return (0 = none).
        images, prompt_text: as in `SampleJob`.
        sampling: also measure which tokens a sampler with these settings could have drawn. An
            engine that does not see the whole distribution may return up to `TOP_FOR_BOUNDS`
            alternatives instead, from which bounds are worked out.
    """

    prompt_ids: tuple[int, ...]
    responses: tuple[tuple[int, ...], ...]
    top: int = 10
    images: tuple[PromptImage, ...] = ()
    prompt_text: str = ""
    sampling: Sampling | None = None


TOP_FOR_BOUNDS = 20
"""Alternatives that settle most tokens without the whole distribution; vLLM's default limit."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of `responses[position]`.

    Attributes:
        truncation: what the job's sampler makes of its tokens; None where it was not asked for,
            or the engine does not see the whole distribution.
    """

    position: int
    scores: TokenScores
    truncation: Truncation | None = None


class Engine(Protocol):
    """A loaded model. Failures are `EngineError`; after one, close the engine."""

    @property
    def info(self) -> EngineInfo: ...

    async def encode(self, prompt: str | Sequence[Message]) -> RenderedPrompt:
        """Render chat turns with the model's chat template if need be, and tokenise."""
        ...

    async def retokenise(self, text: str) -> Tokens:
        """Tokenise a response text that came without ids (`exact=False`, no log-probabilities)."""
        ...

    def sample(self, job: SampleJob) -> AsyncIterator[Progress | Sampled]:
        """Yield progress a few times a second and each completion once, as it finishes.

        Raises:
            EngineError: the prompt leaves no room in the context, or the model failed.
        """
        ...

    def score(self, job: ScoreJob) -> AsyncIterator[Scored]:
        """Yield the scores of each response once, in any order, in bounded memory."""
        ...

    async def close(self) -> None:
        """Free the model and whatever runs it. Idempotent."""
        ...
