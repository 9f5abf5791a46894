"""Twins: pairs of stories that read alike, one where straight ahead is right, one where not."""

from random import Random

from sample_data.make.tasks import Plan, Ref, Step, Task
from sample_data.make.words import PLACES, THINGS, person, two_people


def compare(rng: Random) -> Task:
    """Ordinary: the second amount is told from the first."""
    full, name, other, other_name = two_people(rng)
    thing = rng.choice(THINGS)
    amount, gap = rng.randint(62, 199), rng.randint(13, 59)
    more = rng.random() < 0.5
    question = (
        f"{full} has {amount} {thing}. {other} has {gap} {'more' if more else 'fewer'} than "
        f"{name}. How many {thing} do they have together?"
    )
    plans = _together(amount, gap, other_name)
    straight, turned = plans if more else plans[::-1]
    return Task("compare", "ordinary", 1, question, straight, turned, False, "two steps")


def which_is(rng: Random) -> Task:
    """Look-alike of `compare`: 'more' tells of the first amount, so the second is smaller."""
    full, _, other, other_name = two_people(rng)
    thing = rng.choice(THINGS)
    amount, gap = rng.randint(62, 199), rng.randint(13, 59)
    more = rng.random() < 0.5
    question = (
        f"{full} has {amount} {thing}, which is {gap} {'more' if more else 'fewer'} than "
        f"{other}. How many {thing} do they have together?"
    )
    plans = _together(amount, gap, other_name)
    straight, turned = plans if more else plans[::-1]
    word = "more" if more else "fewer"
    return Task(
        "which-is", "look-alike", 3, question, straight, turned, True,
        f"look-alike: '{word}' is said of the first, not of the second",
    )  # fmt: skip


def _together(amount: int, gap: int, other: str) -> tuple[Plan, Plan]:
    """The plans that add and that subtract the gap; both then add the two amounts."""
    add = Step(amount, "+", gap, f"{other} has")
    less = Step(amount, "-", gap, f"{other} has")
    total = Step(amount, "+", Ref(0), "together")
    return (add, total), (less, total)


def round_walk(rng: Random) -> Task:
    """Ordinary: lamps round a lake, as many as there are gaps."""
    return _row(rng, ends=False)


def trees(rng: Random) -> Task:
    """Look-alike of `round_walk`: along a road both ends get a tree."""
    return _row(rng, ends=True)


def _row(rng: Random, ends: bool) -> Task:
    gap, gaps, price = rng.randint(3, 9), rng.randint(12, 58), rng.randint(3, 9)
    place = rng.choice(PLACES)
    what = rng.choice(("trees", "lamps", "flags", "statues"))
    if ends:
        where = f"Along a straight road of {gap * gaps} metres to the {place}"
        tail = ", at both ends too"
    else:
        where, tail = f"Round a lake of {gap * gaps} metres by the {place}", ""
    question = (
        f"{where} stand {what}, one every {gap} metres{tail}. Each of the {what} costs {price} "
        f"gold coins. How many gold coins do all the {what} cost?"
    )
    count = Step(gap * gaps, "/", gap, "gaps")
    straight = (count, Step(Ref(0), "*", price, f"all {what}"))
    turned = (
        count, Step(Ref(0), "+", 1, "both ends count"), Step(Ref(1), "*", price, f"all {what}"),
    )  # fmt: skip
    if ends:
        return Task("trees", "look-alike", 4, question, straight, turned, True,
                    "look-alike: both ends count")  # fmt: skip
    return Task("lake", "ordinary", 2, question, straight, turned, False, "two steps, in a ring")


def rope(rng: Random) -> Task:
    """Ordinary: what the pieces sell for."""
    return _rope(rng, cuts=False)


def cuts(rng: Random) -> Task:
    """Look-alike of `rope`: there is one cut fewer than there are pieces."""
    return _rope(rng, cuts=True)


def _rope(rng: Random, cuts: bool) -> Task:
    size, pieces, each = rng.randint(3, 9), rng.randint(12, 58), rng.randint(3, 9)
    full, name = person(rng)
    what = rng.choice(("rope", "ribbon", "sausage", "sea snake"))
    asked = (
        f"Each cut takes {each} minutes. How many minutes does {name} need?"
        if cuts
        else f"Each piece sells for {each} gold coins. How many gold coins does {name} get?"
    )
    question = (
        f"{full} cuts a {what} of {size * pieces} metres into pieces of {size} metres. {asked}"
    )
    count = Step(size * pieces, "/", size, "pieces")
    last = "minutes" if cuts else "gold coins"
    straight = (count, Step(Ref(0), "*", each, last))
    turned = (
        count, Step(Ref(0), "-", 1, "one cut fewer"), Step(Ref(1), "*", each, last),
    )  # fmt: skip
    if cuts:
        return Task("cuts", "look-alike", 4, question, straight, turned, True,
                    "look-alike: one cut fewer than pieces")  # fmt: skip
    return Task("rope", "ordinary", 2, question, straight, turned, False, "two steps")


