"""The page's style sheet: readable on screen and paper, with no font or file from elsewhere."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 0; }
main { max-width: 62rem; margin: 2rem auto; padding: 0 1.2rem; }
h1 { margin-bottom: 0; } .lead, .note, figcaption, footer, small { color: #666; }
.note { font-size: .85rem; margin: .2rem 0; }
figure { display: inline-block; vertical-align: top; }
figure { width: calc(50% - 1rem); margin: 0 .4rem 1rem; }
figure svg { width: 100%; height: auto; }
@media (max-width: 50rem) { figure { width: 100%; margin: 0 0 1rem; } }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .88rem; }
th, td { padding: .15rem .7rem .15rem 0; text-align: right; white-space: nowrap; }
tr > :first-child { text-align: left; position: sticky; left: 0; background: #fff; }
thead th { border-bottom: 1px solid #bbb; }
tbody th { font-weight: 500; }
.base { color: #9a5b00; } .rl { color: #0060b0; } .distilled { color: #8b2a8b; }
.extra_a { color: #007070; } .extra_b { color: #a03c3c; } .extra_c { color: #5c5c30; }
.extra_d { color: #5050b0; }
dl { display: grid; grid-template-columns: 8rem 1fr; gap: .1rem .8rem; font-size: .85rem; }
dd { margin: 0; overflow-wrap: anywhere; font-family: monospace; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; }
.trace { border-left: 3px solid #ddd; padding-left: .8rem; }
h4 { margin: 1rem 0 .2rem; }
.l1 { background: #efe3f5; } .l2 { background: #f3c9dc; } .l3 { background: #ffb38a; }
.l4 { background: #d7301f; color: #fff; }
footer { margin-top: 2rem; border-top: 1px solid #ccc; font-size: .85rem; }
@media print { details { display: block; } figure, tr, pre { break-inside: avoid; } }
"""
