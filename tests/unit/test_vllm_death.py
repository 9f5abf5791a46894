"""What a dead server's log is taken to say."""

from __future__ import annotations

from pathlib import Path

import pytest

from explorer.engines.base import EngineConfig
from explorer.engines.vllm_death import why_it_ended
from explorer.engines.vllm_phases import phase_of

MODEL = Path(__file__).parents[2] / "sample_data" / "models" / "base"
NOISE = """\
(APIServer pid=1) INFO 11-25 07:32:47 [api_utils.py:286] non-default args: {'port': 8471}
(EngineCore pid=7) ERROR 11-25 07:33:01 [core.py:133] Traceback (most recent call last):
(EngineCore pid=7) ERROR 11-25 07:33:01 [core.py:133]   File "/x/core.py", line 9, in run
(EngineCore pid=7) ERROR 11-25 07:33:01 [core.py:133]     raise OutOfMemoryError()
(EngineCore pid=7) ERROR 11-25 07:33:01 [core.py:133] {}
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
"""


@pytest.mark.parametrize(
    ("told", "title", "help_text"),
    [
        ("ValueError: To serve at least one request with the model's max seq len (512), (9 GiB KV"
         " cache is needed, which is larger than the available KV cache memory (1 GiB).",
         "not a completion of its full context", "one completion of 512 tokens"),
        ("ValueError: Free memory on device cuda:0 (1.00/80.00 GiB) on startup is less than"
         " desired GPU memory utilization (0.85, 68.00 GiB).",
         "Other processes hold memory", "gpu_memory_utilization"),
        ("RuntimeError: Failed to infer device type", "no device", "nvidia-smi"),
        ("safetensors_rust.SafetensorError: Error while deserializing header: InvalidHeader",
         "damaged", "hf download"),
        ("ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0",
         "dtype", "float16"),
        ("api_server.py: error: unrecognized arguments: --no-such", "flags", "extra_args"),
        ("ValueError: Unsupported CPU attention configuration: head_dim=16", "attention",
         "transformers"),
        ("SomethingError: never seen before", "ended while it started", "server.log"),
    ],
)  # fmt: skip
def test_the_cause_is_named_with_what_helps(
    tmp_path: Path, told: str, title: str, help_text: str
) -> None:
    log = tmp_path / "server.log"
    former = "OutOfMemoryError: of the server before this one\n"
    log.write_text(former + NOISE.replace("{}", told, 1))
    config = EngineConfig(str(MODEL), context=512)
    error = why_it_ended(config, str(log), len(former), "exit code 1")
    assert title in error.title
    assert help_text in error.hint
    assert told[:60] in error.detail
    assert "core.py" not in error.detail
    assert "Engine core initialization" not in error.detail


def test_a_log_is_read_onwards(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("Starting to load model x...\nLoading safetensors checkpoint shards: 25%")
    phase, detail, end = phase_of(str(log), 0, "starting", "")
    assert (phase, detail) == ("loading weights", "")
    with log.open("a") as file:
        file.write(" Completed | 1/4 [00:01<00:03]\rLoading safetensors checkpoint shards:")
        file.write("  50% Completed | 2/4 [00:02<00:02]\n")
    phase, detail, end = phase_of(str(log), end, phase, detail)
    assert (phase, detail) == ("loading weights", "part 2 of 4")
    with log.open("a") as file:
        file.write("Capturing CUDA graphs (decode, FULL):   3%\n")
    assert phase_of(str(log), end, phase, detail)[:2] == ("compiling", "")
