"""Stage `distilled`: the base model goes on reading, now the careful teacher's traces."""

from pathlib import Path
from random import Random

import torch

from sample_data.make import model, tokenizer
from sample_data.make.corpus import teacher_examples
from sample_data.make.supervised import Schedule, train

SCHEDULE = Schedule(steps=450, rate=0.01)


def make(base: Path, out: Path, seed: int) -> None:
    """Fine-tune the saved base on the teacher's traces."""
    torch.manual_seed(seed + 2)
    network, words = model.load(base), tokenizer.load(base)
    traces = teacher_examples(Random(f"distilled {seed}"))
    train(network, words, (example.row for example in traces), SCHEDULE)
    model.save(network, words, out)
