"""Overlays colour what is known and nothing else; the words around a trace say the rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from explorer.core.arm import ArmSpec, Sampling
from explorer.core.completion import FinishReason, Float32, Origin, Outcome, Tokens, TokenScores
from explorer.store.rows import (
    ArmRow,
    CompletionHead,
    ModelRow,
    RequestRow,
    ScorerRow,
    TraceRow,
)
from explorer.views.overlay import Overlay, colour, legend
from explorer.views.trace import TraceText
from explorer.views.trace_facts import (
    Fact,
    fit,
    header,
    inspect,
    probability,
    quoted,
    scoring_fact,
    token_line,
)
from explorer.views.trace_likelihoods import read_likelihoods
from explorer.views.trace_samples import SampleFilter, Samples
from explorer.views.trace_snapshot import Cell, Scoring

PIECES = (" so", " 1", "2", ".", "")
OWN = np.array([-0.1, -0.7, -1.5, -3.0, -0.01], dtype=np.float32)
BASE = np.array([-0.15, -0.05, -4.5, -2.0, -0.02], dtype=np.float32)


def arm(name: str = "rl", base: str = "base") -> ArmRow:
    spec = ArmSpec("c", "t", "{question}", Sampling(), 256, "transformers", "float32")
    role = "rl" if base else "base"
    return ArmRow(2, "a1:x", spec, ModelRow(name, role, base, ""))


def scores(logprobs: Float32, entropies: Float32 | None = None) -> TokenScores:
    n = len(logprobs)
    return TokenScores(
        logprobs=logprobs,
        ranks=np.array([1, 1, 9, 3, 1], dtype=np.int32)[:n],
        entropies=np.full(n, 0.5, np.float32) if entropies is None else entropies,
        top_ids=np.tile(np.array([3, 7], dtype=np.int32), (n, 1)),
        top_logprobs=np.tile(np.log([0.6, 0.004]).astype(np.float32), (n, 1)),
        top_texts=[["[b]", "\x1b[2J"] for _ in range(n)],
    )


def trace(
    scored: TokenScores | None = None,
    own: Float32 | None = OWN,
    exact: bool = True,
    tokens: bool = True,
) -> TraceRow:
    ends = np.cumsum([len(piece) for piece in PIECES]).astype(np.int32)
    ids = np.arange(len(PIECES), dtype=np.int32)
    head = CompletionHead(
        11, 4, 5, -1.0, FinishReason.STOP, Origin.RECORDED, Outcome.CORRECT, "12", "boxed"
    )
    scorer = ScorerRow(1, "base", "c", "t", "transformers", "float32")
    return TraceRow(
        head=head,
        arm_id=2,
        problem_id=1,
        seed=0,
        source="",
        text="".join(PIECES),
        tokens=Tokens(ids, ends, own, exact) if tokens else None,
        detail="",
        scores={} if scored is None else {scorer: scored},
    )


def levels(overlay: Overlay, row: TraceRow, of: ArmRow | None = None) -> tuple[list[int], str]:
    text = TraceText(row.text, row.tokens)
    found = colour(overlay, text, read_likelihoods(row, of or arm()))
    return found.levels.tolist(), found.missing


def test_surprisal_is_the_base_models() -> None:
    assert levels(Overlay.SURPRISAL, trace(scores(BASE))) == ([0, 0, 4, 3, 0], "")


def test_delta_is_signed_and_silent_below_a_tenth_of_a_nat() -> None:
    found, missing = levels(Overlay.DELTA, trace(scores(BASE)))
    assert missing == ""
    assert found == [0, -2, 4, -3, 0]  # 0.05 and 0.01 are noise


def test_rank_has_three_classes() -> None:
    assert levels(Overlay.RANK, trace(scores(BASE)))[0] == [0, 0, 4, 2, 0]


def test_unknown_entropy_is_said_not_coloured() -> None:
    unknown = scores(BASE, entropies=np.full(5, np.nan, np.float32))
    found, missing = levels(Overlay.ENTROPY, trace(unknown))
    assert found == [0] * 5
    assert "entropies need a score under base" in missing


@pytest.mark.parametrize("overlay", [o for o in Overlay if o is not Overlay.PLAIN])
def test_without_scores_nothing_is_coloured_and_the_reason_is_given(overlay: Overlay) -> None:
    assert levels(overlay, trace()) == ([0] * 5, "not scored under base yet")


def test_text_without_tokens_says_so() -> None:
    found, missing = levels(Overlay.SURPRISAL, trace(tokens=False))
    assert found == []
    assert "tokens are not recorded" in missing


def test_scores_of_another_tokenisation_are_not_stretched_over_these_tokens() -> None:
    found, missing = levels(Overlay.SURPRISAL, trace(scores(BASE[:4])))
    assert found == [0] * 5
    assert missing == "scored on other tokens (4, not 5)"


def test_delta_without_own_logprobs_names_what_is_missing() -> None:
    found, missing = levels(Overlay.DELTA, trace(scores(BASE), own=None))
    assert found == [0] * 5
    assert "rl's own log-probabilities" in missing


def test_the_bases_own_trace_needs_no_score_for_surprisal_but_does_for_ranks() -> None:
    base = arm("base", "")
    assert levels(Overlay.SURPRISAL, trace(), base) == ([0, 1, 2, 3, 0], "")
    assert "ranks need a score" in levels(Overlay.RANK, trace(), base)[1]
    assert levels(Overlay.DELTA, trace(scores(BASE)), base)[1] == "this is the base itself"


def test_notable_tokens_are_found_in_both_directions() -> None:
    row = trace(scores(BASE))
    found = colour(Overlay.DELTA, TraceText(row.text, row.tokens), read_likelihoods(row, arm()))
    assert [found.next_notable(unit, 1) for unit in range(5)] == [1, 2, 3, None, None]
    assert [found.next_notable(unit, -1) for unit in range(5)] == [None, None, 1, 2, 3]
    assert found.notable_count == 3


def test_a_unit_of_several_tokens_has_their_strongest_level() -> None:
    tokens = Tokens(
        np.arange(2, dtype=np.int32),
        np.array([1, 3], dtype=np.int32),
        np.array([-0.1, -3.0], dtype=np.float32),
    )
    row = replace(trace(), text="≤", tokens=tokens)
    assert levels(Overlay.SURPRISAL, row, arm("base", ""))[0] == [3]


@pytest.mark.parametrize("overlay", list(Overlay))
def test_every_overlay_has_a_legend_that_says_what_and_how(overlay: Overlay) -> None:
    said = legend(overlay, "base")
    if overlay is not Overlay.PLAIN:
        assert "base" in said.title
        assert "T = 1" in said.note
        assert "raw" in said.note
        assert {abs(level) for level, _ in said.entries} <= set(range(5))


# --- words -------------------------------------------------------------------------------------


def say(facts: list[Fact], width: int) -> str:
    return " · ".join(said.text for said in fit(facts, width))


def column(row: TraceRow) -> tuple[list[Fact], list[Fact]]:
    samples = Samples().with_heads([row.head])
    cell = Cell(arm(), (row.head,), (1.1, 1.2, 1.3, 9.0))
    return header(cell, samples, row, read_likelihoods(row, arm()))


def test_header_says_which_sample_and_how_likely() -> None:
    which, likely = column(trace(scores(BASE)))
    assert say(which, 80) == "sample 1/1 (#4) · ✓ correct · answer 12 boxed · recorded"
    said = say(likely, 120)
    assert said.startswith("5 tok · PPL own 2.89 · PPL base 3.83")
    assert "above 75% of base's own 4" in said


def test_header_gives_up_the_least_important_first_and_never_cuts() -> None:
    which, likely = column(trace(scores(BASE)))
    for width in range(12, 120):
        for facts in (which, likely):
            said = fit(facts, width)
            assert len(" · ".join(one.text for one in said)) <= width or len(said) == 1
            words = {fact.long for fact in facts} | {fact.short for fact in facts}
            assert {one.text for one in said} <= words
    assert "correct" in say(which, 12)


def test_retokenised_is_said() -> None:
    _, likely = column(trace(scores(BASE), exact=False))
    assert "retokenised, not exact" in say(likely, 120)


def test_inspector_names_the_token_both_opinions_and_the_alternatives() -> None:
    row = trace(scores(BASE))
    text, known = TraceText(row.text, row.tokens), read_likelihoods(row, arm())
    first, opinions, choices = (
        " · ".join(fact.long for fact in line) for line in inspect(text, 2, row, known)
    )
    assert first.startswith("2 · token 3/5 · id 2")
    assert "base  p 0.011 · −log p 4.50 · rank 9 · entropy 0.50" in opinions
    assert "rl  p 0.223 · −log p 1.50" in opinions
    assert opinions.endswith("Δ +3.00 nats")
    assert choices == "base would say · [b] 60% · ␛[2J 0.4%"


def test_the_drawn_token_is_marked_among_the_alternatives() -> None:
    row = trace(scores(BASE))
    text, known = TraceText(row.text, row.tokens), read_likelihoods(row, arm())
    choices = inspect(text, 3, row, known)[2]
    assert [fact.long for fact in choices if fact.bold] == ["▸[b] 60%"]


def test_inspector_of_a_control_token() -> None:
    row = trace(scores(BASE))
    text, known = TraceText(row.text, row.tokens), read_likelihoods(row, arm())
    assert inspect(text, 4, row, known)[0][0].long == "∎ control token, no text"


def test_copied_line_has_no_control_characters() -> None:
    row = trace(scores(BASE))
    text, known = TraceText(row.text, row.tokens), read_likelihoods(row, arm())
    assert token_line(text, 0, row, known, "twins/x rl #4").isprintable()


@pytest.mark.parametrize(
    ("logprob", "said"),
    [
        (0.0, "1"),
        (-1e-6, ">0.999"),
        (-0.693147, "0.500"),
        (-20.0, "10^−8.7"),
        (-9999.0, "10^−4342.5"),
    ],
)
def test_probabilities_are_never_rounded_to_certainty(logprob: float, said: str) -> None:
    assert probability(logprob) == said


def test_pieces_of_a_character_are_quoted_as_bytes() -> None:
    assert quoted(b"\xe2\x89") == "bytes E2 89"
    assert quoted(" é\n".encode()) == "␣é↵"


def request(state: str, completion: int | None = None, n: int = 64) -> RequestRow:
    return RequestRow(
        1, "score", "base", 1, None, n, 2, completion, 0, state, {"title": "[/] no model"}, 0, 0
    )


@pytest.mark.parametrize(
    ("scoring", "said"),
    [
        (Scoring(3, None, True), None),
        (Scoring(3, request("running"), True), "scoring 3/64 under base…"),
        (Scoring(3, request("queued"), True), "scoring 3/64 under base: queued"),
        (Scoring(3, request("running"), False), "scoring 3/64: waiting for the sampler"),
        (Scoring(3, request("running", 11, 1), True), "scoring this trace under base…"),
        (Scoring(3, request("failed"), True), "scoring failed: [/] no model"),
    ],
)
def test_progress_of_scoring_is_said(scoring: Scoring, said: str | None) -> None:
    fact = scoring_fact(scoring, "base")
    assert (fact.long if fact else None) == said


# --- stepping ----------------------------------------------------------------------------------


def heads(outcomes: str) -> list[CompletionHead]:
    """A head per letter: right, wrong, undecided, or '-' for ungraded."""
    kinds = {"r": Outcome.CORRECT, "w": Outcome.WRONG, "u": Outcome.UNDECIDED, "-": None}
    return [
        CompletionHead(
            100 + i, i, 5, None, FinishReason.STOP, Origin.LIVE, kinds[letter], "", "none"
        )
        for i, letter in enumerate(outcomes)
    ]


def test_new_completions_do_not_move_the_reader() -> None:
    samples = Samples().with_heads(heads("rw")).step(1)
    more = samples.with_heads(heads("rwrwr"))
    assert more.current == samples.current == 101
    assert (more.position, len(more.admitted)) == (2, 5)


def test_filter_moves_on_to_the_next_of_its_kind() -> None:
    samples = Samples().with_heads(heads("wwrwr")).with_filter(SampleFilter.RIGHT)
    assert samples.current == 102
    assert samples.step(1).current == 104
    assert samples.step(1).step(1).current == 104
    assert samples.step(1).with_filter(SampleFilter.WRONG).current == 103


def test_undecided_and_ungraded_are_neither_right_nor_wrong() -> None:
    samples = Samples().with_heads(heads("u-"))
    assert samples.with_filter(SampleFilter.RIGHT).current is None
    assert samples.with_filter(SampleFilter.WRONG).current is None
    back = samples.with_filter(SampleFilter.RIGHT).with_filter(SampleFilter.ALL)
    assert back.current == 100


def test_the_first_right_sample_appears_when_it_arrives() -> None:
    samples = Samples().with_heads(heads("ww")).with_filter(SampleFilter.RIGHT)
    assert samples.current is None
    assert samples.with_heads(heads("wwr")).current == 102


def test_a_verdict_that_arrives_later_keeps_the_place() -> None:
    samples = Samples().with_heads(heads("--")).step(1)
    assert samples.with_heads(heads("rw")).current == 101


def test_no_completions_at_all() -> None:
    samples = Samples().with_heads([])
    assert (samples.current, samples.head, samples.position) == (None, None, None)
    assert samples.step(1) == samples
