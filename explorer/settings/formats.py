"""The dataset formats by name: who decides their problems, and where a hub has them.

Facts only, so that explorer.toml can be checked without importing a reader; what each format's
fields mean stands in its module under `explorer.datasets`. Invariant: `datasets.registry` reads
exactly these (tested).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Final


@dataclass(frozen=True, slots=True)
class DatasetFormat:
    """One format.

    Attributes:
        title: what it is, in a few words.
        verifier: who decides its problems unless explorer.toml or a row says otherwise.
        hub, config, split: where the hub keeps the benchmark, '' if it is nobody's or one's own.
    """

    title: str
    verifier: str
    hub: str = ""
    config: str = ""
    split: str = ""


AUTO: Final = "auto"
"""The format that looks at the first row and says what it recognised."""

FORMATS: Final = {
    AUTO: DatasetFormat("whatever its fields say it is", ""),
    "jsonl": DatasetFormat("one's own problems, see docs/formats.md", "math"),
    "gsm8k": DatasetFormat("grade-school word problems", "math", "openai/gsm8k", "main", "test"),
    "math500": DatasetFormat(
        "500 problems of MATH", "math", "HuggingFaceH4/MATH-500", split="test"
    ),
    "aime24": DatasetFormat(
        "AIME 2024, I and II", "math", "HuggingFaceH4/aime_2024", split="train"
    ),
    "aime25": DatasetFormat("AIME 2025, I and II", "math", "math-ai/aime25", split="test"),
    "amc23": DatasetFormat("AMC 12 of 2023", "math", "math-ai/amc23", split="test"),
    "minerva": DatasetFormat(
        "Minerva's undergraduate science (OCW)", "math", "math-ai/minervamath", split="test"
    ),
    "olympiadbench": DatasetFormat(
        "olympiad problems with final answers",
        "math",
        "Hothan/OlympiadBench",
        "OE_TO_maths_en_COMP",
        "train",
    ),
    "humaneval": DatasetFormat(
        "functions to complete", "code", "openai/openai_humaneval", split="test"
    ),
    "humaneval-plus": DatasetFormat(
        "HumanEval with many more inputs", "code", "evalplus/humanevalplus", split="test"
    ),
    "mbpp-plus": DatasetFormat(
        "short functions with many inputs", "code", "evalplus/mbppplus", split="test"
    ),
    "livecodebench": DatasetFormat(
        "contest problems, stdin and functional",
        "code",
        "livecodebench/code_generation_lite",
        split="test",
    ),
    "leetcode": DatasetFormat("LeetCode contests with asserts (PRIME's layout)", "code"),
    "mathvista": DatasetFormat(
        "questions about figures", "mathvista", "AI4Math/MathVista", split="testmini"
    ),
    "mathvision": DatasetFormat(
        "competition problems with figures", "mathvision", "MathLLMs/MathVision", split="testmini"
    ),
}
"""Name in explorer.toml -> format."""

KINDS: Final = (
    (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz"),
    (".json", ".json.gz"),
    (".parquet",),
)
"""Suffixes of data files by how they are read."""


def is_data(path: PurePath) -> bool:
    """Whether a file of a folder may hold rows, by its name."""
    suffixes = tuple(suffix for kind in KINDS for suffix in kind)
    return not path.name.startswith(".") and path.name.endswith(suffixes)
