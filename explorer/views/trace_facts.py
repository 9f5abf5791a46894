"""The words around a trace: a column's header, and the inspector of one token.

Facts carry a tone (a colour name of `tui.theme.Palette`) and a weight. Invariant: what does not
fit is left out whole, the least weighty first; nothing is ever cut in the middle of a number.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from explorer.core.completion import FinishReason, Origin, Outcome, TokenScores
from explorer.core.likelihood import NOISE, perplexity, placement
from explorer.core.review import JUDGE_PREFIX, Finding
from explorer.store.rows import CompletionHead, TraceRow
from explorer.views.palette import OUTCOME_COLOURS, OUTCOME_MARKS
from explorer.views.trace import Measure, TraceText
from explorer.views.trace_glyphs import visible
from explorer.views.trace_likelihoods import Likelihoods, Opinion
from explorer.views.trace_samples import SampleFilter, Samples
from explorer.views.trace_snapshot import Cell, Scoring

SEPARATOR: Final = " · "
ANSWER_WIDTH: Final = 24
TOKEN_WIDTH: Final = 28
CHOICE_WIDTH: Final = 14

URGENT: Final = 100
"""Facts of this weight are said at length even if others must go."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something said in a line.

    Attributes:
        long, short: two ways to say it.
        tone: name of a colour.
        weight: the lightest are left out first.
    """

    long: str
    short: str
    tone: str
    weight: int
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """A fact as it is said."""

    text: str
    tone: str
    bold: bool = False


def fit(
    facts: Sequence[Fact], width: int, measure: Measure = len, separator: str = SEPARATOR
) -> list[Said]:
    """As many facts as fit into `width` cells, the weightiest first to be said at length."""
    kept = sorted(facts, key=lambda fact: -fact.weight)

    def size(texts: Sequence[str]) -> int:
        return sum(map(measure, texts)) + len(separator) * (len(texts) - 1)

    def shortest(fact: Fact) -> str:
        urgent = fact.weight >= URGENT and measure(fact.long) <= width
        return fact.long if urgent else fact.short

    while len(kept) > 1 and size([shortest(fact) for fact in kept]) > width:
        kept.pop()
    wording = {id(fact): shortest(fact) for fact in kept}
    for fact in kept:
        longer = {**wording, id(fact): fact.long}
        if size(list(longer.values())) <= width:
            wording = longer
    return [Said(wording[id(fact)], fact.tone, fact.bold) for fact in facts if id(fact) in wording]


def header(
    cell: Cell, samples: Samples, trace: TraceRow | None, known: Likelihoods | None
) -> tuple[list[Fact], list[Fact]]:
    """Two lines of facts over a column: which sample and whether it is right; its likelihoods."""
    return _which(samples), _how_likely(cell, samples, trace, known)


def scoring_fact(scoring: Scoring | None, base: str) -> Fact | None:
    """How a request to score is going; None when there is nothing to say."""
    if scoring is None or scoring.request is None:
        return None
    request = scoring.request
    if request.state == "failed":
        title = clip(visible(str(request.error.get("title", "no reason given")), " "), 40)
        return Fact(f"scoring failed: {title}", "scoring failed", "wrong", 100)
    if request.completion_id is not None:
        progress = "this trace"
    else:
        progress = f"{min(scoring.scored, request.n)}/{request.n}"
    if not scoring.sampler_alive:
        return Fact(
            f"scoring {progress}: waiting for the sampler", "scoring waits", "undecided", 100
        )
    if request.state == "queued":
        return Fact(f"scoring {progress} under {base}: queued", "queued…", "accent", 100)
    return Fact(f"scoring {progress} under {base}…", f"scoring {progress}…", "accent", 100)


def clip(text: str, width: int) -> str:
    """At most `width` characters, with an ellipsis where something was cut."""
    return text if len(text) <= width else text[: width - 1] + "…"


def _which(samples: Samples) -> list[Fact]:
    head, admitted = samples.head, len(samples.admitted)
    kind = "" if samples.filter is SampleFilter.ALL else f"{samples.filter} "
    if head is None:
        return []
    place = f"{samples.position or '–'}/{admitted}"
    outcome = "" if head.outcome is None else str(head.outcome)
    word, mark = outcome or "ungraded", OUTCOME_MARKS[outcome]
    facts = [
        Fact(f"{kind}sample {place} (#{head.index})", f"{kind}{place} (#{head.index})", "text", 90),
        Fact(f"{mark} {word}", f"{mark} {word}", OUTCOME_COLOURS[outcome], 95, bold=True),
    ]
    facts += _doubts(head)
    if head.answer:
        answer = clip(visible(head.answer, " "), ANSWER_WIDTH)
        guessed = head.method == "last-number"
        found = f" {head.method}" if head.method not in ("", "none") else ""
        facts.append(
            Fact(f"answer {answer}{found}", answer, "undecided" if guessed else "text", 80)
        )
    elif head.outcome is not None:
        facts.append(Fact("no answer found", "no answer", "muted", 70))
    origin = "recorded" if head.origin is Origin.RECORDED else "live"
    facts.append(Fact(origin, origin, "faint", 20))
    return facts


def _doubts(head: CompletionHead) -> list[Fact]:
    """A person's word over the verifier's, or the second verifier's against it."""
    if head.overridden:
        said = head.verified or "nothing yet"
        return [Fact(f"by hand (verifier: {said})", "by hand", "accent", 94)]
    if head.disagrees:
        return [Fact(f"≠ second verifier: {head.second}", f"≠ {head.second}", "undecided", 94)]
    return []


