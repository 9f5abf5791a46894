"""Where the published benchmark files lie beside a development checkout, if they do."""

from __future__ import annotations

from pathlib import Path

import pytest

from explorer.datasets import registry
from explorer.datasets.contents import DatasetContents
from explorer.settings import DatasetSettings

BENCHMARKS = Path(__file__).parents[2] / "shared" / "data" / "benchmarks"

needs_benchmarks = pytest.mark.skipif(
    not BENCHMARKS.is_dir(), reason="the files of ../shared/data/benchmarks are not here"
)

FOLDERS = {
    "gsm8k": ("gsm8k", 1319),
    "math500": ("math500", 500),
    "aime24": ("aime24", 30),
    "amc23": ("amc23", 40),
    "minerva": ("minerva", 272),
    "olympiadbench": ("olympiadbench", 675),
    "humaneval": ("humaneval", 164),
    "humaneval-plus": ("humaneval_plus_early", 164),
    "leetcode": ("leetcode40", 40),
    "mathvista": ("mathvista", 1000),
    "mathvision": ("mathvision", 304),
}
"""Format -> folder and number of problems; every row is one."""


def benchmark(kind: str) -> DatasetContents:
    folder, _ = FOLDERS[kind]
    return registry.read(DatasetSettings(kind, BENCHMARKS / folder, kind))
