"""An arm: all that must be equal for completions to be pooled.

Identity rule. An arm's key is the digest of the canonical JSON of `ArmSpec`: UTF-8, keys sorted,
no white space, floats in Python's shortest repr (so 0.6 is `0.6`), every field always present.
The digest is BLAKE2b-160 in hex, prefixed `a1:`; a change of the fields or of the canonical form
takes a new prefix, so that old keys stay recognisable. Which *name* a model has in explorer.toml
is not part of its identity; its weights are. The rendered prompt belongs to the arm through its
template and tokenizer; the token ids themselves are stored once per (arm, problem), digested
with the prefix `p1:`. A prompt with images has the prefix `p2:` and its digest also covers the
digests of their files, so that completions of different images are never pooled. An arm whose
completions were made to begin with given tokens names their digest, prefixed `b1:`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

KEY_PREFIX = "a1:"
PROMPT_PREFIX = "p1:"
IMAGE_PROMPT_PREFIX = "p2:"
BEGINNING_PREFIX = "b1:"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. top_k = 0 and top_p = 1.0 mean 'no cut'; temperature 0 is greedy.

    Recorded files that do not say have temperature −1, top_p 0, top_k −1 or max_tokens 0: each is
    unknown, and nothing can be sampled so.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()

    def label(self) -> str:
        """`T 0.6 · top-p 0.95 · ≤16384 tok`, the short form shown beside every number."""
        if self.temperature < 0 and self.top_p <= 0 and self.top_k < 0 and self.max_tokens <= 0:
            return "settings unknown"
        parts = ["T ?" if self.temperature < 0 else f"T {self.temperature:g}"]
        if self.top_p < 1.0:
            parts.append(f"top-p {self.top_p:g}" if self.top_p > 0 else "top-p ?")
        if self.top_k:
            parts.append(f"top-k {self.top_k}" if self.top_k > 0 else "top-k ?")
        parts.append(f"≤{self.max_tokens} tok" if self.max_tokens > 0 else "≤? tok")
        return " · ".join(parts)

    @property
    def is_known(self) -> bool:
        """Whether every setting is known, so that more can be sampled alike."""
        known = self.temperature >= 0 and self.top_p > 0
        return known and self.top_k >= 0 and self.max_tokens > 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"stop": list(self.stop)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Sampling:
        return cls(
            temperature=float(data["temperature"]),
            top_p=float(data["top_p"]),
            top_k=int(data["top_k"]),
            max_tokens=int(data["max_tokens"]),
            stop=tuple(data["stop"]),
        )


@dataclass(frozen=True, slots=True)
class ArmSpec:
    """The fields of an arm key.

    Attributes:
        checkpoint: identity of the weights: `local:<fingerprint>`, `hub:<repo>@<commit>`,
            `served:<name>` or, for imported files that do not say, `unknown:<name>`.
        tokenizer: digest of the tokenizer files, or `unknown`.
        template: the prompt template, verbatim (`core.prompts.Template.canonical`).
        sampling: how tokens are drawn.
        context: most tokens of prompt + completion that the engine holds; 0 = unknown.
        engine, dtype: what computed it, e.g. `transformers`, `float32`.
        prefix: digest of the tokens that each completion was made to begin with
            (`prefix_digest`), '' for none; in the key's JSON only where there is one.
    """

    checkpoint: str
    tokenizer: str
    template: str
    sampling: Sampling
    context: int
    engine: str
    dtype: str
    prefix: str = ""

    def to_json(self) -> dict[str, Any]:
        begun = {"prefix": self.prefix} if self.prefix else {}
        return begun | {
            "checkpoint": self.checkpoint,
            "tokenizer": self.tokenizer,
            "template": self.template,
            "sampling": self.sampling.to_json(),
            "context": self.context,
            "engine": self.engine,
            "dtype": self.dtype,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ArmSpec:
        return cls(
            checkpoint=str(data["checkpoint"]),
            tokenizer=str(data["tokenizer"]),
            template=str(data["template"]),
            sampling=Sampling.from_json(data["sampling"]),
            context=int(data["context"]),
            engine=str(data["engine"]),
            dtype=str(data["dtype"]),
            prefix=str(data.get("prefix", "")),
        )

    def key(self) -> str:
        return _digest(KEY_PREFIX, canonical_json(self.to_json()).encode())


def canonical_json(value: Any) -> str:
    """The one JSON form that is hashed: sorted keys, no white space, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def prompt_digest(token_ids: Sequence[int], images: Sequence[str] = ()) -> str:
    """Identity of a rendered prompt: its token ids as little-endian int32, and its images' digests.

    Args:
        images: digest of each image's file, in the prompt's order.
    """
    # Imported here: the settings need this module before the first paint, and numpy is slow.
    import numpy as np

    ids = np.asarray(token_ids, dtype="<i4").tobytes()
    if not images:
        return _digest(PROMPT_PREFIX, ids)
    return _digest(IMAGE_PROMPT_PREFIX, canonical_json(list(images)).encode() + b"\0" + ids)


def prefix_digest(token_ids: Sequence[int]) -> str:
    """Identity of the tokens that completions were made to begin with; '' for none."""
    import numpy as np

    ids = np.asarray(token_ids, dtype="<i4").tobytes()
    return _digest(BEGINNING_PREFIX, ids) if ids else ""


def cell_seed(seed: int, arm_key: str, prompt: str) -> int:
    """The seed of one arm on one prompt (its digest), from the workspace's seed; 63 bits.

    Were every problem sampled with the same seed, its sample i would be drawn with the same
    random numbers everywhere: luck would be shared across problems and arms, and an interval
    that resamples problems would be too narrow.
    """
    text = canonical_json([seed, arm_key, prompt])
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1


def _digest(prefix: str, data: bytes) -> str:
    return prefix + blake2b(data, digest_size=20).hexdigest()
