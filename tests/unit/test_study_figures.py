"""Figures and the page carry the tables' own numbers, and nothing that a text could smuggle in."""

from __future__ import annotations

import builtins
import sqlite3
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner

from explorer.cli.group import cli
from explorer.errors import DataError, MissingExtraError
from explorer.report.figures import (
    coverage_figure,
    curves_figure,
    drawings,
    gaps_figure,
    histogram_figure,
    perplexity_figure,
    rendered,
    series_figure,
    write_figures,
)
from explorer.report.page import write_page
from explorer.settings import Settings
from explorer.store.connection import open_writer
from explorer.views.study_grids import gap_grid, perplexity_grid
from explorer.views.study_reader import WholeStudy, read_studies
from tests import fake_cache
from tests.tui.explorer_app import settings_for
from tests.unit.study_cache import build, write_toml

pytest.importorskip("matplotlib", reason="the extra 'figures' is not installed")

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \x1b[2J $x^2$ & \u202etxt"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    path = tmp_path_factory.mktemp("figures") / "explorer.db"
    fake_cache.build(path, problems=6, n=8, scored=4).close()
    return settings_for(path)


@pytest.fixture(scope="module")
def whole(full: Settings) -> WholeStudy:
    return read_studies(full)[0]


def test_curves_are_the_points_of_the_screen(whole: WholeStudy) -> None:
    lines = curves_figure(whole).axes[0].get_lines()
    for curve in whole.curves.curves:
        drawn = next(line for line in lines if line.get_label() == curve.label)
        sure = [point for point in curve.points if point.k <= curve.trusted]
        assert np.asarray(drawn.get_xdata()).tolist() == [point.k for point in sure]
        values = np.asarray(drawn.get_ydata(), dtype=float) / 100
        assert values == pytest.approx([point.value for point in sure])


def test_bars_are_labelled_with_the_digits_of_the_table(whole: WholeStudy) -> None:
    axes = gaps_figure(whole).axes[0]
    texts = [text.get_text().strip() for text in axes.texts]
    rows = gap_grid(whole.study).rows
    assert texts == [f"{row[2].text} at k={row[3].text}" for row in rows]
    gaps = [pair.comparison.gap for pair in whole.study.pairs]
    assert [bar.get_width() / 100 for bar in axes.patches] == pytest.approx(gaps)  # type: ignore[attr-defined]


def test_histogram_and_coverage_draw_the_counts(whole: WholeStudy) -> None:
    heights = [bar.get_height() for bar in histogram_figure(whole).axes[0].patches]  # type: ignore[attr-defined]
    assert heights == [one.problems for arm in whole.study.histograms for one in arm.bins]
    widths = [bar.get_width() for bar in coverage_figure(whole).axes[0].patches]  # type: ignore[attr-defined]
    pairs = [pair.comparison.coverage for pair in whole.study.pairs]
    expected = [
        getattr(one, name) for name in ("preserved", "expanded", "shrunk", "out") for one in pairs
    ]
    assert widths == expected


def test_boxes_are_the_quantiles_of_the_table(whole: WholeStudy) -> None:
    axes = perplexity_figure(whole).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    grid = perplexity_grid(whole.perplexities)
    assert labels == [f"{row[0].text} (n = {row[-1].text})" for row in grid.rows]
    drawn = sorted(
        float(np.asarray(line.get_xdata(), dtype=float)[0])
        for line in axes.get_lines()
        if line.get_color() == "#111111"
    )
    assert drawn == pytest.approx(sorted(one.box.median for one in whole.perplexities.lines))


def test_files_are_what_they_are_called_and_the_same_again(
    whole: WholeStudy, tmp_path: Path
) -> None:
    paths = write_figures(whole, tmp_path / "new" / "folder", ["png", "svg", "pdf"])
    assert {path.suffix for path in paths} == {".png", ".svg", ".pdf"}
    heads = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}
    for path in paths:
        assert path.read_bytes().startswith(heads[path.suffix]), path
    draw = drawings(whole)["delta-se"]
    assert rendered(draw, "svg") == rendered(draw, "svg")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> WholeStudy:
    path = tmp_path_factory.mktemp("crowd") / "explorer.db"
    fake_cache.build(path, problems=6, n=8, scored=1, models=fake_cache.CROWD).close()
    names = tuple(model.name for model in fake_cache.CROWD)
    return read_studies(settings_for(path, names), x_field="method")[0]


