"""Numbers as people read them: percentages, counts, times; one form everywhere."""

from __future__ import annotations

import math


def percent(value: float) -> str:
    """`0%`, `1.6%`, `46%`, `100%`: one decimal under ten, never a false 0 or 100."""
    if math.isnan(value):
        return "–"
    hundred = 100 * value
    if hundred <= 0 or hundred >= 100:
        return f"{hundred:.0f}%"
    if hundred < 0.1:
        return "<0.1%"
    if hundred < 9.95:
        return f"{hundred:.1f}%"
    return ">99%" if hundred >= 99.5 else f"{hundred:.0f}%"


def span(lower: float, upper: float) -> str:
    """An interval of percentages: `12–31%`."""
    if math.isnan(lower) or math.isnan(upper):
        return "–"
    low, high = percent(lower), percent(upper)
    if low == high or low.startswith(">"):
        return low
    return f"≥{low}" if high.startswith(">") else f"{low.removesuffix('%')}–{high}"


def count(value: int) -> str:
    """`19,200`."""
    return f"{value:,}"


def duration(seconds: float) -> str:
    """`40 s`, `3 min`, `2 h 05`: rough, for how long something may still take."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d}"


def age(seconds: float) -> str:
    """`just now`, `12 s ago`, `5 min ago`, `3 h ago`, `2 d ago`."""
    if seconds < 5:
        return "just now"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{round(seconds / size)} {unit} ago"
    return f"{round(seconds)} s ago"


def plural(value: int, noun: str) -> str:
    """`1 problem`, `100 problems`."""
    return f"{count(value)} {noun}{'' if value == 1 else 's'}"


def bar(value: float, width: int) -> tuple[str, str]:
    """A thin bar of `width` cells in halves, and its empty rest; above 0 it is never empty."""
    if math.isnan(value) or value <= 0:
        return "", "─" * width
    halves = max(1, min(2 * width, round(2 * width * value)))
    drawn = "━" * (halves // 2) + ("╸" if halves % 2 else "")
    return drawn, "─" * (width - len(drawn))
