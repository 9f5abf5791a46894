"""explorer.toml: what is written by `init` loads, and every mistake is named with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.core.arm import Sampling
from explorer.datasets.registry import format_names
from explorer.engines.registry import engine_names
from explorer.errors import SettingsError
from explorer.settings import Role
from explorer.settings.formats import FORMATS
from explorer.settings.reader import DTYPES, ENGINES, TEMPLATES, VERIFIERS, find, load
from explorer.settings.template import STARTER, demo
from explorer.settings.toml_lines import key_lines
from explorer.verifiers.registry import names as verifier_names

GOOD = """
[models.base]
role = "base"
source = "org/base"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "explorer.toml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(folder: Path, text: str) -> list[str]:
    """The lines of the error, each `<line>: what … fix: how`."""
    path = write(folder, text)
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert caught.value.exit_code == 3
    parts = caught.value.detail.replace("\n  fix:", " fix:").split("\n")
    assert all(part.startswith(f"{path}:") for part in parts)
    return [part.removeprefix(f"{path}:") for part in parts]


def test_starter_is_valid_as_written(tmp_path: Path) -> None:
    settings = load(write(tmp_path, STARTER))
    assert settings.models["rl"].base == "base"
    assert settings.models["rl"].role is Role.RL
    assert settings.preset() == Sampling(temperature=0.6, top_p=0.95, max_tokens=16384)
    assert settings.datasets["examples"].path == tmp_path / "problems.jsonl"
    assert settings.workspace.cache == tmp_path / "cache" / "explorer.db"


def test_starter_is_valid_with_every_example_uncommented(tmp_path: Path) -> None:
    lines = []
    for line in STARTER.splitlines():
        bare = line.removeprefix("# ")
        example = line.startswith("# ") and re.match(r"\[|[a-z_]+ += ", bare)
        lines.append(bare if example else line)
    text = "\n".join(lines)
    settings = load(write(tmp_path, text))
    assert settings.models["distilled"].role is Role.DISTILLED
    assert settings.templates["boxed-last"].prefill == "<think>"
    assert settings.templates["boxed-last"].text.endswith("\\boxed{}.")
    assert settings.presets["short"].max_tokens == 2048


def test_demo_is_valid_whatever_the_folder_is_called(tmp_path: Path) -> None:
    data = tmp_path / 'a "quoted" \\ folder'
    (data / "recorded").mkdir(parents=True)
    (data / "recorded" / "rl.jsonl.gz").touch()
    (data / "recorded" / "base.jsonl.gz").touch()
    settings = load(write(tmp_path, demo(data)))
    assert [path.name for path in settings.recorded] == ["base.jsonl.gz", "rl.jsonl.gz"]
    assert settings.datasets["twins"].path == data / "problems.jsonl"
    assert settings.preset() == Sampling(1.0, 1.0, 0, 160)
    assert settings.models["rl"].algorithm == "GRPO"
    assert {model.template for model in settings.models.values()} == {"qa"}


def test_empty_file_is_a_workspace(tmp_path: Path) -> None:
    settings = load(write(tmp_path, ""))
    assert settings.default_preset == "paper"
    assert set(settings.presets) == {"paper", "plain"}
    assert {"plain", "qa", "chat", "qwen-boxed"} <= set(settings.templates) == set(TEMPLATES)


