"""`[review]` -> `ReviewSettings`: who reviews here, and which model judges.

Invariant: a judge that leaves here is a model of this file, and its template shows the judge the
problem and the solution.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from explorer.core.prompts import Template
from explorer.settings.records import ReviewSettings
from explorer.settings.toml_table import TomlFile

REVIEW_KEYS: Final = ("name", "judge", "votes", "preset", "template")

MOST_VOTES: Final = 99

NEEDED_FIELDS: Final = ("{question}", "{completion}")
"""What a judge's template must have; {gold}, {answer} and the problem's columns may be there."""


def review(
    file: TomlFile,
    models: Collection[str],
    presets: Collection[str],
    templates: Mapping[str, Template],
) -> ReviewSettings:
    """The table `[review]`; mistakes are noted in `file`."""
    table = file.table(("review",), REVIEW_KEYS)
    judge = table.text("judge")
    if judge and judge not in models:
        table.text("judge", "", list(models) or ("(no model)",))
        judge = ""
    template = table.text("template", "", templates)
    missing = [
        field for field in NEEDED_FIELDS if template and field not in templates[template].text
    ]
    if missing:
        table.wrong(
            "template",
            f'template = "{template}" has no {" and no ".join(missing)}',
            "the judge needs {question} and {completion}; {gold} and {answer} are known too",
        )
    return ReviewSettings(
        name=" ".join(table.text("name").split()),
        judge=judge,
        votes=table.integer("votes", 3, 1, MOST_VOTES),
        preset=table.text("preset", "", presets),
        template=template,
    )