def _said_by(trace: TraceRow) -> list[Fact]:
    override = trace.override
    if override is None:
        return []
    author = clip(visible(override.author, " "), 30)
    note = clip(visible(override.note, " "), 80)
    day = time.strftime("%Y-%m-%d", time.localtime(override.made))
    long = f"{override.outcome} says {author}, {day}"
    return [Fact(f"{long}: {note}" if note else long, f"by {author}", "accent", 72)]


def _reviewed(trace: TraceRow) -> list[Fact]:
    """What people and judges found in its reasoning, a voice a fact."""
    people = [row for row in trace.reviews if not row.reviewer.startswith(JUDGE_PREFIX)]
    facts = []
    for row in people:
        who, note = clip(visible(row.reviewer, " "), 30), clip(visible(row.note, " "), 80)
        long = f"{row.finding} says {who}" + (" (blind)" if row.blind else "")
        tone = "right" if row.finding is Finding.SOUND else "undecided"
        facts.append(Fact(f"{long}: {note}" if note else long, str(row.finding), tone, 73))
    for judge in dict.fromkeys(row.reviewer for row in trace.reviews if row not in people):
        votes = [row.finding for row in trace.reviews if row.reviewer == judge]
        sound, unread = votes.count(Finding.SOUND), votes.count(Finding.UNDECIDED)
        name = clip(visible(judge, " "), 30)
        long = f"{name}: {sound} of {len(votes)} votes sound"
        long += f", {unread} unreadable" if unread else ""
        facts.append(Fact(long, f"{name} {sound}/{len(votes)}", "muted", 71))
    return facts


def _how_likely(
    cell: Cell, samples: Samples, trace: TraceRow | None, known: Likelihoods | None
) -> list[Fact]:
    head = samples.head
    if head is None:
        return []
    facts = []
    if head.n_tokens is not None:
        facts.append(Fact(f"{head.n_tokens} tok", f"{head.n_tokens} tok", "muted", 60))
    if head.finish is FinishReason.LENGTH:
        facts.append(Fact("cut at max tokens", "cut", "undecided", 75))
    if trace is not None:
        facts += _said_by(trace)
        facts += _reviewed(trace)
        facts += _source_says(trace)
    if trace is not None and known is not None:
        facts += _perplexities(cell, known)
        if trace.tokens is None:
            facts.append(Fact("text only, no tokens", "no tokens", "undecided", 65))
        elif not known.exact:
            facts.append(Fact("retokenised, not exact", "retokenised", "undecided", 65))
    return facts


