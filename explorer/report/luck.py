"""'Was it luck?' in `show` and `report`: CoT-pass@k as intervals, and what guessing is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from explorer.core.review import Rule
from explorer.views.cot import CotCell, CotMean, sentence
from explorer.views.guesses import Guess, GuessEffect, effect_sentence
from explorer.views.luck import ProblemLuck, SetLuck
from explorer.views.numbers import percent
from explorer.views.text import one_line

Rows = list[list[str]]


def problem_lines(luck: ProblemLuck) -> list[str]:
    """Lines for `show`; none where nothing was reviewed or guessed."""
    lines = []
    if luck.cot:
        lines.append("\nReasoning of right answers (what is not reviewed is left open)")
        for arm in luck.cot:
            name = one_line(arm.column.name)
            lines += [f"  {name}, {one_line(sentence(cell, luck.ks))}" for cell in arm.cells]
    if luck.guesses:
        lines.append("\nGuessing")
        lines += [f"  {one_line(guess.sentence())}" for guess in luck.guesses]
    return lines


def problem_dict(luck: ProblemLuck) -> dict[str, Any]:
    """The same for programs."""
    return {
        "cot": [
            {"model": arm.column.name, **_cell(cell, luck.ks)}
            for arm in luck.cot
            for cell in arm.cells
        ],
        "guesses": [_guess(guess) for guess in luck.guesses],
    }


def cot_tables(luck: SetLuck) -> list[tuple[str, list[str], Rows]]:
    """One table a voice, of the models that it reviewed: title, headers, rows."""
    tables = []
    voices = {mean.voice: mean for arm in luck.cot for mean in arm.means}
    for voice in voices:
        arms = [(arm.column, mean) for arm in luck.cot for mean in arm.means if mean.voice == voice]
        headers = ["", *(one_line(column.name) for column, _ in arms)]
        means = [mean for _, mean in arms]
        rows = [
            ["right answers reviewed", *(f"{m.reviewed:,} of {m.correct:,}" for m in means)],
            ["problems with reviews", *(f"{m.touched:,} of {m.problems:,}" for m in means)],
        ]
        several = any(mean.voters > 1 for mean in means)
        for rule in Rule if several else (Rule.MAJORITY,):
            suffix = f" ({rule.value})" if several else ""
            for place, k in enumerate(luck.ks):
                rows.append([f"CoT-pass@{k}{suffix}", *(_span(m, rule, place) for m in means)])
        tables.append((f"Reasoning, by {one_line(voice)}", headers, rows))
    return tables


COT_CAVEAT = (
    "CoT-pass@k from 'no other right answer is sound' to 'all others are'; the truth lies between."
)


def guess_lines(luck: SetLuck) -> list[str]:
    """Lines about guessing: what was asked, which problems, and pass@k without them."""
    lines = []
    for effect in luck.guesses:
        lines.append(one_line(effect_sentence(effect)))
        if not effect.guessable:
            continue
        lines.append(f"  guessable: {one_line(', '.join(effect.guessable), 400)}")
        for place, k in enumerate(luck.ks):
            if math.isnan(effect.everything[place]):
                continue
            lines.append(
                f"  pass@{k} {percent(effect.everything[place])} on {effect.problems} problems,"
                f" {percent(effect.without[place])} on the {effect.kept} that are not guessable;"
                f" guessing alone reaches {percent(effect.alone[place])} on the guessable"
            )
    return lines


def set_dict(luck: SetLuck) -> dict[str, Any]:
    """The same for programs."""
    return {
        "cot": [
            {
                "model": arm.column.name,
                "voice": mean.voice,
                "problems": mean.problems,
                "problems_reviewed": mean.touched,
                "reviewed": mean.reviewed,
                "correct": mean.correct,
                "voters": mean.voters,
                "cot_pass": {
                    rule.value: {
                        "lower": _numbers(mean.lower[rule]),
                        "upper": _numbers(mean.upper[rule]),
                    }
                    for rule in Rule
                },
            }
            for arm in luck.cot
            for mean in arm.means
        ],
        "guesses": [_effect(effect) for effect in luck.guesses],
    }


def _cell(cell: CotCell, ks: Sequence[int]) -> dict[str, Any]:
    return {
        "voice": cell.voice,
        "voters": cell.voters,
        "n": cell.n,
        "correct": cell.correct,
        "reviewed": cell.reviewed,
        "unread": cell.unread,
        "sound": {rule.value: cell.by_rule[rule].sound for rule in Rule},
        "cot_pass": {
            rule.value: {
                "lower": _numbers([cell.at(k, rule)[0] for k in ks]),
                "upper": _numbers([cell.at(k, rule)[1] for k in ks]),
            }
            for rule in Rule
        },
    }


def _guess(guess: Guess) -> dict[str, Any]:
    return {
        "model": guess.model,
        "arm": guess.arm_key,
        "correct": guess.correct,
        "n": guess.n,
        "lower": guess.lower,
        "upper": guess.upper,
        "guessable": guess.guessable,
        "pass_by_guessing": _numbers(guess.values),
    }


def _effect(effect: GuessEffect) -> dict[str, Any]:
    return {
        "model": effect.model,
        "problems_asked": effect.asked,
        "n_least": effect.n_least,
        "n_most": effect.n_most,
        "guessable": list(effect.guessable),
        "answered_directly": effect.direct,
        "never": effect.never,
        "problems": effect.problems,
        "problems_kept": effect.kept,
        "pass": _numbers(effect.everything),
        "pass_without_guessable": _numbers(effect.without),
        "pass_by_guessing": _numbers(effect.alone),
    }


def _span(mean: CotMean, rule: Rule, place: int) -> str:
    low, high = mean.lower[rule][place], mean.upper[rule][place]
    return "–" if math.isnan(low) else f"[{100 * low:.1f}, {100 * high:.1f}]"


def _numbers(values: Sequence[float]) -> list[float | None]:
    return [None if math.isnan(value) else float(value) for value in values]
