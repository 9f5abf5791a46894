"""Opening an engine: what is refused before any model library is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import explorer.engines.transformers as client
from explorer.engines.base import EngineConfig
from explorer.engines.registry import engine_names, open_engine
from explorer.errors import EngineError, MissingExtraError, SettingsError


async def test_an_unknown_engine_is_told_from_those_there_are() -> None:
    with pytest.raises(SettingsError) as caught:
        await open_engine(EngineConfig("somewhere", engine="abacus"))
    assert "abacus" in caught.value.title
    assert all(name in caught.value.detail for name in engine_names())


async def test_missing_packages_name_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def find(package: str) -> Any:
        return None if package == "torch" else object()

    monkeypatch.setattr(client, "find_spec", find)
    with pytest.raises(MissingExtraError, match=r"(?s)transformers.*\[local\]"):
        await open_engine(EngineConfig(str(tmp_path)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dtype": "int3"}, "int3"),
        ({"device": "abacus"}, "abacus"),
        ({"context": -1}, "negative"),
    ],
)
async def test_senseless_values_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        await open_engine(EngineConfig("somewhere", **change))


@pytest.mark.parametrize("missing", ["nowhere/at/all", "/nowhere", "empty", "file"])
async def test_what_is_no_model_is_refused_at_once(tmp_path: Path, missing: str) -> None:
    pytest.importorskip("transformers", reason="the extra 'local' is not installed")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("no folder")
    source = missing if "/" in missing else str(tmp_path / missing)
    with pytest.raises(EngineError) as caught:
        await open_engine(EngineConfig(source))
    assert missing in caught.value.detail
    assert caught.value.hint


def test_the_parent_side_imports_no_model_library() -> None:
    code = (
        "import sys, explorer.engines.registry, explorer.engines.transformers, "
        "explorer.engines.fingerprint, explorer.engines.vllm, explorer.engines.vllm_server\n"
        "loaded = {'torch', 'transformers', 'tokenizers', 'huggingface_hub'} & set(sys.modules)\n"
        "print(loaded or '')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
