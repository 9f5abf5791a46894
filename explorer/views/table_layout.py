"""How a table finds room: upright, turned over, or in several parts beneath one another.

Invariant: every cell stands whole in exactly one part, the names of the rows in each, so that no
number is ever cut, however many arms there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

Measure = Callable[[str], int]
"""The terminal cells of a text."""

GAP: Final = 2
"""Cells between two columns."""

HEAD_LINES: Final = 2
"""Lines that a header is broken into where one line makes its column too wide."""

LEAST_NAME: Final = 8
"""Cells that the names of the rows keep, whatever the numbers need."""


class Table(NamedTuple):
    """Headers and rows; the first column names the rows, the others are numbers."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]

    def turned(self) -> Table:
        """Columns as rows: of a table with an arm a column, one with an arm a row."""
        names, *columns = zip(self.headers, *self.rows, strict=True)
        return Table(names, columns)


class Part(NamedTuple):
    """Some columns of a table, laid out.

    Attributes:
        columns: which, counted from 0; the first one names the rows.
        widths: the cells of each.
        heads: lines of the header; each has a text a column.
        rows: of each row its lines, nearly always one; each has a text a column.
    """

    columns: tuple[int, ...]
    widths: tuple[int, ...]
    heads: tuple[tuple[str, ...], ...]
    rows: tuple[tuple[tuple[str, ...], ...], ...]


def fits(table: Table, width: int, measure: Measure) -> bool:
    """Whether it stands in `width` cells as it is."""
    widths = [_cells(column, measure) for column in _columns(table)]
    return sum(widths) + GAP * (len(widths) - 1) <= width


def laid_out(table: Table, width: int, measure: Measure) -> list[Part]:
    """It as it is where it fits, else with headers of two lines, else in as few parts as hold it.

    A single column that is wider than the room is still whole: it is for the terminal to wrap.
    """
    names, *numbers = _columns(table)
    headers = [[header] for header in table.headers]
    if not fits(table, width, measure):
        headers[1:] = [_broken(head, _cells(cells, measure), measure) for head, *cells in numbers]
    widths = [_cells(names, measure)]
    widths += [
        _cells((*head, *cells), measure)
        for head, (_, *cells) in zip(headers[1:], numbers, strict=True)
    ]
    found = [
        [_part(table, chosen, [name, *widths[1:]], headers, measure)
         for chosen in _shared_out([name, *widths[1:]], width)]
        for name in _name_widths(names, widths, width, measure)
    ]  # fmt: skip
    return min(found, key=_cost)


def _name_widths(
    names: Sequence[str], widths: Sequence[int], width: int, measure: Measure
) -> list[int]:
    """What the names of the rows may get: all they want, or, folded, what may save a part."""
    if sum(widths) + GAP * (len(widths) - 1) <= width:
        return [widths[0]]
    room = max(LEAST_NAME, width - max(widths[1:], default=0) - GAP)
    words = [name.split(" ") for name in names]
    least = max(LEAST_NAME, *(_cells(each, measure) for each in words))
    fronts = {measure(" ".join(each[:n])) for each in words for n in range(1, len(each) + 1)}
    wanted = {min(front, room) for front in fronts if front >= least}
    return sorted(wanted | {min(widths[0], room)}, reverse=True)


def roomiest(table: Table, width: int, measure: Measure) -> Table:
    """The table or, where that takes fewer lines than its parts would, the table turned over."""
    if fits(table, width, measure):
        return table
    other = table.turned()
    lines, turned = (_lines(laid_out(one, width, measure)) for one in (table, other))
    return other if turned < lines else table


def _lines(parts: Sequence[Part]) -> int:
    return sum(1 + len(part.heads) + sum(map(len, part.rows)) for part in parts)


def _cost(parts: Sequence[Part]) -> int:
    """Lines, those of folded names thrice: they are worth it where they are few."""
    folded = sum(len(row) - 1 for part in parts for row in part.rows)
    return _lines(parts) + 2 * folded


def _columns(table: Table) -> list[tuple[str, ...]]:
    return list(zip(table.headers, *table.rows, strict=True))


def _cells(texts: Sequence[str], measure: Measure) -> int:
    return max(map(measure, texts), default=0)


def _shared_out(widths: Sequence[int], width: int) -> list[tuple[int, ...]]:
    """Which columns stand in which part: as many as there is room for, one at least."""
    parts: list[list[int]] = [[]]
    used = widths[0]
    for place in range(1, len(widths)):
        if parts[-1] and used + GAP + widths[place] > width:
            parts.append([])
            used = widths[0]
        parts[-1].append(place)
        used += GAP + widths[place]
    return [(0, *part) for part in parts]


def _part(
    table: Table,
    chosen: tuple[int, ...],
    widths: Sequence[int],
    headers: Sequence[Sequence[str]],
    measure: Measure,
) -> Part:
    high = max(len(headers[place]) for place in chosen)
    padded = [["" for _ in range(high - len(headers[place]))] + list(headers[place])
              for place in chosen]  # fmt: skip
    rows = []
    for row in table.rows:
        name = _folded(row[0], widths[0], measure)
        rest = [row[place] for place in chosen[1:]]
        rows.append((
            (name[0], *rest),
            *((line, *("" for _ in rest)) for line in name[1:]),
        ))  # fmt: skip
    return Part(
        chosen,
        tuple(widths[place] for place in chosen),
        tuple(zip(*padded, strict=True)),
        tuple(rows),
    )


def _broken(text: str, least: int, measure: Measure) -> list[str]:
    """A header in as narrow lines as `HEAD_LINES` of them allow, but not narrower than `least`."""
    words = text.split(" ")
    width = max(least, _cells(words, measure))
    while len(lines := _wrapped(words, width, measure)) > HEAD_LINES:
        width += 1
    return lines


def _wrapped(words: Sequence[str], width: int, measure: Measure) -> list[str]:
    lines = [words[0]]
    for word in words[1:]:
        if measure(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _folded(text: str, width: int, measure: Measure) -> list[str]:
    """The name of a row in lines of at most `width` cells: at spaces, else within a word."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and measure(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
            continue
        if lines[-1]:
            lines.append("")
        for character in word:
            if lines[-1] and measure(lines[-1] + character) > width:
                lines.append("")
            lines[-1] += character
    return lines
