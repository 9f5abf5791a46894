"""What the Study screen reads: the study under a filter, and the parts that need more than counts.

Invariant: the study is computed again only when counts, arms, filter or grouping changed; the part
that is looked at is read after it, so that nobody waits for perplexities to see curves.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from explorer.store import queries
from explorer.store.revisions import Topic
from explorer.store.rows import ProblemRow
from explorer.views.curves import CurveSet, set_curves
from explorer.views.diversity import Diversity, read_set_diversity
from explorer.views.set_snapshot import SetCache, SetList, SetSubject
from explorer.views.study import Study, study_of
from explorer.views.study_perplexity import Perplexities, read_perplexities
from explorer.views.study_series import Series, series


class Section(StrEnum):
    """The parts of a study, in the order in which they are shown."""

    CURVES = "curves"
    GAPS = "gaps"
    COVERAGE = "coverage"
    HISTOGRAM = "histogram"
    PERPLEXITY = "perplexity"
    SERIES = "series"
    ANSWERS = "answers"
    GROUPS = "groups"


@dataclass(frozen=True, slots=True)
class StudyView:
    """A study, the list it is of, and its curves."""

    shown: SetList
    study: Study
    curves: CurveSet


Part = Perplexities | Series | Diversity


class StudyCache:
    """What was computed already; used on the reading thread only."""

    def __init__(self, lists: SetCache | None = None) -> None:
        self.lists = lists or SetCache()
        self.study: tuple[object, StudyView | None] = (None, None)


@dataclass(frozen=True, eq=False)
class StudySubject:
    """Watch a study.

    Attributes:
        listed: the problems and arms that it is of; its filter applies.
        group_by, x_field: column of the groups and x axis of the series; '' = the first there is.
    """

    listed: SetSubject
    cache: StudyCache
    section: Section = Section.CURVES
    group_by: str = ""
    x_field: str = field(default="")

    @property
    def topics(self) -> frozenset[str]:
        needed = {Topic.PROBLEMS.value, Topic.COUNTS.value}
        return frozenset(needed | {Topic.SCORES.value} if self.section in _DEEPER else needed)

    def read(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> Iterator[object]:
        view = self._study(db, revisions)
        yield view
        ids = [row.id for row in view.study.rows]
        if self.section is Section.PERPLEXITY:
            yield read_perplexities(db, view.study.columns, ids)
        elif self.section is Section.ANSWERS:
            yield read_set_diversity(db, view.study.columns, ids)
        elif self.section is Section.SERIES:
            tallies = self.cache.lists.tallies[1]
            yield series(queries.arms(db), tallies, ids, self.listed.settings, self.x_field)

    def _study(self, db: sqlite3.Connection, revisions: Mapping[str, int]) -> StudyView:
        listed = self.listed
        topics = tuple(revisions[topic.value] for topic in (Topic.PROBLEMS, Topic.COUNTS))
        key = (topics, listed.dataset, listed.pick, listed.filter_text, self.group_by)
        if self.cache.study[0] != key or self.cache.study[1] is None:
            shown = cast(SetList, next(iter(listed.read(db, revisions))))
            columns = shown.choice.columns
            rows = [ProblemRow(line.id, line.problem) for line in shown.lines]
            tallies = listed.cache.tallies[1]
            found = study_of(shown.dataset, rows, columns, tallies, self.group_by)
            view = StudyView(shown, found, set_curves(columns, shown.lines))
            self.cache.study = (key, view)
        assert self.cache.study[1] is not None
        return self.cache.study[1]


_DEEPER = frozenset({Section.PERPLEXITY, Section.ANSWERS})