def _source_says(trace: TraceRow) -> list[Fact]:
    """What the file of an imported completion says of it, loudest where it contradicts us."""
    recorded = trace.recorded
    if recorded is None:
        return []
    facts = []
    label, ours = recorded.compared, trace.head.outcome
    if label is not None and label.outcome is not None:
        said = _RIGHT_OR_WRONG[label.outcome]
        if ours in _RIGHT_OR_WRONG and ours is not label.outcome:
            long = f"source says {said}, we say {_RIGHT_OR_WRONG[ours]}"
            facts.append(Fact(long, f"source: {said}!", "undecided", 85, bold=True))
        else:
            facts.append(Fact(f"source says {said}", f"source: {said}", "muted", 35))
    if recorded.note:
        note = clip(visible(recorded.note, " "), 60)
        facts.append(Fact(note, clip(note, 20), "undecided", 55))
    return facts


_RIGHT_OR_WRONG: Final[dict[Outcome | None, str]] = {
    Outcome.CORRECT: "right", Outcome.WRONG: "wrong"
}  # fmt: skip


def _perplexities(cell: Cell, known: Likelihoods) -> list[Fact]:
    facts = []
    if known.own.logprobs is not None:
        own = f"{perplexity(known.own.logprobs):.2f}"
        facts.append(Fact(f"PPL own {own}", f"PPL own {own}", "muted", 50))
    if known.is_base:
        return facts
    name = known.base.model
    if known.base.logprobs is None:
        return facts  # why there are none is said with the colours
    base = perplexity(known.base.logprobs)
    short = f"{name} {base:.2f}" if facts else f"PPL {name} {base:.2f}"
    facts.append(Fact(f"PPL {name} {base:.2f}", short, "text", 52))
    place = placement(base, cell.base_perplexities)
    if place.n:
        share = f"{100 * place.quantile:.0f}"
        long = f"above {share}% of {name}'s own {place.n}"
        facts.append(Fact(long, f"above {share}% of {name}'s {place.n}", "muted", 40))
    return facts


def inspect(
    text: TraceText, unit: int, trace: TraceRow, known: Likelihoods, floor: float = NOISE
) -> list[list[Fact]]:
    """Three lines about a unit: what it is, what base and own think of it, the alternatives.

    A difference below `floor` nats is said to be no evidence.
    """
    assert trace.tokens is not None
    members = text.tokens_of(unit)
    token = members[0]
    first = [
        Fact(f"token {token + 1}/{text.n_tokens}", f"{token + 1}/{text.n_tokens}", "muted", 50)
    ]
    if len(members) > 1:
        first[0] = Fact(
            f"tokens {token + 1}–{members[-1] + 1}/{text.n_tokens} share a character",
            f"{token + 1}–{members[-1] + 1}/{text.n_tokens}",
            "muted",
            50,
        )
    written = " ".join(quoted(text.token_bytes(member)) for member in members)
    first.insert(
        0, Fact(clip(written, TOKEN_WIDTH), clip(written, TOKEN_WIDTH), "strong", 99, True)
    )
    ids = " ".join(str(int(trace.tokens.ids[member])) for member in members)
    first.append(Fact(f"id {ids}", f"id {ids}", "muted", 45))
    if not known.exact:
        first.append(
            Fact("retokenised: not the tokens that were drawn", "retokenised", "undecided", 60)
        )
    first += _so_far(known, token)
    opinions = _opinion(known.base, token, members, 90)
    if not known.is_base:
        opinions += _opinion(known.own, token, members, 70)
        if known.delta is not None:
            difference = float(known.delta[list(members)].sum())
            said = f"Δ {signed(difference)}"
            if abs(difference) < floor:
                opinions.append(Fact(f"{said} nats, within noise", f"{said} ≈", "muted", 80))
            else:
                opinions.append(Fact(f"{said} nats", said, "strong", 80))
    return [first, opinions, _choices(known, token, trace)]


