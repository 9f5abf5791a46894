"""Sizes of checkpoints and devices, and what an adapter changes, read from files alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from explorer.engines import device_memory
from explorer.engines.adapters import read_adapter, refuse_scoring
from explorer.engines.device_memory import _visible
from explorer.engines.model_memory import model_size
from explorer.errors import EngineError
from tests.lora_folder import RANK, write_lora

BASE = Path(__file__).parents[2] / "sample_data" / "models" / "base"
GIB = 2**30


def checkpoint(folder: Path, config: Mapping[str, object], dtype: str, numbers: int) -> str:
    """A folder with one tensor of so many numbers, of which only the header is true."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    header = json.dumps({"w": {"dtype": dtype, "shape": [numbers], "data_offsets": [0, 0]}})
    data = len(header).to_bytes(8, "little") + header.encode()
    (folder / "model.safetensors").write_bytes(data)
    return str(folder)


QWEN_7B = {
    "torch_dtype": "bfloat16",
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "hidden_size": 3584,
    "max_position_embeddings": 131_072,
}


def test_a_bundled_model() -> None:
    size = model_size(str(BASE), "float32")
    assert size is not None
    stored = (BASE / "model.safetensors").stat().st_size
    assert size.parameters > 800_000
    assert stored - 10_000 < 2 * size.parameters < stored
    assert size.weights == 4 * size.parameters
    assert size.per_token == 2 * 4 * 4 * 32 * 4  # K and V, layers, heads, head_dim, bytes
    assert size.context == 512


def test_grouped_heads_and_a_head_size_that_is_not_said(tmp_path: Path) -> None:
    size = model_size(checkpoint(tmp_path / "m", QWEN_7B, "BF16", 7_615_616_512))
    assert size is not None
    assert size.weights == 2 * 7_615_616_512
    assert size.per_token == 57_344
    assert size.context == 131_072


def test_float32_files_are_loaded_narrower_by_default(tmp_path: Path) -> None:
    wide = {**QWEN_7B, "torch_dtype": "float32"}
    source = checkpoint(tmp_path / "m", wide, "F32", 1000)
    sizes = [model_size(source, dtype) for dtype in ("auto", "float32")]
    assert [size and size.weights for size in sizes] == [2000, 4000]


def test_quantised_and_vision_checkpoints(tmp_path: Path) -> None:
    packed = {**QWEN_7B, "quantization_config": {"quant_method": "awq"}}
    size = model_size(checkpoint(tmp_path / "q", packed, "I32", 1000), "float16")
    assert size is not None
    assert size.weights == 4000
    vision = {"text_config": QWEN_7B, "vision_config": {}}
    size = model_size(checkpoint(tmp_path / "v", vision, "BF16", 1000))
    assert size is not None
    assert size.per_token == 57_344


def test_what_cannot_be_known_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert model_size(str(tmp_path)) is None
    assert model_size(str(tmp_path / "gone")) is None
    assert model_size("nobody/has-this-model") is None


def test_gpus_as_a_process_would_see_them(monkeypatch: pytest.MonkeyPatch) -> None:
    table = (
        "0, GPU-aaaa, NVIDIA H100, 81559, 80000\n"
        "1, GPU-bbbb, NVIDIA H100, 81559, 1000\n"
        "2, GPU-cccc, GB10, [N/A], [N/A]\n"
    )
    both = _visible(table, None)
    assert [(gpu.index, gpu.total >> 20, gpu.free >> 20) for gpu in both] == [
        (0, 81559, 80000),
        (1, 81559, 1000),
    ]
    assert [gpu.index for gpu in _visible(table, "1")] == [1]
    assert [gpu.index for gpu in _visible(table, "GPU-bbbb,0")] == [1, 0]
    assert _visible(table, "") == ()
    monkeypatch.setenv("PATH", "/nowhere")
    assert device_memory.gpus() == ()


def test_this_machine() -> None:
    machine = device_memory.machine()
    if machine is None:
        pytest.skip("no /proc/meminfo here")
    assert 0 < machine.free <= machine.total


def test_an_adapter(tmp_path: Path) -> None:
    adapter = read_adapter(str(write_lora(tmp_path / "my lora")))
    assert adapter.rank == RANK
    assert adapter.output_parts == ()
    assert adapter.name == f"my-lora-{adapter.digest[:12]}"
    refuse_scoring(adapter.folder)
    other = read_adapter(str(write_lora(tmp_path / "b" / "my lora", seed=1)))
    assert other.name != adapter.name


def test_adapters_of_the_output_layer_are_refused_for_scoring(tmp_path: Path) -> None:
    head = str(write_lora(tmp_path / "head", head=True))
    assert read_adapter(head).output_parts == ("lm_head",)
    with pytest.raises(EngineError, match="would be wrong"):
        refuse_scoring(head)
    # the configuration may be silent while the tensors are not, and the other way round
    saved = write_lora(tmp_path / "saved")
    config = json.loads((saved / "adapter_config.json").read_text())
    (saved / "adapter_config.json").write_text(
        json.dumps({**config, "modules_to_save": ["embed_tokens"]})
    )
    assert read_adapter(str(saved)).output_parts == ("embed_tokens",)
    silent = write_lora(tmp_path / "silent", head=True)
    (silent / "adapter_config.json").write_text(json.dumps({**config, "target_modules": "all"}))
    assert read_adapter(str(silent)).output_parts == ("lm_head",)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("adapter_config.json", None, "no LoRA adapter"),
        ("adapter_config.json", b"{", "damaged"),
        ("adapter_model.safetensors", None, "no LoRA weights"),
        ("adapter_model.safetensors", b"x", "damaged"),
    ],
)
def test_broken_adapters_are_named(
    tmp_path: Path, file: str, content: bytes | None, said: str
) -> None:
    folder = write_lora(tmp_path / "lora")
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(EngineError, match=said):
        read_adapter(str(folder))
