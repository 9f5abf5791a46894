"""Text made safe and readable, numbers made short, logs and paces."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.store.rows import SamplerRow
from explorer.views.activity import Activity
from explorer.views.latex import readable
from explorer.views.numbers import age, bar, duration, percent, plural, span
from explorer.views.pace import Pace
from explorer.views.problem_list import headline
from explorer.views.runs import read_tail
from explorer.views.text import last_line, lines_of, one_line
from tests.fake_cache import HOSTILE


def is_safe(text: str) -> bool:
    return not any(
        unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") for character in text
    )


class TestSafety:
    def test_hostile_text_is_shown_not_obeyed(self) -> None:
        text = one_line(HOSTILE)
        assert is_safe(text)
        assert "[b]bold[/b] a[i] [/foo]" in text
        assert "␛[2J" in text
        assert "‹202E›" in text
        assert "漢字" in text

    @given(st.text(max_size=300))
    def test_nothing_that_could_move_a_cursor_gets_through(self, text: str) -> None:
        assert is_safe(one_line(text))
        assert all(is_safe(line) for line in lines_of(text))
        assert is_safe(last_line(text))
        assert is_safe(headline(text))

    def test_lines_keep_their_indentation(self) -> None:
        assert lines_of("a\r\n\tb\n\n  c") == ["a", "    b", "", "  c"]

    def test_the_line_being_written(self) -> None:
        assert last_line("first\nsecond line\n\n") == "second line"
        assert last_line("") == ""


class TestLatex:
    @pytest.mark.parametrize(
        ("source", "shown"),
        [
            ("He has $5 and gives $7 away, 20% of it.", "He has $5 and gives $7 away, 20% of it."),
            (r"20\% of $\$5$ is $\dfrac12$", "20% of $5 is 1/2"),
            (r"If $\frac{a+b}{c} = \sqrt{x^2+1}$", "If (a+b)/c = √(x²+1)"),
            (r"$x_1^{10} + a_{n+1}$", "x₁¹⁰ + aₙ₊₁"),
            (r"\[\sum_{k=1}^{n} k^{2n}\]", "∑ₖ₌₁ⁿ k²ⁿ"),
            (r"$a \equiv 3 \pmod{7}$ in $\mathbb{N}$", "a ≡ 3  (mod 7) in ℕ"),
            (r"$\sqrt[3]{27}$ at $30^\circ$, \boxed{7}", "∛27 at 30°, [7]"),
            ("$3$ apples and $12$ pears", "3 apples and 12 pears"),
            (r"C:\new\table", r"C:\new\table"),
            (r"$\frac{", r"$\frac{"),
            ("plain words", "plain words"),
            ("see [asy]draw((0,0));[/asy] now", "see [figure, drawn by Asymptote code] now"),
        ],
    )
    def test_readable(self, source: str, shown: str) -> None:
        assert readable(source) == shown

    @given(st.text(alphabet="\\${}^_%&[]()abx12 \n~#fracsqt", max_size=60))
    def test_never_raises_and_never_loses_everything(self, source: str) -> None:
        shown = readable(source)
        letters = [character for character in source if character.isdigit()]
        assert bool(shown.strip()) or not letters


class TestNumbers:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.0, "0%"),
            (0.0002, "<0.1%"),
            (0.016, "1.6%"),
            (0.0996, "10%"),
            (0.464, "46%"),
            (0.996, ">99%"),
            (1.0, "100%"),
            (float("nan"), "–"),
        ],
    )
    def test_percent(self, value: float, text: str) -> None:
        assert percent(value) == text

    def test_span(self) -> None:
        assert span(0.118, 0.31) == "12–31%"
        assert span(0.0, 0.046) == "0–4.6%"
        assert span(0.99, 0.999) == "≥99%"
        assert span(0.9999, 1.0) == ">99%"
        assert span(float("nan"), 1.0) == "–"

    @given(st.floats(0, 1), st.integers(1, 30))
    def test_bars_fill_their_width(self, value: float, width: int) -> None:
        drawn, rest = bar(value, width)
        assert len(drawn) + len(rest) == width
        assert bool(drawn) == (value > 0)

    def test_times(self) -> None:
        assert [duration(s) for s in (0.2, 40, 200, 7500)] == ["1 s", "40 s", "3 min", "2 h 05"]
        assert [age(s) for s in (1, 12, 300, 9000)] == [
            "just now",
            "12 s ago",
            "5 min ago",
            "2 h ago",
        ]
        assert plural(1, "problem") == "1 problem"
        assert plural(1200, "problem") == "1,200 problems"


class TestPace:
    def test_needs_two_observations(self) -> None:
        pace = Pace()
        assert pace.seconds_left(10) is None
        pace.observe(100.0, 4)
        pace.observe(101.0, 4)
        assert pace.per_second() is None
        pace.observe(104.0, 12)
        assert pace.per_second() == pytest.approx(2.0)
        assert pace.seconds_left(10) == pytest.approx(5.0)

    def test_forgets_what_is_long_ago(self) -> None:
        pace = Pace()
        for second in range(0, 200, 10):
            pace.observe(float(second), second if second < 100 else 100 + 5 * (second - 100))
        assert pace.per_second() == pytest.approx(5.0)

    def test_starts_anew_when_counts_fall(self) -> None:
        pace = Pace()
        pace.observe(0.0, 50)
        pace.observe(1.0, 3)
        assert pace.per_second() is None


class TestActivity:
    ROW = SamplerRow(7, "host", 0.0, 1000.0, "sampling", "rl", "", 212.4, 0)

    def test_words(self) -> None:
        assert Activity(None, 0).words(1000.0)[0] == "sampler not running"
        assert Activity(None, 2).words(1000.0)[0] == "sampler not running · 2 waiting"
        assert Activity(self.ROW, 3).words(1001.0)[0] == "sampling rl · 212 tok/s · 2 waiting"
        assert Activity(self.ROW, 3).words(2000.0) == ("sampler not answering · 3 waiting", "wrong")


class TestLogs:
    def test_the_end_of_a_log_is_safe_and_progress_bars_show_their_last_word(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "model-rl.log").write_text("loading\n")
        (tmp_path / "sampler.log").write_bytes(
            b"one\r\n\x1b[31mred\x1b[0m \x1b]0;owned\x07\n10%\r50%\r100%\n\xff\n"
        )
        tail = read_tail(tmp_path)
        assert tail.name == "sampler.log"
        assert tail.names == ("sampler.log", "model-rl.log")
        assert tail.lines == ("one", "red ␛]0;owned␇", "100%", "\ufffd")
        assert read_tail(tmp_path, "model-rl.log").lines == ("loading",)

    def test_no_logs_yet(self, tmp_path: Path) -> None:
        assert read_tail(tmp_path / "nowhere").lines == ()