def token_line(text: TraceText, unit: int, trace: TraceRow, known: Likelihoods, where: str) -> str:
    """The inspector's facts as one line of plain text, for the clipboard."""
    lines = inspect(text, unit, trace, known)
    return SEPARATOR.join([where, *(fact.long for line in lines for fact in line)])


def quoted(data: bytes) -> str:
    """A token's bytes, visibly; the pieces of a character in hexadecimal."""
    if not data:
        return "∎ control token, no text"
    try:
        return visible(data.decode("utf-8"))
    except UnicodeDecodeError:
        return "bytes " + data.hex(" ").upper()


def probability(logprob: float) -> str:
    """A probability with three significant digits, never rounded up to 1 or down to 0."""
    value = math.exp(min(logprob, 0.0))
    if value >= 0.9995:
        return ">0.999" if logprob < 0 else "1"
    if value >= 0.001:
        return f"{value:.3f}"
    return f"10^{logprob / math.log(10):.1f}".replace("-", "−") if logprob < 0 else "0"


def signed(value: float) -> str:
    """A number with its sign, minus as minus."""
    return f"{value:+.2f}".replace("-", "−")


def _opinion(opinion: Opinion, token: int, members: range, weight: int) -> list[Fact]:
    name = opinion.model
    if opinion.logprobs is None:
        return [Fact(f"{name}: {opinion.missing}", f"{name}: unknown", "undecided", weight)]
    logprob = float(opinion.logprobs[list(members)].sum())
    chance = f"{name}  p {probability(logprob)}"
    facts = [Fact(chance, chance, "text", weight, bold=True)]
    surprise = f"−log p {max(0.0, -logprob):.2f}"
    facts.append(Fact(surprise, surprise, "text", weight - 15))
    if opinion.ranks is not None:
        rank = f"rank {int(opinion.ranks[token]):,}"
        facts.append(Fact(rank, rank, "text", weight - 5))
    if opinion.entropies is not None and not np.isnan(opinion.entropies[token]):
        entropy = f"H {float(opinion.entropies[token]):.2f}"
        facts.append(Fact(f"entropy {entropy[2:]}", entropy, "muted", weight - 25))
    return facts


def _so_far(known: Likelihoods, token: int) -> list[Fact]:
    values = known.base.logprobs
    if values is None:
        return []
    said = f"PPL {known.base.model} so far {perplexity(values[: token + 1]):.2f}"
    return [Fact(said, said, "faint", 20)]


def _choices(known: Likelihoods, token: int, trace: TraceRow) -> list[Fact]:
    assert trace.tokens is not None
    scores = known.base.scores
    name = known.base.model
    texts = _texts_at(scores, token)
    if scores is None or not texts:
        said = f"press b to score this sample under {name}, B for all of the column"
        return [Fact(said, said, "faint", 50)]
    facts = [Fact(f"{name} would say", f"{name}", "muted", 99)]
    drawn = int(trace.tokens.ids[token])
    for place, (text, logprob) in enumerate(zip(texts, scores.top_logprobs[token], strict=False)):
        chosen = int(scores.top_ids[token][place]) == drawn
        shown = clip(visible(text) or "∎", CHOICE_WIDTH)
        share = 100 * math.exp(float(logprob))
        said = f"{shown} {share:.0f}%" if share >= 0.95 else f"{shown} {share:.1g}%"
        said = f"▸{said}" if chosen else said
        facts.append(Fact(said, said, "accent" if chosen else "text", 90 - place, bold=chosen))
    return facts


def _texts_at(scores: TokenScores | None, token: int) -> Sequence[str]:
    """What the model would rather have written; asks for no other token's, nor how many are."""
    try:
        return scores.top_texts[token] if scores is not None else ()
    except IndexError:
        return ()
