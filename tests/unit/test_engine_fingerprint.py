"""Identities of checkpoints: content alone, whatever the folder is called."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from explorer.engines import fingerprint
from explorer.engines.fingerprint import checkpoint_identity, hub_name, tokenizer_identity
from explorer.errors import EngineError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    config = {"model_type": "llama", "_name_or_path": "someone/where", "hidden_size": 64}
    (made / "config.json").write_text(json.dumps(config))
    (made / "generation_config.json").write_text('{"eos_token_id": 2, "temperature": 0.6}')
    (made / "model.safetensors").write_bytes(bytes(range(256)) * 100)
    (made / "tokenizer.json").write_text("{}")
    (made / "tokenizer_config.json").write_text('{"eos_token": "</s>"}')
    return made


def test_name_place_and_time_do_not_matter(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "elsewhere"))
    os.utime(copy / "model.safetensors", (1, 1))
    config = json.loads((copy / "config.json").read_text())
    config |= {"_name_or_path": "another/place", "transformers_version": "9"}
    (copy / "config.json").write_text(json.dumps(config, indent=4))
    (copy / "training_args.bin").write_bytes(b"incidental")
    assert checkpoint_identity(str(copy)) == checkpoint_identity(str(folder))
    assert tokenizer_identity(str(copy)) == tokenizer_identity(str(folder))
    assert checkpoint_identity(str(folder)).startswith("local:")
    assert tokenizer_identity(str(folder)).startswith("tok:")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b"other weights"),
        ("model-00002.safetensors", b"more weights"),
        ("config.json", b'{"model_type": "llama", "hidden_size": 65}'),
        ("generation_config.json", b'{"eos_token_id": [2, 3]}'),
    ],
)
def test_what_changes_completions_changes_the_checkpoint(
    folder: Path, name: str, content: bytes
) -> None:
    before, tokenizer = checkpoint_identity(str(folder)), tokenizer_identity(str(folder))
    (folder / name).write_bytes(content)
    assert checkpoint_identity(str(folder)) != before
    assert tokenizer_identity(str(folder)) == tokenizer


@pytest.mark.parametrize("name", ["tokenizer.json", "chat_template.jinja", "tokenizer.model"])
def test_what_changes_tokens_changes_the_tokenizer(folder: Path, name: str) -> None:
    checkpoint, before = checkpoint_identity(str(folder)), tokenizer_identity(str(folder))
    (folder / name).write_text('{"other": 1}')
    assert tokenizer_identity(str(folder)) != before
    assert checkpoint_identity(str(folder)) == checkpoint


def test_big_files_are_sampled_all_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "SAMPLED_OVER", 1000)
    monkeypatch.setattr(fingerprint, "BLOCK_BYTES", 16)
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    seen = {checkpoint_identity(str(folder))}
    for place in (0, len(content) // 63 * 20 + 3, len(content) - 1):
        changed = bytearray(content)
        changed[place] ^= 1
        weights.write_bytes(changed)
        seen.add(checkpoint_identity(str(folder)))
    weights.write_bytes(content + b"x")
    seen.add(checkpoint_identity(str(folder)))
    assert len(seen) == 5


def test_a_cached_hub_model_is_named_by_its_commit(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub", reason="the extra 'local' is not installed")
    import huggingface_hub.constants
    import huggingface_hub.file_download

    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "hub" / "models--owner--name"
    shutil.copytree(folder, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    assert checkpoint_identity("owner/name") == f"hub:owner/name@{commit}"
    assert tokenizer_identity("owner/name") == tokenizer_identity(str(folder))
    with pytest.raises(EngineError, match="cache"):
        checkpoint_identity("owner/name@v2")


def test_hub_names_may_carry_a_revision() -> None:
    assert hub_name("owner/name") == ("owner/name", None)
    assert hub_name("owner/name@refs/pr/1") == ("owner/name", "refs/pr/1")
