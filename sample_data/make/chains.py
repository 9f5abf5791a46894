"""Chains of gains and losses: told forwards (ordinary), backwards (look-alike), or at length."""

from random import Random

from sample_data.make.tasks import Kind, Plan, Ref, Step, Task
from sample_data.make.words import GAINS, LOSSES, THINGS, listing, person

INVERSE = {"+": "-", "-": "+", "*": "/", "/": "*"}
FACTOR_WORDS = {
    ("*", 2): "doubles them all", ("*", 3): "triples them all",
    ("/", 2): "loses half of them", ("/", 3): "keeps a third of them",
}  # fmt: skip
CEILING = 499
"""No number of a story passes this: three digits are what so small a model can carry."""


def events(rng: Random, start: int, count: int, factors: bool) -> list[tuple[str, int, str]]:
    """`count` events as (operation, number, words) that keep a hoard between 10 and CEILING."""
    told: list[tuple[str, int, str]] = []
    held = start
    while len(told) < count:
        op = rng.choice("+-+-*/" if factors else "+-")
        number = rng.choice((2, 3)) if op in "*/" else rng.randint(12, 59)
        after = {"+": held + number, "-": held - number, "*": held * number}.get(op, held // number)
        fits = 10 <= after <= CEILING and (op != "/" or held % number == 0)
        if not fits or (told and op in "*/" and told[-1][0] in "*/"):
            continue
        verb = rng.choice(GAINS if op == "+" else LOSSES)
        told.append((op, number, FACTOR_WORDS.get((op, number), f"{verb} {number}")))
        held = after
    return told


def forwards(start: int, told: list[tuple[str, int, str]]) -> Plan:
    """Take the events in order."""
    return tuple(
        Step(start if i == 0 else Ref(i - 1), op, number, words)
        for i, (op, number, words) in enumerate(told)
    )


def backwards(end: int, told: list[tuple[str, int, str]]) -> Plan:
    """Undo the events, last one first."""
    return tuple(
        Step(end if i == 0 else Ref(i - 1), INVERSE[op], number, f"undo {words}")
        for i, (op, number, words) in enumerate(reversed(told))
    )


def told_forwards(rng: Random, family: str, kind: Kind, count: int, factors: bool) -> Task:
    full, name = person(rng)
    thing = rng.choice(THINGS)
    start = rng.randint(60, 199)
    told = events(rng, start, count, factors)
    question = (
        f"{full} has {start} {thing}. {name} {listing([words for _, _, words in told])}. "
        f"How many {thing} does {name} have now?"
    )
    return Task(
        family, kind, min(5, count - 1 if kind == "ordinary" else 3 + count // 4), question,
        forwards(start, told), backwards(start, told), False, f"{count} steps, in order",
    )  # fmt: skip


def told_backwards(rng: Random, family: str, kind: Kind, count: int, factors: bool) -> Task:
    full, name = person(rng)
    thing = rng.choice(THINGS)
    start = rng.randint(60, 199)
    told = events(rng, start, count, factors)
    end = start
    for op, number, _ in told:
        end = {"+": end + number, "-": end - number, "*": end * number}.get(op, end // number)
    question = (
        f"{full} has some {thing}. {name} {listing([words for _, _, words in told])}. "
        f"Now {name} has {end} {thing}. How many {thing} did {name} have at first?"
    )
    return Task(
        family, kind, min(5, 1 + count), question,
        forwards(end, told), backwards(end, told), True, f"look-alike: undo {count} steps",
    )  # fmt: skip


def hoard(rng: Random) -> Task:
    """Ordinary: two to four gains and losses."""
    return told_forwards(rng, "hoard", "ordinary", rng.choice((2, 2, 3, 3, 4)), False)


def start(rng: Random) -> Task:
    """Look-alike of `hoard`: the end is given and the start is asked."""
    return told_backwards(rng, "start", "look-alike", rng.choice((2, 2, 3)), False)


def saga(rng: Random, low: int = 6, high: int = 9) -> Task:
    """Long: many events, some of them doublings and halvings."""
    return told_forwards(rng, "saga", "long", rng.randint(low, high), True)


def short_saga(rng: Random) -> Task:
    """A saga of the length that the base model's books contain."""
    return saga(rng, 3, 6)


def unwind(rng: Random, low: int = 4, high: int = 5) -> Task:
    """Long and a look-alike at once: undo a story with doublings and halvings."""
    return told_backwards(rng, "unwind", "long", rng.randint(low, high), True)


def short_unwind(rng: Random) -> Task:
    """An unwinding of the length that the base model's books contain."""
    return unwind(rng, 2, 3)
