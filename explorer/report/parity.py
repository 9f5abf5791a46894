"""`parity`: what would fake a comparison of two arms, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.text import Text

from explorer.core.parity_evidence import Severity
from explorer.report.console import console
from explorer.views.numbers import count
from explorer.views.parity import PairParity, mark, topics
from explorer.views.text import lines_of, one_line

MARKS = {Severity.BLOCKS: "✗", Severity.DOUBT: "?", Severity.NOTE: "·"}
"""How a severity is shown before its word."""


def print_parity(pair: PairParity) -> None:
    """Print a pair's findings, then where the prompts differ."""
    out = console()
    ours, theirs = pair.arms
    out.print(Text(f"{pair.base} against {pair.other}", style="bold"))
    for arm in (ours, theirs):
        spec = arm.spec
        out.print(
            Text(
                f"  {one_line(arm.model.name)}: {spec.sampling.label()} · {one_line(spec.engine)}"
                f" {one_line(spec.dtype)} · {one_line(spec.checkpoint)} · arm {arm.key[:12]}"
            )
        )
    looked_at = " and ".join(count(n) for n in pair.looked_at)
    out.print(Text(f"  {looked_at} completions were looked at\n"))
    for finding in pair.findings:
        head = f"{MARKS[finding.severity]} {finding.severity:<6}  {finding.topic}: "
        out.print(Text(head + one_line(finding.what), overflow="fold"))
        out.print(Text(f"            {one_line(finding.why)}", style="dim"))
        out.print(Text(f"            {one_line(finding.fix)}", style="dim"))
    if not pair.findings:
        out.print(Text("No difference was found."))
    if pair.diff:
        out.print(Text(f"\nThe prompts of {pair.problem}: - {pair.base}, + {pair.other}"))
        for line in pair.diff:
            for part in lines_of(line.text):
                out.print(Text(f"{line.sign} {part}"))
    out.print(Text("\nNoise floor, each model on its own samples"))
    for floor in pair.floors:
        out.print(Text(f"  {floor}"))


def parity_lines(pairs: Iterable[PairParity]) -> list[str]:
    """Pairs for under a report: a line for all models of which the same is to be said."""
    others: dict[tuple[str, str], list[str]] = {}
    for pair in pairs:
        others.setdefault((pair.base, _said(pair)), []).append(pair.other)
    return [
        f"Parity of {', '.join(names)} with {base}: {what}"
        if len(names) > 1
        else f"Parity {names[0]} / {base}: {what}"
        for (base, what), names in others.items()
    ]


def _said(pair: PairParity) -> str:
    found = mark(pair.findings)
    what = f"{found} ({topics(pair)})" if found else "no difference that matters was found"
    if any(finding.topic == "records" for finding in pair.findings):
        what += "; not all of it is recorded"
    return what


def as_dict(pair: PairParity) -> dict[str, Any]:
    """The same facts for programs."""
    return {
        "base": pair.arms[0].model.name,
        "model": pair.arms[1].model.name,
        "arms": [arm.key for arm in pair.arms],
        "completions_looked_at": list(pair.looked_at),
        "findings": [
            {
                "topic": finding.topic,
                "severity": finding.severity.value,
                "what": finding.what,
                "why": finding.why,
                "fix": finding.fix,
            }
            for finding in pair.findings
        ],
        "prompt_diff": [line.sign + line.text for line in pair.diff],
        "noise_floors": list(pair.floors),
    }
