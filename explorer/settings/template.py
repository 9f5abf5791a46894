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
# author = "ada"  # who overrides verdicts here; without it user@host

# [review]            # `rlvr-explorer review` and `judge`: was a right answer reasoned?
# name = "ada"        # whose reviews yours are; without it, whose overrides
# judge = "rl"        # a model of this file that judges reasoning
# votes = 3           # per completion

[display]
images = "auto"  # or "kitty", "iterm", "sixel", "half" (blocks of text), "path" (none drawn)

[sampler]
idle_exit_s = 600  # the background sampler ends after so many idle seconds
# memory_gb = 60       # memory of the device that models may take together (else: what it has)
# server_idle_s = 900  # a vLLM server that nobody uses for so long is stopped

# [verifiers]
# Model code runs in a bubblewrap sandbox; where there is none it is not run, unless you say:
# run_code_without_sandbox = "yes, run model code on this machine unprotected"

# [recorded]
# files = ["rollouts/*.jsonl"]  # completions of others to show beside your own

# --- Models --------------------------------------------------------------------------------
# role      "base", "rl" or "distilled"; rl and distilled name the base they are compared with
# source    a folder, or a model's name on the hub
# engine    "transformers", or "vllm", which starts a server (see [vllm]) or uses one that runs:
# url       "http://host:8000", or a list of servers of the same model; then source is the name
#           that they give it, and may be left out
# api_key_env  environment variable that holds the key of those servers
# adapter   a LoRA folder on top of source (engine "vllm")
# dtype     "auto", "float32", "bfloat16" or "float16"
# device    "auto", "cpu", "cuda", "cuda:1"
# context   most tokens of prompt + completion (0 = what the model can)
# template  one of [templates.*] below
# step, rollouts  training step of the checkpoint, rollouts per prompt: x axes of a study
# listed    false keeps it off the problem list and pages; the study (S) shows it all the same
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

# [vllm]                     # how servers are started; [models.<name>.vllm] for one model
# python = "~/vllm/bin/python"  # the interpreter that has vllm
# tensor_parallel = 1        # devices that share a model
# gpu_memory_utilization = 0.85
# extra_args = []            # further flags, as `vllm serve` takes them

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

# Published benchmarks are read as they are; `rlvr-explorer datasets` lists the formats.
#
# [datasets.math500]
# path = "data/math500.jsonl"  # a file or folder; without it, it is fetched from the hub
# format = "math500"

# A dataset may have a prompt of its own, which goes before the models', and may say how a problem
# is put where the prompt has {question}:
# template = "qwen-boxed"
# question = "{question}\\nHint: {hint}"

# --- Prompts: built in are "plain", "qa", "chat" and the published ones (p in the explorer) ------
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
#
# A control arm: is what RL gained more than what the base gains from a low temperature?
# [presets.cold]
# temperature = 0.3
# max_tokens = 2048
"""

STARTER_PROBLEMS: Final = """\
{"id": "example-1", "question": "What is 17 * 24?", "answer": "408"}
{"id": "example-2", "question": "A road is 60 metres long and has a tree every 5 metres, at both \
ends too. How many trees are there?", "answer": "13"}
"""

_DEMO: Final = """\
# The bundled family: eight tiny models trained for this demo, and what they wrote. Three of them
# are listed; the study (S) and the commands show all.
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
step = 40
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

[models."ppo"]
role = "rl"
base = "base"
algorithm = "PPO"
step = 40
source = "{sample_data}/models/ppo"
template = "qa"
dtype = "float32"
device = "cpu"
listed = false

[models."reinforce++"]
role = "rl"
base = "base"
algorithm = "REINFORCE++"
step = 40
source = "{sample_data}/models/reinforce++"
template = "qa"
dtype = "float32"
device = "cpu"
listed = false

[models."rloo"]
role = "rl"
base = "base"
algorithm = "RLOO"
step = 40
source = "{sample_data}/models/rloo"
template = "qa"
dtype = "float32"
device = "cpu"
listed = false

[models."remax"]
role = "rl"
base = "base"
algorithm = "ReMax"
step = 40
source = "{sample_data}/models/remax"
template = "qa"
dtype = "float32"
device = "cpu"
listed = false

[models."dapo"]
role = "rl"
base = "base"
algorithm = "DAPO"
step = 40
source = "{sample_data}/models/dapo"
template = "qa"
dtype = "float32"
device = "cpu"
listed = false

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
