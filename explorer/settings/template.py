"""The explorer.toml files that are written for people: by `init`, and for the bundled demo.

Both are read back by `reader` in the tests, so that what is written is always valid.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

STARTER: Final = """\
# explorer.toml: which models, problems and sampling settings this workspace compares.
# Check it with `rlvr-explorer doctor`; open it with `rlvr-explorer`.
# Relative paths start at this file's folder.

[cache]
path = "cache/explorer.db"  # every completion, verdict and score; logs/ lies beside it

[defaults]
preset = "paper"  # sampling preset, see [presets.*] below
n = 64            # completions per model and problem that one request asks for
seed = 0

[sampler]
idle_exit_s = 600  # the background sampler ends after so many idle seconds

# [recorded]
# files = ["rollouts/*.jsonl"]  # completions of others to show beside your own

# --- Models --------------------------------------------------------------------------------
# role      "base", "rl" or "distilled"; rl and distilled name the base they are compared with
# source    a folder, or a model's name on the hub
# engine    "transformers"
# dtype     "auto", "float32", "bfloat16" or "float16"
# device    "auto", "cpu", "cuda", "cuda:1"
# context   most tokens of prompt + completion (0 = what the model can)
# template  one of [templates.*] below
# Give base and RL model the same template, or the comparison is about prompts.

[models.base]
role = "base"
source = "Qwen/Qwen2.5-0.5B"
template = "qwen-boxed"

[models.rl]
role = "rl"
base = "base"
algorithm = "GRPO"
source = "hkust-nlp/Qwen-2.5-0.5B-SimpleRL-Zoo"
template = "qwen-boxed"

# [models.distilled]
# role = "distilled"
# base = "base"
# source = "checkpoints/my-distilled-model"
# template = "qwen-boxed"

# --- Problems ------------------------------------------------------------------------------
# One JSON object a line: {"id": …, "question": …, "answer": …}; other columns are kept.
# verifier  "math", or "exact" for answers that must match letter by letter

[datasets.examples]
path = "problems.jsonl"
format = "jsonl"
verifier = "math"

# --- Prompts: built in are "plain", "qa", "chat" and "qwen-boxed" ----------------------------
# {question}, or any other column of the dataset, is replaced; all else is literal.
#
# [templates.boxed-last]
# text = "{question}\\nPut your final answer within \\\\boxed{}."
# chat = true                    # wrap in the model's own chat template
# system = "You are a careful mathematician."
# prefill = "<think>"            # what the assistant's turn begins with

# --- Sampling: built in are "paper" and "plain" (T 1.0) --------------------------------------
# "paper" is: temperature = 0.6, top_p = 0.95, max_tokens = 16384
#
# [presets.short]
# temperature = 1.0
# top_p = 1.0       # 1.0 = no cut
# top_k = 0         # 0 = no cut
# max_tokens = 2048
# stop = []
"""

STARTER_PROBLEMS: Final = """\
{"id": "example-1", "question": "What is 17 * 24?", "answer": "408"}
{"id": "example-2", "question": "A road is 60 metres long and has a tree every 5 metres, at both \
ends too. How many trees are there?", "answer": "13"}
"""

_DEMO: Final = """\
# The bundled family: three tiny models trained for this demo, and what they wrote.
# Written by `rlvr-explorer demo`; change it as you like, it is not written again.

[cache]
path = "cache/explorer.db"

[defaults]
preset = "demo"
n = 128
seed = 1

[sampler]
idle_exit_s = 300

[recorded]
files = ["{sample_data}/recorded/*.jsonl.gz"]

[models.base]
role = "base"
source = "{sample_data}/models/base"
template = "qa"
dtype = "float32"
device = "cpu"

[models.rl]
role = "rl"
base = "base"
algorithm = "GRPO"
source = "{sample_data}/models/rl"
template = "qa"
dtype = "float32"
device = "cpu"

[models.distilled]
role = "distilled"
base = "base"
source = "{sample_data}/models/distilled"
template = "qa"
dtype = "float32"
device = "cpu"

[datasets.twins]
path = "{sample_data}/problems.jsonl"
format = "jsonl"
verifier = "math"

[presets.demo]
temperature = 1.0
top_p = 1.0
max_tokens = 160
"""


def demo(sample_data: Path) -> str:
    """The demo's explorer.toml, for bundled data at an absolute path."""
    escaped = str(sample_data).replace("\\", "\\\\").replace('"', '\\"')
    return _DEMO.replace("{sample_data}", escaped)