def test_histograms_of_many_arms_get_axes_each(crowd: WholeStudy) -> None:
    figure = histogram_figure(crowd)
    assert len(figure.axes) == len(crowd.study.histograms) == 8
    for axes, arm in zip(figure.axes, crowd.study.histograms, strict=True):
        bars = [bar.get_height() for bar in axes.containers[0].patches]  # type: ignore[attr-defined]
        assert bars == [one.problems for one in arm.bins]


def test_a_series_of_words_is_points_without_a_line(crowd: WholeStudy) -> None:
    (axes,) = series_figure(crowd).axes
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    (line,) = crowd.series.lines
    assert ticks == [point.text for point in line.points]
    assert ticks[0] == "base"
    assert len(ticks) == 7
    first, last = (container.lines[0] for container in axes.containers)  # type: ignore[attr-defined]
    assert first.get_linestyle() == last.get_linestyle() == "None"
    assert list(first.get_ydata()) == [100 * point.first.value for point in line.points]
    assert list(last.get_ydata()) == [100 * point.last.value for point in line.points]


def test_a_folder_that_cannot_be_is_an_error_for_people(whole: WholeStudy, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_figures(whole, tmp_path / "file", ["png"])


def test_without_matplotlib_the_extra_is_named(
    whole: WholeStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_import = builtins.__import__

    def without(name: str, *rest: object, **named: object) -> object:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return true_import(name, *rest, **named)  # type: ignore[arg-type]

    for name in [one for one in sys.modules if one.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match="needs packages"):
        rendered(drawings(whole)["delta-se"], "svg")


class Page(HTMLParser):
    """What a browser would see: every tag, attribute and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_stands_alone_and_shows_what_the_tables_say(
    full: Settings, whole: WholeStudy, tmp_path: Path
) -> None:
    target = tmp_path / "study.html"
    write_page(target, full, traces=["hostile"])
    source = target.read_text(encoding="utf-8")
    page = Page(source)
    assert page.open == []
    tags = [tag for tag, _ in page.tags]
    assert tags.count("svg") == len(drawings(whole)) >= 5
    assert not {"script", "link", "iframe", "object", "img"} & set(tags)
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes), tag
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#"), attributes
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for grid in whole.grids():
        for row in grid.rows:
            assert all(cell.text in page.text for cell in row)
    assert "local:base" in page.text
    assert "math-1" in page.text
    assert "a1:" in page.text
    levels = {attributes.get("class") for tag, attributes in page.tags if tag == "span"}
    assert {"l0", "l1", "l4"} <= levels
    assert "\x1b" not in source
    assert "\u202e" not in source


def test_hostile_names_stay_text_on_the_page_and_in_figures(tmp_path: Path) -> None:
    settings = build(tmp_path, statement=HOSTILE, family=HOSTILE)
    db: sqlite3.Connection = open_writer(settings.workspace.cache)
    db.execute("UPDATE model SET algorithm = ?", (HOSTILE,))
    db.execute("UPDATE problem SET gold = ?, family = ? || (position % 2)", (HOSTILE, HOSTILE))
    db.commit()
    db.close()
    hidden = Settings(settings.workspace, {}, {}, {}, settings.presets, "warm")
    target = tmp_path / "study.html"
    write_page(target, hidden, traces=["p1"])
    source = target.read_text(encoding="utf-8")
    page = Page(source)
    tags = {tag for tag, _ in page.tags}
    assert "script" not in tags
    assert "img" not in tags
    assert "<script>alert(1)</script>" in page.text
    assert "\x1b" not in source
    assert "\u202e" not in source
    for draw in drawings(read_studies(hidden)[0]).values():
        ElementTree.fromstring(rendered(draw, "svg"))


def test_commands_write_figures_and_a_page(tmp_path: Path) -> None:
    root = write_toml(build(tmp_path / "w"))
    out, page = tmp_path / "figures", tmp_path / "page.html"
    drawn = CliRunner().invoke(
        cli, ["figures", str(out), "class:S,P", "-w", str(root), "-f", "svg", "-d", "set"]
    )
    assert drawn.exit_code == 0, drawn.output
    names = {path.name for path in out.iterdir()}
    assert {"set-pass-at-k.svg", "set-delta-se.svg", "set-series.svg"} <= names
    assert "set-perplexity.svg" not in names  # nothing is scored here
    assert drawn.output.count(".svg") == len(names)
    wrong = CliRunner().invoke(cli, ["figures", str(out), "-w", str(root), "-f", "gif"])
    assert wrong.exit_code == 2
    written = CliRunner().invoke(cli, ["report", "-w", str(root), "--html", str(page)])
    assert written.exit_code == 0, written.output
    assert "<svg" in page.read_text(encoding="utf-8")