def test_names_known_here_are_those_of_the_registries() -> None:
    assert set(ENGINES) == set(engine_names())
    assert set(FORMATS) == set(format_names())
    assert set(VERIFIERS) == set(verifier_names())
    assert "auto" in DTYPES


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('[models.rl]\nrole = "rl"\nsource = "x"', 2, "must name its base"),
        (GOOD + '[models.rl]\nrole = "rl"\nsource = "x"\nbase = "bsae"', 8, "mean 'base'?"),
        (GOOD + '[models.d]\nrole = "distilled"\nsource = "x"\nbase = "d"', 8, "name a model"),
        (GOOD + 'base = "other"', 5, "has no base of its own"),
        ('[models.base]\nrole = "bass"\nsource = "x"', 2, "did you mean 'base'?"),
        ('[models.base]\nrole = "base"', 1, "source is missing"),
        (GOOD + 'tempate = "qa"', 5, "did you mean 'template'?"),
        (GOOD + 'template = "qa2"', 5, "did you mean 'qa'?"),
        (GOOD + 'engine = "tranformers"', 5, "did you mean 'transformers'?"),
        (GOOD + 'dtype = "int4"', 5, "known: auto, float32"),
        (GOOD + "context = -1", 5, "out of range"),
        (GOOD + 'batch_size = "big"', 5, "whole number, not text"),
        ("[presets.mine]\ntop_p = 1.5", 2, "out of range"),
        ("[presets.mine]\n\ntemperature = true", 3, "number, not true/false"),
        ("[presets.mine]\nmax_tokens = 1.5", 2, "whole number, not a fraction"),
        ('[presets.mine]\nstop = "\\n"', 2, "list of texts"),
        ('[defaults]\npreset = "papr"', 2, "did you mean 'paper'?"),
        ("[defaults]\nn = 0", 2, "out of range"),
        ('[datasets.x]\nverifier = "math"', 1, "path is missing"),
        ('[templates.t]\ntext = "no field"', 2, "no {question}"),
        ('[templates.t]\ntext = "{question}"\nsystem = "s"', 3, "chat = true"),
        ("[modles.base]", 1, "did you mean 'models'?"),
        ("models = 3", 1, "must be tables"),
        ("[models]\nbase = 3", 2, "must be a table"),
        ("cache = 3", 1, "must be a table"),
        ('["models"."a\\nb"]\nrole = "base"\nsource = "x"', 1, "cannot be a name"),
    ],
)
def test_each_mistake_is_named_with_its_line_and_fix(
    tmp_path: Path, text: str, line: int, says: str
) -> None:
    found = mistakes(tmp_path, text)
    assert len(found) == 1
    assert found[0].startswith(f"{line}: ")
    assert says in found[0]
    assert "fix: " in found[0]


def test_all_mistakes_are_reported_at_once_in_order(tmp_path: Path) -> None:
    text = "[defaults]\nn = 0\nsed = 1\n[presets.a]\ntop_k = -1\n[models.m]\nrole = 'rl'\n"
    found = mistakes(tmp_path, text)
    assert [int(one.split(":")[0]) for one in found] == [2, 3, 5, 6, 7]


def test_not_toml_names_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, "[cache]\npath = unquoted\n")
    with pytest.raises(SettingsError, match="line 2"):
        load(path)


def test_binary_file_is_an_error_not_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "explorer.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="cannot be read"):
        load(path)


def test_paths_start_at_the_file_and_home_is_expanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "checkpoints" / "rl").mkdir(parents=True)
    text = (
        '[cache]\npath = "~/c.db"\n[models.a]\nrole = "base"\nsource = "checkpoints/rl"\n'
        '[models.b]\nrole = "base"\nsource = "./later"\n[models.c]\nrole = "base"\n'
        'source = "org/name"\n'
    )
    settings = load(write(tmp_path, text))
    assert settings.workspace.cache == tmp_path / "home" / "c.db"
    assert settings.models["a"].source == str(tmp_path / "checkpoints" / "rl")
    assert settings.models["b"].source == str(tmp_path / "later")
    assert settings.models["c"].source == "org/name"


def test_find_looks_upwards(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert find(inner) == path
    assert find(inner, tmp_path) == path
    assert find(inner, path) == path
    with pytest.raises(SettingsError, match=r"no explorer\.toml"):
        find(tmp_path, inner)
    (tmp_path / "other.toml").touch()
    with pytest.raises(SettingsError, match=r"settings are called explorer\.toml"):
        find(tmp_path, tmp_path / "other.toml")


VALUES = (
    *('"# not a comment ["', "'''\nx = 1\n'''", '"""\n[t]\n\\""""', "[1,\n 2, # c ]\n]"),
    *("3 # x = [", "{a = 1, b = [2]}", '""', "''", '["]", "}"]'),
)


@given(
    st.lists(
        st.tuples(
            st.text("abc_-", min_size=1, max_size=4),
            st.sampled_from(VALUES),
        ),
        unique_by=lambda pair: pair[0],
        max_size=8,
    )
)
def test_lines_of_keys_survive_every_kind_of_value(pairs: list[tuple[str, str]]) -> None:
    text = "# head\n\n[t]\n"
    expected: dict[tuple[str, ...], int] = {("t",): 3}
    for key, value in pairs:
        expected[("t", key)] = text.count("\n") + 1
        text += f"  {key}  = {value}\n"
    assert key_lines(text) == expected