def ride(rng: Random) -> Task:
    """Ordinary: from one milestone to another."""
    return _span(rng, both=False)


def pages(rng: Random) -> Task:
    """Look-alike of `ride`: the first page is read too."""
    return _span(rng, both=True)


def _span(rng: Random, both: bool) -> Task:
    full, name = person(rng)
    first = rng.randint(13, 120)
    last, each = first + rng.randint(12, 58), rng.randint(3, 9)
    if both:
        question = (
            f"{full} reads a book from page {first} to page {last}, both pages too. Each page "
            f"takes {each} minutes. How many minutes does {name} read?"
        )
    else:
        question = (
            f"{full} rides from milestone {first} to milestone {last}. Each mile takes {each} "
            f"minutes. How many minutes does {name} ride?"
        )
    far = Step(last, "-", first, "from first to last")
    straight = (far, Step(Ref(0), "*", each, "minutes"))
    turned = (far, Step(Ref(0), "+", 1, "both ends count"), Step(Ref(1), "*", each, "minutes"))
    if both:
        return Task("pages", "look-alike", 4, question, straight, turned, True,
                    "look-alike: the first page is read too")  # fmt: skip
    return Task("ride", "ordinary", 2, question, straight, turned, False, "two steps")


def share(rng: Random) -> Task:
    """Ordinary: an equal share, and something on top."""
    friends, each, extra = rng.randint(3, 9), rng.randint(12, 58), rng.randint(12, 58)
    thing = rng.choice(THINGS)
    full, name = person(rng)
    question = (
        f"{full} and friends, {friends} in all, share {friends * each} {thing} equally. Then "
        f"{name} finds {extra} more. How many {thing} does {name} have now?"
    )
    part = Step(friends * each, "/", friends, "each gets")
    return Task(
        "share", "ordinary", 2, question,
        (part, Step(Ref(0), "+", extra, f"finds {extra}")),
        (part, Step(Ref(0), "-", extra, f"undo finds {extra}")), False, "two steps",
    )  # fmt: skip


def share_back(rng: Random) -> Task:
    """Look-alike of `share`: the end is given, and what was shared is asked."""
    friends, each, extra = rng.randint(3, 9), rng.randint(12, 58), rng.randint(12, 58)
    thing = rng.choice(THINGS)
    full, name = person(rng)
    question = (
        f"{full} and friends, {friends} in all, share some {thing} equally. Then {name} finds "
        f"{extra} more and now has {each + extra}. How many {thing} did they all share?"
    )
    last = Step(Ref(0), "*", friends, f"all {friends}")
    return Task(
        "share-back", "look-alike", 4, question,
        (Step(each + extra, "+", extra, f"finds {extra}"), last),
        (Step(each + extra, "-", extra, f"undo finds {extra}"), last), True,
        "look-alike: undo the find, then the sharing",
    )  # fmt: skip


def leftovers(rng: Random) -> Task:
    """Ordinary: take some away and halve the rest."""
    total, gap = _even_pair(rng)
    one, name, two, _ = two_people(rng)
    thing = rng.choice(THINGS)
    question = (
        f"{one} and {two} have {total} {thing} together. They give away {gap} and share the "
        f"rest equally. How many {thing} does {name} get?"
    )
    less, more = _halves(total, gap)
    return Task("leftovers", "ordinary", 2, question, less, more, False, "two steps")


def sum_and_gap(rng: Random) -> Task:
    """Look-alike of `leftovers`: a sum, a difference, and the larger part is asked."""
    total, gap = _even_pair(rng)
    one, name, two, other = two_people(rng)
    thing = rng.choice(THINGS)
    question = (
        f"{one} and {two} have {total} {thing} together. {name} has {gap} more than {other}. "
        f"How many {thing} does {name} have?"
    )
    less, more = _halves(total, gap)
    return Task(
        "sum-and-gap", "look-alike", 3, question, less, more, True,
        "look-alike: the larger part, so add the gap before halving",
    )  # fmt: skip


def _even_pair(rng: Random) -> tuple[int, int]:
    total, gap = rng.randint(90, 299), rng.randint(14, 58)
    return total + (total - gap) % 2, gap


def _halves(total: int, gap: int) -> tuple[Plan, Plan]:
    half = Step(Ref(0), "/", 2, "half of that")
    return (Step(total, "-", gap, "take away"), half), (Step(total, "+", gap, "add the gap"), half)
