"""`[datasets.<name>]`: one source each, what a format knows by itself, and what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from explorer.datasets.registry import format_names
from explorer.errors import SettingsError
from explorer.settings import DatasetSettings
from explorer.settings.formats import AUTO, FORMATS
from explorer.settings.reader import VERIFIERS, load


def read(tmp_path: Path, text: str) -> DatasetSettings:
    path = tmp_path / "explorer.toml"
    path.write_text(f"[datasets.d]\n{text}\n")
    return load(path).datasets["d"]


def test_formats_are_those_of_the_registry_and_their_verifiers_exist() -> None:
    assert set(FORMATS) == set(format_names())
    assert {one.verifier for name, one in FORMATS.items() if name != AUTO} <= set(VERIFIERS)


def test_a_path_and_a_format_suffice(tmp_path: Path) -> None:
    found = read(tmp_path, 'path = "data"\nformat = "math500"')
    assert (found.path, found.hub, found.split, found.verifier) == (tmp_path / "data", "", "", "")
    assert found.source == str(tmp_path / "data")


def test_a_benchmark_without_a_path_is_the_hubs(tmp_path: Path) -> None:
    found = read(tmp_path, 'format = "gsm8k"')
    assert (found.path, found.hub) == (None, "openai/gsm8k")
    assert (found.config, found.split) == ("main", "test")
    assert found.source == "hub dataset openai/gsm8k"


def test_another_hub_dataset_brings_no_config_of_the_default_one(tmp_path: Path) -> None:
    found = read(tmp_path, 'format = "gsm8k"\nhub = "me/gsm"\nsplit = "dev"')
    assert (found.hub, found.config, found.split) == ("me/gsm", "", "dev")


def test_images_inside_files_lie_beside_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "explorer.toml"
    path.write_text('[cache]\npath = "c/x.db"\n[datasets."../a b"]\npath = "d"\nimages = "pics"\n')
    (found,) = load(path).datasets.values()
    assert found.images == tmp_path / "pics"
    assert found.unpacked is not None
    assert found.unpacked.resolve().parent == tmp_path / "c" / "images"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "path is missing"),
        ('format = "leetcode"', 1, "path is missing"),
        ('path = "a"\nhub = "b/c"', 3, "both path and hub"),
        ('hub = "b"', 2, "is not a name"),
        ('hub = "../b"', 2, "is not a name"),
        ('path = "a"\nconfig = "main"', 3, "config belongs to a hub's dataset"),
        ('path = "a"\nformat = "maths500"', 3, "did you mean 'math500'?"),
        ('path = "a"\nverifier = "maths"', 3, "did you mean 'math'?"),
        ('path = "a"\nspilt = "test"', 3, "did you mean 'split'?"),
    ],
)
def test_each_mistake_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    parts = caught.value.detail.replace("\n  fix:", " fix:").split("\n")
    (found,) = [part for part in parts if says in part]
    assert f"explorer.toml:{line}:" in found
