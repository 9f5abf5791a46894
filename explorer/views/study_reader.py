"""Reading whole studies for what is printed, drawn or written to a file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from explorer.errors import UsageError
from explorer.settings import Settings
from explorer.settings.toml_table import suggest
from explorer.store import queries
from explorer.store.connection import open_reader
from explorer.views.curves import CurveSet, set_curves
from explorer.views.diversity import MOST_ANSWERS
from explorer.views.problem_list import build_lines
from explorer.views.report_reader import read_reports, read_shown
from explorer.views.report_tables import SetReport
from explorer.views.study import Study, study
from explorer.views.study_grids import (
    Grid,
    answers_grid,
    coverage_grid,
    difference_grid,
    gap_grid,
    group_grid,
    histogram_grid,
    pass_grid,
    perplexity_grid,
    series_grid,
)
from explorer.views.study_perplexity import Perplexities, read_perplexities
from explorer.views.study_series import FIELDS, Series, series


@dataclass(frozen=True, slots=True)
class WholeStudy:
    """All parts of a study of one dataset."""

    study: Study
    curves: CurveSet
    perplexities: Perplexities
    series: Series

    @property
    def report(self) -> SetReport:
        return self.study.report

    def grids(self) -> list[Grid]:
        """Its tables, those that a plain report has too among them."""
        found = [
            pass_grid(self.study),
            difference_grid(self.study),
            *self.further_grids(),
        ]
        return [grid for grid in found if grid.rows]

    def further_grids(self) -> list[Grid]:
        """The tables that a plain report does not have."""
        found = [
            gap_grid(self.study),
            coverage_grid(self.study),
            histogram_grid(self.study),
            perplexity_grid(self.perplexities),
            series_grid(self.series, self.study.columns),
            group_grid(self.study),
        ]
        return [grid for grid in found if grid.rows]

    def answers(self) -> Grid | None:
        """The table of answers, None where nothing was drawn."""
        varied = self.report.diversity
        return answers_grid(varied) if varied is not None and varied.arms else None


def read_studies(
    settings: Settings,
    dataset: str = "",
    problems: str = "all",
    preset: str = "",
    ks: Sequence[int] = (),
    group_by: str = "",
    x_field: str = "",
    most_answers: int = MOST_ANSWERS,
    extra: Sequence[str] = (),
) -> list[WholeStudy]:
    """A study of each dataset that has problems among those named.

    Args:
        group_by: column of the groups; x_field: x axis of the series; '' = the first there is.
        most_answers, extra: as `read_reports`.

    Raises:
        UsageError: no such dataset, problem, preset, column or field.
    """
    if x_field and x_field not in FIELDS:
        raise UsageError(f"There is no field '{x_field}'", "", suggest(x_field, FIELDS))
    reports = read_reports(settings, dataset, problems, preset, ks, most_answers, extra=extra)
    with closing(open_reader(settings.workspace.cache)) as db:
        found = []
        for report in reports:
            shown = read_shown(db, settings, preset, report.dataset, extra=extra)
            wanted = set(report.problem_ids)
            rows = [row for row in queries.problems(db, report.dataset) if row.id in wanted]
            one = study(report, rows, shown.tallies, group_by)
            if group_by and group_by not in one.grouping.columns:
                known = one.grouping.columns
                title = f"There is no column '{group_by}' to group by"
                raise UsageError(title, "", suggest(group_by, known))
            ids = [row.id for row in rows]
            columns = shown.choice.columns
            found.append(
                WholeStudy(
                    one,
                    set_curves(columns, build_lines(rows, shown.tallies, shown.choice)),
                    read_perplexities(db, columns, ids),
                    series(queries.arms(db), shown.tallies, ids, settings, x_field),
                )
            )
    return found
