"""How often the 95 % statements about p hold, with and without stopping on them.

`python -m benchmarks.calibration [PAIRS]`: pairs of arms with known p are sampled by eights; each
line tells how often the credible interval of p, and the statement which p is larger, were right.
`product` is the rule of `sample --until-settled`: batches of 16 of the arm in more doubt.
A population is given as the beta distribution of p over problems. `fitted` fits the prior to the
counts, as the product does; `uniform` does not, and shows why it should.
"""

from __future__ import annotations

import sys
from typing import Final

import numpy as np
from numpy.typing import NDArray

from explorer.core.belief import UNIFORM, Prior, believe, fit_prior, is_settled
from explorer.core.sequential import Move, Side, next_step

BATCH: Final = 8
CAP: Final = 256
POPULATIONS: Final = [Prior(1, 1), Prior(0.4, 0.8), Prior(0.2, 1.0), Prior(2, 2)]

Floats = NDArray[np.float64]


def simulate(chances: Floats, prior: Prior, seed: int, *, sequential: bool) -> tuple[str, str]:
    """Share of intervals that hold p, and of settled directions that are right, as text."""
    random = np.random.default_rng(seed)
    inside = said = held = 0
    for pair in chances:
        counts, n = np.zeros(2, dtype=int), 0
        while n < (CAP if sequential else 64):
            n += BATCH
            counts += random.binomial(BATCH, pair)
            first, second = (believe(int(c), n, prior) for c in counts)
            if sequential and is_settled(first, second):
                break
        low, high = first.interval()
        inside += low <= pair[0] <= high
        if is_settled(first, second):
            said += 1
            held += (first.exceeds(second) > 0.5) == (pair[0] > pair[1])
    return f"{inside / len(chances):.1%}", f"{held / said:.1%} of {said}"


def simulate_product(chances: Floats, prior: Prior, seed: int) -> tuple[str, str]:
    """The same under `core.sequential.next_step`, with as many samples at most."""
    random = np.random.default_rng(seed)
    inside = said = held = 0
    for pair in chances:
        sides = [Side(0, 0, 0, prior), Side(0, 0, 0, prior)]
        while (step := next_step(sides, CAP)).move is Move.DRAW:
            side = sides[step.side]
            more = step.target - side.completions
            c = side.c + int(random.binomial(more, pair[step.side]))
            sides[step.side] = Side(c, side.n + more, step.target, prior)
        low, high = believe(sides[0].c, sides[0].n, prior).interval()
        inside += low <= pair[0] <= high
        if step.move is Move.SETTLED:
            said += 1
            held += (step.above > 0.5) == (pair[0] > pair[1])
    return f"{inside / len(chances):.1%}", f"{held / said:.1%} of {said}"


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"{pairs} pairs, batches of {BATCH}, at most {CAP} samples an arm; 95 % statements\n")
    print("population      prior    rule         interval holds p   direction right")
    random = np.random.default_rng(1)
    for population in POPULATIONS:
        chances = random.beta(population.alpha, population.beta, (pairs, 2))
        first_look = random.binomial(64, chances[:, 0])
        priors = {"fitted": fit_prior(first_look, np.full(pairs, 64)), "uniform": UNIFORM}
        for name, prior in priors.items():
            for sequential in (False, True):
                rule = "stop if settled" if sequential else "n = 64"
                inside, right = simulate(chances, prior, 7, sequential=sequential)
                of = f"Beta({population.alpha:g}, {population.beta:g})"
                print(f"{of:15} {name:8} {rule:15} {inside:>13}   {right:>18}", flush=True)
            inside, right = simulate_product(chances, prior, 7)
            print(f"{of:15} {name:8} {'product':15} {inside:>13}   {right:>18}", flush=True)


if __name__ == "__main__":
    main()
