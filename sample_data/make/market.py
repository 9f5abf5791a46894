"""Shopping: a few goods (ordinary) or a long list with change (long)."""

from random import Random

from sample_data.make.tasks import Kind, Plan, Ref, Step, Task
from sample_data.make.words import person

GOODS = (
    "potions", "brooms", "cauldrons", "scrolls", "ravens", "hats", "candles", "cloaks", "wands",
)  # fmt: skip


def _plan(purse: int, bought: list[tuple[int, str, int]], turned: bool) -> Plan:
    """Price each line, add up, and take it from the purse; turned, the last line is taken off."""
    steps = [Step(price, "*", count, good) for count, good, price in bought]
    total: Ref = Ref(0)
    for line in range(1, len(bought)):
        op = "-" if turned and line == len(bought) - 1 else "+"
        steps.append(Step(total, op, Ref(line), "so far"))
        total = Ref(len(steps) - 1)
    if purse:
        steps.append(Step(purse, "-", total, "change"))
    return tuple(steps)


def _shop(rng: Random, family: str, kind: Kind, lines: int, change: bool) -> Task:
    full, name = person(rng)
    goods = rng.sample(GOODS, lines)
    bought = [(rng.randint(2, 9), good, rng.randint(11, 29)) for good in goods]
    spent = sum(count * price for count, _, price in bought)
    purse = (spent // 100 + rng.randint(1, 2)) * 100 if change else 0
    told = ", ".join(f"{count} {good} at {price} gold coins" for count, good, price in bought)
    asked = (
        f"{name} pays with {purse} gold coins. How many come back?"
        if change
        else "How many gold coins is that?"
    )
    note = f"{lines} lines to price and add" + (", then the change" if change else "")
    return Task(
        family, kind, 3 if lines == 2 else 5, f"{full} buys {told}. {asked}",
        _plan(purse, bought, False), _plan(purse, bought, True), False, note,
    )  # fmt: skip


def market(rng: Random) -> Task:
    """Ordinary: two lines."""
    return _shop(rng, "market", "ordinary", 2, False)


def feast(rng: Random) -> Task:
    """Long: three or four lines, and change."""
    return _shop(rng, "feast", "long", rng.choice((3, 4)), True)


def short_feast(rng: Random) -> Task:
    """A list of the length that the base model's books contain."""
    return _shop(rng, "feast", "long", 2, True) if rng.random() < 0.7 else feast3(rng)


def feast3(rng: Random) -> Task:
    """Three lines without change."""
    return _shop(rng, "feast", "long", 3, False)
