"""Stage `base`: from nothing, on worked solutions of mixed quality."""

from itertools import chain, islice
from pathlib import Path
from random import Random

import torch

from sample_data.make import drills, model, tokenizer
from sample_data.make.corpus import base_books, base_examples, teacher_examples
from sample_data.make.supervised import Schedule, train

DRILLS = Schedule(steps=900, rate=0.02, batch=32)
SMALL_DRILLS = 500 * DRILLS.batch
STORIES = Schedule(steps=800, rate=0.015)
TOKENIZER_TEXTS = 6000


def make(out: Path, seed: int) -> None:
    """Learn the vocabulary and the weights, and save both."""
    rng = Random(f"tokenizer {seed}")
    texts = chain(islice(base_examples(rng), TOKENIZER_TEXTS), islice(teacher_examples(rng), 2000))
    words = tokenizer.learn(example.prompt + example.solution for example in texts)
    torch.manual_seed(seed)
    network = model.new(words)
    print(f"{network.num_parameters():,} parameters, vocabulary {len(words)}", flush=True)
    train(network, words, drills.rows(Random(f"drills {seed}"), SMALL_DRILLS), DRILLS)
    train(network, words, base_books(Random(f"base {seed}")), STORIES)
    model.save(network, words, out)
