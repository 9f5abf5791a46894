"""What the parity linter works on and what it finds.

Invariant: whatever an arm does not record is absent here ('' or None), so that a check can tell
'unknown' from 'equal'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from explorer.core.arm import ArmSpec

Facts = Mapping[str, tuple[str, ...]]
"""Every value that a fact of an arm has had, by name (see `EngineInfo.facts`)."""


class Severity(StrEnum):
    """How much a difference matters."""

    BLOCKS = "blocks"  # the two numbers do not measure the same thing
    DOUBT = "doubt"  # it may explain a part of the difference
    NOTE = "note"  # harmless by itself, or not known


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference.

    Attributes:
        topic: what it is about, e.g. 'prompt', 'EOS'.
        what: what differs, with both values.
        why: one sentence on what it does to a comparison.
        fix: what to do about it.
    """

    topic: str
    severity: Severity
    what: str
    why: str
    fix: str


@dataclass(frozen=True, slots=True)
class ArmEvidence:
    """What is known of an arm, from a stated part of its completions.

    Attributes:
        name: the model's name, safe to print.
        prompt, prompt_ids: as it was sent for the sample problem; None where it is not stored.
        longest_prompt: most tokens of a prompt looked at, 0 if none is known.
        completions: how many were looked at.
        finishes: problem id -> (completions looked at whose finish reason is known, those of them
            that ran out of tokens).
        words: stop word of either arm -> completions looked at that hold it.
        cut_by_words: completions that a stop string ended rather than an end token.
        verifiers: versions that graded it.
        n_least, n_most: fewest and most graded samples of a problem.
    """

    name: str
    spec: ArmSpec
    facts: Facts = field(default_factory=dict)
    prompt: str | None = None
    prompt_ids: tuple[int, ...] | None = None
    longest_prompt: int = 0
    completions: int = 0
    finishes: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    words: Mapping[str, int] = field(default_factory=dict)
    cut_by_words: int = 0
    verifiers: tuple[str, ...] = ()
    n_least: int = 0
    n_most: int = 0

    @property
    def finished(self) -> int:
        """Completions looked at whose finish reason is known."""
        return sum(n for n, _ in self.finishes.values())

    @property
    def cut(self) -> int:
        """Those of them that ran out of tokens."""
        return sum(cut for _, cut in self.finishes.values())

    @property
    def room(self) -> int:
        """Most tokens that a completion could really have; 0 if that is unknown."""
        if not self.spec.context or self.spec.sampling.max_tokens <= 0:
            return 0
        left = max(0, self.spec.context - self.longest_prompt)
        return min(left, self.spec.sampling.max_tokens)

    def fact(self, name: str) -> str:
        """A fact in words; '' if it is not recorded, 'a / b' if it changed while sampling."""
        return " / ".join(self.facts.get(name, ()))

    @property
    def unrecorded(self) -> tuple[str, ...]:
        """What is not known of the arm, in words."""
        spec = self.spec
        known = {
            "prompt": self.prompt is not None,
            "sampling settings": spec.sampling.is_known,
            "context": spec.context > 0,
            "engine": is_known(spec.engine),
            "dtype": is_known(spec.dtype),
            "tokenizer": is_known(spec.tokenizer),
            "engine version": bool(self.fact("version")),
            "end tokens": bool(self.fact("eos")),
            "generation config": bool(self.fact("generation.use")),
            "finish reasons": bool(self.finished or not self.completions),
        }
        return tuple(name for name, is_there in known.items() if not is_there)


def is_known(value: str) -> bool:
    """Whether a text of an arm's spec says something ('unknown:…' is only somebody's name)."""
    return bool(value) and value != "unknown" and not value.startswith("unknown:")
