"""The evidence in short sentences that the screen and the command line share.

Invariant: every number is said with what it was counted over.
"""

from __future__ import annotations

import math

import numpy as np

from explorer.views.evidence_context import Context, Spread
from explorer.views.evidence_strands import Strand
from explorer.views.noise import NoiseNote, nats
from explorer.views.numbers import count, percent, plural
from explorer.views.trace_facts import probability

NO_VALUE = "–"


def noise_sentence(note: NoiseNote | None, floor: float) -> str:
    """What no difference may be read into."""
    if note is None:
        return (
            f"Noise floor not measured: gaps under {floor:.2g} nat are no evidence"
            " (x scores the controls)."
        )
    return f"{note.long[0].upper()}{note.long[1:]}; gaps under {nats(floor)} nat are no evidence."


def control_words(strand: Strand, floor: float) -> str:
    """`0 of 96 outside · Δ 99% within 0.002 nat, most 0.01 · T 1, nothing cut`."""
    view = strand.view
    parts = []
    if view.support is None:
        parts.append(view.missing)
    else:
        said = f"{count(view.outside)} of {count(view.n_tokens)} outside"
        if view.near:
            said += f" ({count(view.near)} within noise)"
        if view.support.undecided:
            said += f", {count(view.support.undecided)} undecided"
        parts.append(said)
    parts.append(delta_words(strand, floor))
    return " · ".join(part for part in parts if part)


def delta_words(strand: Strand, floor: float) -> str:
    """How far two opinions of a completion differ, per token."""
    if strand.delta is None:
        return f"Δ unknown: {strand.no_delta}"
    known = np.abs(strand.delta[~np.isnan(strand.delta)])
    if not len(known):
        return ""
    beyond = int((known >= floor).sum())
    if not beyond:
        return f"|Δ| ≤ {nats(float(known.max()))} nat, within noise"
    return f"|Δ| beyond noise at {count(beyond)} of {plural(len(known), 'token')}"


def token_words(strand: Strand, token: int, text: str, model_gap: bool = True) -> str:
    """One token: its text, p and rank under the model, and by how much it is beyond the edge."""
    view = strand.view
    parts = [f"{count(token + 1)}/{count(view.n_tokens)} {text}"]
    if view.scores is not None:
        parts.append(f"{view.model} p {probability(float(view.scores.logprobs[token]))}")
        parts.append(f"rank {count(int(view.scores.ranks[token]))}")
    if view.support is not None:
        parts.append(MARK_WORDS[int(view.marks[token])])
        beyond = view.support.beyond
        if view.marks[token] >= 2 and beyond is not None:
            far = float(beyond[token])
            parts[-1] += "" if math.isinf(far) else f" by {far:.2f} nat"
        elif math.isfinite(float(view.support.upper[token])):
            parts.append(f"drawn {probability(float(view.support.upper[token]))}")
    if model_gap and strand.delta is not None and not np.isnan(strand.delta[token]):
        parts.append(f"Δ {float(strand.delta[token]):+.2f}".replace("-", "−"))
    return " · ".join(parts)


MARK_WORDS = ("inside", "undecided", "outside, within noise", "outside")
"""What a mark of `evidence_support` is called."""


def value_words(value: float, unit: str) -> str:
    """`1.24`, `0.31 bits/byte`, `–`."""
    if math.isnan(value):
        return NO_VALUE
    text = f"{value:.2f}" if value < 1000 else f"{value:.3g}"
    return text if unit == "PPL" else f"{text} {unit}"


def place_words(spread: Spread) -> str:
    """`above 93% of 64`."""
    if math.isnan(spread.place.quantile):
        return NO_VALUE
    return f"above {percent(spread.place.quantile)} of {count(spread.place.n)}"


def context_sentence(context: Context) -> str:
    """The trace's values, and where the first lies among the base's own."""
    unit = context.unit
    if math.isnan(context.under_base):
        return f"{unit} under {context.base} is not known yet: press x to ask for it."
    said = f"{unit} under {context.base} {value_words(context.under_base, 'PPL')}"
    whole = context.spreads[0] if context.spreads else None
    if whole is not None and whole.place.n:
        said += f", above {percent(whole.place.quantile)} of {context.base}'s own"
        said += f" {count(whole.place.n)}"
    else:
        said += f"; {context.base} has no completions here to compare it with"
    if context.own != context.base:
        said += f" · under {context.own} itself {value_words(context.under_own, 'PPL')}"
    return said + "."


def per_byte_note(context: Context) -> str:
    """What stands in for perplexity, and why; '' where nothing does."""
    if not context.per_byte:
        return ""
    return "≈ bits per byte: the models cut text into different tokens, so PPL does not compare."
