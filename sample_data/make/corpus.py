"""What each model reads: mixtures of families, never with a held-out problem's numbers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from sample_data.make import chains, drills, market, teacher, twins, writers
from sample_data.make.drills import Row
from sample_data.make.heldout import forbidden_numbers
from sample_data.make.tasks import Family, Task, draw

ORDINARY: tuple[Family, ...] = (
    chains.hoard, twins.compare, twins.round_walk, twins.rope, twins.ride, twins.share,
    twins.leftovers, market.market,
)  # fmt: skip
LOOK_ALIKE: tuple[Family, ...] = (
    chains.start, twins.which_is, twins.trees, twins.cuts, twins.pages, twins.share_back,
    twins.sum_and_gap,
)  # fmt: skip
SHORT_LONG: tuple[Family, ...] = (chains.short_saga, chains.short_unwind, market.short_feast)
LONG: tuple[Family, ...] = (chains.saga, chains.unwind, market.feast)


@dataclass(frozen=True)
class Example:
    """A prompt and the text that should follow it."""

    prompt: str
    solution: str

    @property
    def row(self) -> Row:
        return ((self.prompt, 0.0), (self.solution, 1.0))


Mixture = tuple[tuple[float, tuple[Family, ...]], ...]

BASE_MIX: Mixture = ((0.63, ORDINARY), (0.25, LOOK_ALIKE), (0.12, SHORT_LONG))
RL_MIX: Mixture = ((0.87, ORDINARY), (0.13, LOOK_ALIKE))
TEACHER_MIX: Mixture = ((0.30, ORDINARY), (0.38, LOOK_ALIKE), (0.07, SHORT_LONG), (0.25, LONG))
DRILLS = 0.15
"""The drills' share of the rows among the stories, so that sums are not forgotten."""


def prompt(question: str) -> str:
    """The one template, at training and at sampling."""
    return f"Question: {question}\nAnswer:"


def tasks(mixture: Mixture, rng: Random) -> Iterator[Task]:
    """Endless tasks of a mixture; a held-out tuple of numbers is drawn again."""
    weights = [weight for weight, _ in mixture]
    while True:
        families = rng.choices(mixture, weights)[0][1]
        task = draw(rng.choice(families), rng)
        if task.numbers not in forbidden_numbers():
            yield task


def _examples(mixture: Mixture, rng: Random, solve: Callable[[Task], str]) -> Iterator[Example]:
    for task in tasks(mixture, rng):
        yield Example(prompt(task.question), solve(task))


def base_examples(rng: Random) -> Iterator[Example]:
    """Worked solutions of mixed strategy and mixed care."""
    return _examples(BASE_MIX, rng, lambda task: writers.solution(task, rng))


def base_books(rng: Random) -> Iterator[Row]:
    """What the base model reads after its drills: stories, and a drill now and then."""
    stories, drill_rows = base_examples(rng), drills.rows(rng)
    while True:
        yield next(drill_rows) if rng.random() < DRILLS else next(stories).row


def teacher_examples(rng: Random) -> Iterator[Example]:
    """The teacher's traces, with more look-alikes and the long problems too."""
    return _examples(TEACHER_MIX, rng, teacher.solution)
