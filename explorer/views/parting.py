"""What the two models think of the token with which two traces part, in two lines of facts.

Invariant: probabilities of both sides are compared only at the first difference, where both have
the same tokens before them; at any other the contexts differ, and it says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from explorer.store.rows import ArmRow, TraceRow
from explorer.views.side_by_side import Aligned, By, Pair
from explorer.views.text import one_line
from explorer.views.trace import TraceText
from explorer.views.trace_facts import TOKEN_WIDTH, Fact, clip, probability, quoted
from explorer.views.trace_likelihoods import Opinion, read_likelihoods


def parting_facts(pair: Pair, aligned: Aligned, number: int) -> list[list[Fact]]:
    """A line about the left side's token, one about the right side's, one about the place."""
    if not aligned.differences:
        tokens = aligned.by is By.TOKENS
        said = "The two are the same." if tokens else "Their calculations are the same."
        return [[Fact(said, "the same", "muted", 1)], [], []]
    here = aligned.differences[number]
    lines = [
        _token_facts(pair.left, pair.left_arm, here.left),
        _token_facts(pair.right, pair.right_arm, here.right),
    ]
    place = f"difference {number + 1} of {len(aligned.differences)}"
    first = number == 0 and aligned.by is By.TOKENS and here.left == here.right
    if first:
        where = f"they part after {here.left:,} common tokens: the same context on both sides"
        lines.append([Fact(place, place, "accent", 90), Fact(where, "they part here", "text", 80)])
        lines[-1] += _other_choices(pair, here.left)
    else:
        where = "the contexts differ before it"
        lines.append([Fact(place, place, "accent", 90), Fact(where, where, "muted", 50)])
    return lines


def _token_facts(trace: TraceRow, arm: ArmRow, token: int | None) -> list[Fact]:
    name = one_line(arm.model.name, 20)
    head = Fact(f"{name} #{trace.head.index}", name, "strong", 100, True)
    if trace.tokens is None:
        return [head, Fact("its tokens are not recorded", "no tokens", "undecided", 90)]
    if token is None:
        return [head, Fact("has nothing here", "nothing here", "muted", 90)]
    shown = clip(quoted(TraceText(trace.text, trace.tokens).token_bytes(token)), TOKEN_WIDTH)
    facts = [head, Fact(f"token {token + 1:,}", f"{token + 1:,}", "muted", 40)]
    facts.insert(1, Fact(shown, shown, "strong", 98))
    known = read_likelihoods(trace, arm)
    opinions = [known.own] if known.is_base else [known.own, known.base]
    asked = {opinion.model for opinion in opinions}
    for opinion in opinions:
        facts.append(_chance(opinion, token, 95))
    for scorer, scores in trace.scores.items():  # what RL thinks of a base sample
        if scorer.model not in asked and len(scores.logprobs) == len(trace.tokens):
            asked.add(scorer.model)
            facts.append(_chance(Opinion(scorer.model, scores.logprobs, scores.ranks), token, 70))
    return facts


def _chance(opinion: Opinion, token: int, weight: int) -> Fact:
    name = one_line(opinion.model, 20)
    if opinion.logprobs is None:
        return Fact(f"{name}: {opinion.missing}", f"{name}: unknown", "undecided", weight)
    said = f"p({name}) {probability(float(opinion.logprobs[token]))}"
    rank = f", rank {int(opinion.ranks[token]):,}" if opinion.ranks is not None else ""
    return Fact(said + rank, said, "text", weight)


def _other_choices(pair: Pair, token: int | None) -> Sequence[Fact]:
    """What the left trace's base would rather have written there."""
    known = read_likelihoods(pair.left, pair.left_arm).base
    if token is None or known.scores is None or not len(known.scores.top_logprobs):
        return []
    choices = [
        f"{clip(quoted(text.encode('utf-8', 'replace')), 12)} {probability(float(logprob))}"
        for text, logprob in zip(
            known.scores.top_texts[token][:3], known.scores.top_logprobs[token][:3], strict=False
        )
    ]
    said = f"{one_line(known.model, 20)} would write {'  '.join(choices)}"
    return [Fact(said, said, "muted", 30)]
