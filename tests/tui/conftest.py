"""Tests of the screen run in a plain terminal, whatever the developer's own is set to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import fake_cache

for _name in list(os.environ):
    if _name.startswith("TEXTUAL") and not _name.startswith("TEXTUAL_SNAPSHOT"):
        del os.environ[_name]  # read when textual is imported


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "COLORTERM", "TMUX", "STY", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture(scope="session")
def full_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 problems, three arms, 64 completions each; to be read only."""
    path = tmp_path_factory.mktemp("full") / "explorer.sqlite"
    fake_cache.build(path, problems=40, n=64).close()
    return path


@pytest.fixture(scope="session")
def crowd_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The paper's eight arms on 20 problems; to be read only."""
    path = tmp_path_factory.mktemp("crowd") / "explorer.sqlite"
    fake_cache.build(path, problems=20, n=32, scored=2, models=fake_cache.CROWD).close()
    return path


@pytest.fixture(scope="session")
def steps_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with three checkpoints of one training; to be read only."""
    path = tmp_path_factory.mktemp("steps") / "explorer.sqlite"
    models = (*fake_cache.CROWD, *fake_cache.CHECKPOINTS)
    fake_cache.build(path, problems=12, n=16, scored=2, models=models).close()
    return path


@pytest.fixture
def small_cache(tmp_path: Path) -> Path:
    """6 problems, 8 completions each, to be written to."""
    path = tmp_path / "explorer.sqlite"
    fake_cache.build(path, problems=6, n=8, scored=0).close()
    return path
