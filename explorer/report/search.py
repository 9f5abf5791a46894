"""What a search found, as text or JSON."""

from __future__ import annotations

from rich.text import Text

from explorer.report.console import console, table
from explorer.views.numbers import percent, plural
from explorer.views.search import SearchReport, link_of
from explorer.views.text import one_line


def print_search(report: SearchReport) -> None:
    """Print the shares per arm, then the hits."""
    out = console()
    if not report.arms:
        out.print(Text("There are no completions to search here."))
        return
    out.print(Text(one_line(report.sentence())))
    headers = ["model", "settings", "hold it", "of", "share"]
    rows = [
        [
            one_line(one.arm.model.name),
            one.arm.spec.sampling.label(),
            f"{one.hits:,}",
            f"{one.completions:,}",
            percent(one.share),
        ]
        for one in report.arms
    ]
    out.print(table(headers, rows, text_columns=2))
    if report.note:
        out.print(Text(one_line(report.note)))
    if report.hits:
        out.print(Text(f"\nThe first {plural(len(report.hits), 'hit')} of {report.total:,}:"))
    for hit in report.hits:
        text = Text(f"{one_line(link_of(report, hit))}: ")
        text.append(one_line(f"{hit.before}{hit.match}{hit.after}"))
        out.print(text)
