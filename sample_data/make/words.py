"""The people, things and events of the problems."""

from random import Random

PEOPLE = (
    "Otto the dragon", "Mara the pirate", "Pip the robot", "Nell the ghost", "Gus the wizard",
    "Ida the baker", "Finn the knight", "Luna the witch", "Bo the troll", "Zoe the astronaut",
    "Kai the sailor", "Ruth the detective", "Hugo the snail", "Vera the owl",
)  # fmt: skip
THINGS = (
    "gold coins", "marbles", "shells", "mushrooms", "feathers", "buttons", "lanterns", "acorns",
    "socks", "keys", "crystals", "pies", "maps", "teacups",
)  # fmt: skip
GAINS = ("finds", "wins", "buys", "digs up")
LOSSES = ("loses", "sells", "gives away", "drops")
PLACES = ("moon", "old harbour", "castle", "glass tower", "night train", "lighthouse")


def person(rng: Random) -> tuple[str, str]:
    """Somebody with a trade, and the bare name to use from then on."""
    full = rng.choice(PEOPLE)
    return full, full.split()[0]


def two_people(rng: Random) -> tuple[str, str, str, str]:
    """Two different people: full and bare name of each."""
    one, two = rng.sample(PEOPLE, 2)
    return one, one.split()[0], two, two.split()[0]


def listing(parts: list[str]) -> str:
    """`finds 3, then loses 4, then wins 5`: events in the order they happen."""
    return ", then ".join(parts)
