"""Reading comfort without a screen: groups of tokens, folds, repeated passages, saved views."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from explorer.core.completion import Tokens, TokenScores
from explorer.core.likelihood import surprisal_levels
from explorer.errors import DataError
from explorer.store import queries
from explorer.store.connection import open_reader
from explorer.tui.saving import write_pair
from explorer.views.folding import FoldedLayout, folds_of, repeated_units
from explorer.views.grouping import Unit, colour_by, groups_of, legend_by
from explorer.views.overlay import Overlay, colour, legend
from explorer.views.saved_view import SavedView, saved_lines
from explorer.views.trace import TraceLayout, TraceText
from explorer.views.trace_likelihoods import Likelihoods, Opinion
from tests import fake_cache
from tests.fake_cache import HOSTILE

TEXT = " We have 3 + 4 = 7. So 7 it is.\nWait, 漢字 cafe\u0301!"


def tokens_of(text: str, size: int = 3) -> Tokens:
    """A text cut every `size` bytes, wherever that is."""
    length = len(text.encode())
    ends = np.array([*range(size, length, size), length, length], np.int32)
    return Tokens(np.arange(len(ends), dtype=np.int32), ends, None)


def likelihoods(n: int, seed: int = 1) -> Likelihoods:
    generator = np.random.default_rng(seed)
    base = -generator.gamma(0.6, 2.0, n).astype(np.float32)
    own = -generator.gamma(0.6, 1.0, n).astype(np.float32)
    ranks = (1 + generator.integers(0, 9, n)).astype(np.int32)
    entropies = generator.gamma(0.5, 1.0, n).astype(np.float32)
    scores = TokenScores(
        base, ranks, entropies, np.zeros((n, 1), np.int32), np.zeros((n, 1), np.float32), [[""]] * n
    )
    return Likelihoods(
        Opinion("base", base, ranks, entropies, scores), Opinion("rl", own), exact=True
    )


@pytest.mark.parametrize("text", [TEXT, HOSTILE, "x", "no numbers at all", "\n\n 5"])
@pytest.mark.parametrize("unit", Unit)
def test_groups_are_runs_without_gaps(unit: Unit, text: str) -> None:
    shown = TraceText(text, tokens_of(text))
    groups = groups_of(unit, shown)
    assert len(groups) == shown.n_tokens
    assert groups[0] == 0
    assert set(np.diff(groups).tolist()) <= {0, 1}


def test_a_sentence_has_the_level_of_its_mean() -> None:
    shown = TraceText(TEXT, tokens_of(TEXT))
    known = likelihoods(shown.n_tokens)
    groups = groups_of(Unit.SENTENCE, shown)
    assert groups[-1] == 2
    found = colour_by(Unit.SENTENCE, Overlay.SURPRISAL, shown, known)
    assert known.base.logprobs is not None
    for number in range(3):
        mean = known.base.logprobs[groups == number].mean()
        wanted = int(surprisal_levels(np.array([mean], np.float32))[0])
        assert set(found.levels[groups[shown.first_token] == number].tolist()) == {wanted}


def test_a_step_has_the_largest_difference_of_its_tokens() -> None:
    shown = TraceText(TEXT, tokens_of(TEXT))
    known = likelihoods(shown.n_tokens)
    groups = groups_of(Unit.STEP, shown)
    found = colour_by(Unit.STEP, Overlay.DELTA, shown, known)
    single = colour(Overlay.DELTA, shown, known)
    for number in range(int(groups.max()) + 1):
        members = groups[shown.first_token] == number
        (level,) = set(found.levels[members].tolist())
        assert abs(level) == np.abs(single.levels[members]).max()


def test_tokens_are_coloured_as_ever_and_plain_stays_plain() -> None:
    shown = TraceText(TEXT, tokens_of(TEXT))
    known = likelihoods(shown.n_tokens)
    alone = colour_by(Unit.TOKEN, Overlay.RANK, shown, known)
    assert (alone.levels == colour(Overlay.RANK, shown, known).levels).all()
    assert not colour_by(Unit.WORD, Overlay.PLAIN, shown, known).levels.any()
    missing = Likelihoods(Opinion("base", missing="not scored"), Opinion("rl"), exact=True)
    assert colour_by(Unit.WORD, Overlay.SURPRISAL, shown, missing).missing == "not scored"


def test_unknown_entropies_in_a_group_are_left_out_of_its_mean() -> None:
    shown = TraceText("one two", Tokens(np.arange(4, dtype=np.int32),
                                        np.array([1, 3, 5, 7], np.int32), None))  # fmt: skip
    known = likelihoods(4)
    entropies = np.array([np.nan, 9.0, np.nan, 9.0], np.float32)
    opinion = Opinion("base", known.base.logprobs, known.base.ranks, entropies, known.base.scores)
    found = colour_by(
        Unit.WORD, Overlay.ENTROPY, shown, Likelihoods(opinion, known.own, exact=True)
    )
    assert found.levels.tolist() == [4, 4, 4, 4]


def test_a_group_is_one_stop_for_the_next_notable() -> None:
    shown = TraceText("aa bb cc", Tokens(np.arange(8, dtype=np.int32),
                                         np.arange(1, 9, dtype=np.int32), None))  # fmt: skip
    logprobs = np.array([-9, -9, -9, 0, 0, -9, -9, -9], np.float32)
    known = Likelihoods(Opinion("base", logprobs), Opinion("rl"), exact=True)
    found = colour_by(Unit.WORD, Overlay.SURPRISAL, shown, known)
    assert found.next_notable(0, 1) is not None
    stops = [0]
    while (stop := found.next_notable(stops[-1], 1)) is not None:
        stops.append(stop)
    assert len(stops) == found.notable_count


@pytest.mark.parametrize(
    ("overlay", "word"),
    [(Overlay.SURPRISAL, "mean"), (Overlay.DELTA, "largest |Δ|"), (Overlay.RANK, "worst")],
)
def test_the_legend_says_how_a_group_got_its_colour(overlay: Overlay, word: str) -> None:
    shown = legend_by(Unit.SENTENCE, overlay, legend(overlay, "base"))
    assert shown.title.startswith(f"{word} per sentence: ")
    assert legend_by(Unit.TOKEN, overlay, legend(overlay, "base")) == legend(overlay, "base")


class TestFolding:
    THINKING = "<think>\n" + "So a step, and another. " * 40 + "\n</think>\nThe answer is 7."

    @pytest.mark.parametrize("text", [THINKING, THINKING.removeprefix("<think>")])
    def test_only_thinking_is_hidden_and_its_size_is_said(self, text: str) -> None:
        shown = TraceText(text, tokens_of(text))
        whole = TraceLayout(shown, 40, cell_len)
        folded = FoldedLayout(shown, 40, cell_len, folds_of(shown))
        drawn = ["".join(span.text for span in folded.spans(line)) for line in range(len(folded))]
        assert len(folded) < len(whole)
        assert any(line.startswith("⋯ ") and "tokens of thinking" in line for line in drawn)
        assert any("The answer is 7." in line for line in drawn)
        assert sum("another" in line for line in drawn) <= 1

    def test_every_unit_has_a_line_and_the_cursor_can_leave_the_fold(self) -> None:
        shown = TraceText(self.THINKING, tokens_of(self.THINKING))
        folded = FoldedLayout(shown, 40, cell_len, folds_of(shown))
        lines = [folded.line_of(unit) for unit in range(shown.n_units)]
        assert lines == sorted(lines)
        assert max(lines) == len(folded) - 1
        for unit in range(shown.n_units):
            folded.column_of(unit)
            assert folded.line_of(unit) in folded.lines_of(unit)
        fold = next(
            line for line in range(len(folded)) if folded.spans(line)[0].text.startswith("⋯")
        )
        assert folded.unit_at(fold, 0) is None
        assert folded.unit_covering(fold, 3) is None
        assert folded.unit_at(fold + 1, 0) is not None

    @pytest.mark.parametrize("text", ["<think> never ends", "no thinking", "<think></think>x", ""])
    def test_nothing_to_fold(self, text: str) -> None:
        assert not folds_of(TraceText(text, tokens_of(text) if text else None))


def test_a_repeated_sentence_is_dimmed_from_its_second_time() -> None:
    sentence = " The trees stand every five metres."
    text = sentence + " Then 7." + sentence
    shown = TraceText(text, tokens_of(text))
    dimmed = repeated_units(shown)
    ends = shown.char_ends[shown.first_token]
    assert not dimmed[ends <= len(sentence) + 8].any()
    assert dimmed[(ends > len(sentence) + 9) & (ends < len(text))].all()


def test_a_long_trace_is_prepared_with_its_repeats() -> None:
    text = ("So we have 3 x 4 = 12 and then some more words. " * 1500)[:64_000]
    shown = TraceText(text, tokens_of(text, 4))
    assert shown.n_tokens >= 16_000
    assert repeated_units(shown).sum() > 14_000


class TestSaving:
    def test_the_file_says_where_every_number_comes_from(self, tmp_path: Path) -> None:
        fake_cache.build(tmp_path / "cache.db", problems=2, n=4, scored=1).close()
        with closing(open_reader(tmp_path / "cache.db")) as db:
            view = SavedView("traces", 2, (5,), {"overlay": "delta"}, [{"type": "row", "a": 1}])
            lines = [json.loads(line) for line in saved_lines(db, view, 12.0)]
            trace = queries.trace(db, 5)
        assert trace is not None
        assert trace.tokens is not None
        head, shown, row = lines
        assert head["verifier"] == "math"
        assert head["verifier_versions"] == ["math-1"]
        assert [arm["n"] for arm in head["arms"]] == [4, 4, 4]
        assert head["arms"][0]["key"].startswith("a1:")
        assert head["arms"][0]["spec"]["sampling"]["temperature"] == 1.0
        assert shown["text"] == trace.text
        assert shown["tokens"]["ids"] == trace.tokens.ids.tolist()
        assert shown["arm"] == head["arms"][0]["key"]
        assert shown["scores"][0]["model"] == "base"
        assert row == {"type": "row", "a": 1}

    def test_nothing_is_ever_written_over(self, tmp_path: Path) -> None:
        pairs = [
            write_pair(tmp_path / "exports", "../a b\x1b", 0.0, str(i), "{}\n") for i in range(3)
        ]
        names = {path.name for pair in pairs for path in pair}
        assert len(names) == 6
        assert all(name.startswith("a-b-") for name in names)
        assert [pair[0].read_text() for pair in pairs] == ["0", "1", "2"]
        assert len(list((tmp_path / "exports").iterdir())) == 6

    def test_a_folder_that_cannot_be_made_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "exports").write_text("a file")
        with pytest.raises(DataError, match="could not be written"):
            write_pair(tmp_path / "exports", "a", 0.0, "", "")
