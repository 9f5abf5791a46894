"""explorer.toml: models that vLLM serves, on servers that run already or that we start."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from explorer.core.server_options import ServerOptions
from explorer.errors import SettingsError
from explorer.sampler.places import engine_config
from explorer.settings.reader import load

BASE = '[models.base]\nrole = "base"\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "explorer.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_url_alone_names_a_model_of_vllm(tmp_path: Path) -> None:
    settings = load(write(tmp_path, BASE + 'url = "http://localhost:8000/v1/"\n'))
    model = settings.models["base"]
    assert (model.engine, model.source) == ("vllm", "")
    assert model.urls == ("http://localhost:8000",)


def test_what_the_file_says_reaches_the_engine(tmp_path: Path) -> None:
    text = (
        BASE + 'source = "Qwen/Qwen2.5-7B"\nurl = ["http://a:1", "https://b/prefix"]\n'
        'api_key_env = "MY_KEY"\n'
    )
    settings = load(write(tmp_path, text))
    config = engine_config(settings, settings.models["base"])
    assert config.urls == ("http://a:1", "https://b/prefix")
    assert (config.engine, config.source) == ("vllm", "Qwen/Qwen2.5-7B")
    assert config.api_key_env == "MY_KEY"
    assert config.state_folder == settings.workspace.servers


def test_a_model_of_a_running_server_is_not_taken_for_a_folder(tmp_path: Path) -> None:
    (tmp_path / "rl").mkdir()
    settings = load(write(tmp_path, BASE + 'source = "rl"\nurl = "http://a:1"\n'))
    assert settings.models["base"].source == "rl"


def test_a_models_own_table_goes_before_the_common_one(tmp_path: Path) -> None:
    text = (
        "[vllm]\ntensor_parallel = 4\nprefix_caching = false\n"
        'env = { NCCL_DEBUG = "INFO" }\npython = "venv/bin/python"\n'
        + BASE
        + 'engine = "vllm"\nsource = "org/base"\n'
        '[models.base.vllm]\ntensor_parallel = 2\nextra_args = ["--quantization", "fp8"]\n'
        '[models.rl]\nrole = "rl"\nbase = "base"\nengine = "vllm"\nsource = "org/rl"\n'
        'adapter = "./adapters/rl"\n'
    )
    settings = load(write(tmp_path, text))
    common = {
        "python": str(tmp_path / "venv/bin/python"),
        "prefix_caching": False,
        "env": (("NCCL_DEBUG", "INFO"),),
    }
    base = {"tensor_parallel": 2, "extra_args": ("--quantization", "fp8")}
    assert settings.models["base"].server == ServerOptions(**common, **base)  # type: ignore[arg-type]
    rl = settings.models["rl"]
    assert rl.server == ServerOptions(**common, tensor_parallel=4)  # type: ignore[arg-type]
    assert rl.adapter == str(tmp_path / "adapters" / "rl")


def test_every_option_can_be_set(tmp_path: Path) -> None:
    defaults = asdict(ServerOptions())
    values = {"python": "python3", "extra_args": ["--x"], "env": {"A": "b"}}
    text = "[vllm]\n"
    for name, default in defaults.items():
        value = values.get(name, not default if isinstance(default, bool) else 1)
        if isinstance(value, dict):
            shown = "{ A = 'b' }"
        else:
            shown = str(value).lower() if isinstance(value, bool) else repr(value)
        text += f"{name} = {shown}\n"
    text += BASE + 'engine = "vllm"\nsource = "org/base"\n'
    found = asdict(load(write(tmp_path, text)).models["base"].server)
    same = [name for name in defaults if found[name] == defaults[name]]
    assert same == ["tensor_parallel", "pipeline_parallel", "data_parallel"]  # 1 is their default


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (BASE + 'url = "localhost:8000"', 3, "not the address of a server"),
        (BASE + "url = 8000", 3, "must be a list of texts"),
        (BASE + 'url = "http://x"\nengine = "transformers"', 3, "url needs vLLM"),
        (BASE + 'url = "http://x"\nadapter = "lora"', 4, "name the adapter"),
        (BASE + 'url = "http://x"\n[models.base.vllm]\nsleep = false', 4, "takes no [vllm] table"),
        (BASE + 'source = "a/b"\nadapter = "lora"', 4, "adapter needs vLLM"),
        (BASE + 'source = "a/b"\nengine = "vllm"\napi_key_env = "K"', 5, "that already runs"),
        (BASE + 'engine = "vllm"', 1, "source is missing"),
        ("[vllm]\ntensor_paralel = 2", 2, "did you mean 'tensor_parallel'?"),
        ("[vllm]\nsleep = 1", 2, "true or false"),
        ('[vllm]\nextra_args = "--x"', 2, "list of texts"),
        ("[vllm]\nenv = { A = 1 }", 2, "table of texts"),
        ("[vllm]\ngpu_memory_utilization = 85", 2, "out of range"),
    ],
)
def test_mistakes_are_named_with_their_line(
    tmp_path: Path, text: str, line: int, says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(write(tmp_path, text))
    assert f"explorer.toml:{line}: " in caught.value.detail
    assert says in caught.value.detail


@pytest.mark.parametrize(
    "line", ['api_key_env = "sk-sEcReT"\nurl = "http://x"', 'url = "http://me:sEcReT@host"']
)
def test_a_key_in_the_file_is_refused_and_not_repeated(tmp_path: Path, line: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(write(tmp_path, BASE + line))
    assert "sEcReT" not in str(caught.value)
    assert "environment" in str(caught.value)
