"""Two traces beside each other: nothing lost, the parting found, both models' probabilities."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from zlib import crc32

import numpy as np
import pytest
from rich.cells import cell_len

from explorer.core.completion import FinishReason, Origin, Tokens, TokenScores
from explorer.store.rows import ArmRow, CompletionHead, ModelRow, ScorerRow, TraceRow
from explorer.views.parting import parting_facts
from explorer.views.side_by_side import By, Pair, Tone, align_pair, token_at
from explorer.views.side_lines import headline, lay
from tests.fake_cache import HOSTILE, spec

BASE = ArmRow(1, "a1:base", spec("base"), ModelRow("base", "base", "", ""))
RL = ArmRow(2, "a1:rl", spec("rl"), ModelRow("rl", "rl", "base", "GRPO"))


def trace(text: str, arm: ArmRow, tokens: bool = True, eos: bool = True) -> TraceRow:
    """A trace cut at words, with a control token at its end."""
    pieces = re.findall(r"\s?[^\W\d]+|\s?\d|\s?[^\w\s]|\s", text)
    if eos:
        pieces.append("")
    ends = np.cumsum([len(piece.encode()) for piece in pieces]).astype(np.int32)
    ids = np.array([crc32(piece.encode()) >> 1 for piece in pieces], dtype=np.int32)
    head = CompletionHead(arm.id, 0, len(ids), None, FinishReason.STOP, Origin.LIVE, None, "", "")
    logprobs = np.linspace(-0.1, -3.0, len(ids)).astype(np.float32)
    kept = Tokens(ids, ends, logprobs) if tokens else None
    return TraceRow(head, arm.id, 1, 0, "", text, kept, "", {})


def pair(left: str, right: str) -> Pair:
    return Pair(trace(left, RL), RL, trace(right, BASE), BASE)


LEFT = " We have 3 * 5 = 15 trees. Wait, both ends count: 15 + 1 = 16. The answer is 16."
RIGHT = " We have 3 * 5 = 15 trees. So the answer is 15."


@pytest.mark.parametrize("by", By)
def test_the_pieces_are_exactly_the_two_texts(by: By) -> None:
    generator = random.Random(5)
    words = [" so", " 3 * 4 = 12", ".", "\n", " x", " tree", "? ", " 漢字", " 7", HOSTILE[:40]]
    for _ in range(60):
        texts = ["".join(generator.choices(words, k=generator.randrange(12))) for _ in range(2)]
        aligned = align_pair(pair(*texts), by)
        for side, text in enumerate(texts):
            pieces = [(group.left, group.right)[side] for group in aligned.groups]
            assert "".join(piece.text for one in pieces for piece in one) == text


def test_they_part_where_the_first_token_differs() -> None:
    aligned = align_pair(pair(LEFT, RIGHT), By.TOKENS)
    first = aligned.differences[0]
    assert first.left == first.right == 10  # " Wait" and " So", after " trees" and "."
    assert [piece.tone for piece in aligned.groups[0].left] == [Tone.SAME]
    assert aligned.groups[1].differs


def test_two_equal_traces_have_no_difference() -> None:
    aligned = align_pair(pair(LEFT, LEFT), By.TOKENS)
    assert not aligned.differences
    assert not any(group.differs for group in aligned.groups)
    assert "no difference" in headline(aligned)
    assert parting_facts(pair(LEFT, LEFT), aligned, 0)[0][0].long == "The two are the same."


def test_steps_are_matched_whatever_the_words_are() -> None:
    aligned = align_pair(
        pair("First 3 * 5 = 15, so 16.", "Well: 3*5=15! Hence 9, or 16."), By.STEPS
    )
    same = [
        tuple(
            piece.text
            for side in (group.left, group.right)
            for piece in side
            if piece.tone is Tone.SAME
        )
        for group in aligned.groups
        if not group.differs
    ]
    assert same == [("3 * 5 = 15", "3*5=15"), ("16", "16")]
    assert (aligned.same, aligned.left_items, aligned.right_items) == (2, 2, 3)
    (extra,) = aligned.differences
    assert extra.left is None
    assert extra.right is not None


def test_other_tokenizers_are_aligned_on_steps_and_it_says_so() -> None:
    other = replace(BASE, spec=replace(BASE.spec, tokenizer="tok:2"))
    right = trace(RIGHT, other)
    assert right.tokens is not None
    shifted = replace(right.tokens, ids=np.roll(right.tokens.ids, 1))  # ids that mean others
    both = Pair(trace(LEFT, RL), RL, replace(right, tokens=shifted), other)
    aligned = align_pair(both, By.TOKENS)
    assert aligned.by is By.STEPS
    assert aligned.remark == "on steps: their tokenizers differ"


def test_tokenizer_files_that_differ_in_nothing_that_matters_are_the_same() -> None:
    other = replace(BASE, spec=replace(BASE.spec, tokenizer="tok:2"))
    both = Pair(trace(LEFT, RL), RL, trace(RIGHT, other), other)
    assert align_pair(both, By.TOKENS).by is By.TOKENS


def test_text_without_tokens_is_aligned_on_steps() -> None:
    both = Pair(trace(LEFT, RL, tokens=False), RL, trace(RIGHT, BASE), BASE)
    aligned = align_pair(both, By.TOKENS)
    assert aligned.by is By.STEPS
    facts = parting_facts(both, aligned, 0)
    assert any("not recorded" in fact.long for fact in facts[0])


def test_both_models_probabilities_of_the_rl_token_are_said() -> None:
    both = pair(LEFT, RIGHT)
    assert both.left.tokens is not None
    n = len(both.left.tokens)
    scores = TokenScores(
        np.full(n, np.log(0.25), np.float32), np.full(n, 3, np.int32), np.ones(n, np.float32),
        np.zeros((n, 1), np.int32), np.full((n, 1), np.log(0.5), np.float32), [[" So"]] * n,
    )  # fmt: skip
    scorer = ScorerRow(1, "base", "local:base", "tok:1", "transformers", "float32")
    both = replace(both, left=replace(both.left, scores={scorer: scores}))
    aligned = align_pair(both, By.TOKENS)
    left, right, place = [[fact.long for fact in line] for line in parting_facts(both, aligned, 0)]
    assert any(fact.startswith("p(rl) 0.") for fact in left)
    assert "p(base) 0.250, rank 3" in left
    assert any(fact.startswith("p(base)") for fact in right)
    assert "the same context" in place[1]
    assert "␣So 0.500" in place[2]
    later = parting_facts(both, aligned, len(aligned.differences) - 1)
    assert "contexts differ" in later[2][1].long


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("by", By)
def test_lines_fit_and_hold_nothing_that_moves_a_cursor(by: By, stacked: bool) -> None:
    other = HOSTILE.replace("tab", "TAB").replace("7", "8")
    aligned = align_pair(pair(HOSTILE, other), by)
    lines = lay(aligned, 30, stacked, cell_len)
    for line in lines:
        for runs in (line.left, line.right or ()):
            text = "".join(run.text for run in runs)
            assert cell_len(text) <= 30
            assert text.isprintable()
    marked = [line.mark for line in lines if line.mark]
    assert marked[0] == "◆"
    assert set(marked[2:]) <= {"≠", "◆"}


def test_one_column_shows_what_is_the_same_once() -> None:
    lines = lay(align_pair(pair(LEFT, RIGHT), By.TOKENS), 40, True, cell_len)
    sides = [line.side for line in lines]
    assert sides[0] == "both"
    assert {"left", "right"} <= set(sides)
    assert sum("trees" in run.text for line in lines for run in line.left) == 1


def test_the_token_at_a_character_of_a_wide_text() -> None:
    one = trace("漢 7 a", RL)
    assert one.tokens is not None
    assert [token_at(one, place) for place in range(5)] == [0, 1, 1, 2, 2]


@pytest.mark.parametrize("texts", [("", ""), ("", LEFT), (LEFT, "")])
@pytest.mark.parametrize("by", By)
def test_empty_traces(texts: tuple[str, str], by: By) -> None:
    aligned = align_pair(pair(*texts), by)
    for stacked in (True, False):
        lay(aligned, 20, stacked, cell_len)
    parting_facts(pair(*texts), aligned, 0)
