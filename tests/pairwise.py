"""All pairs of option values in few combinations, drawn greedily and always the same."""

from itertools import combinations, product

import numpy as np


def pairs_of(row):
    """Return the pairs of option values that a combination has."""
    return {frozenset(pair) for pair in combinations(row.items(), 2)}


def pairwise(options, *, possible=lambda row: True, seed=0, tries=30):
    """Return combinations such that every pair of values that is possible together is in one of them.

    options: the values of every option, by name; possible: tells of a whole combination whether there may be one.
    """
    rng = np.random.default_rng(seed)
    every = [dict(zip(options, values, strict=True)) for values in product(*options.values())]
    rows = [row for row in every if possible(row)]
    left = set().union(*map(pairs_of, rows))
    found = []
    while left:
        drawn = [rows[k] for k in rng.integers(len(rows), size=tries)]
        best = max(drawn, key=lambda row: len(pairs_of(row) & left))
        if not pairs_of(best) & left:
            best = next(row for row in rows if pairs_of(row) & left)
        left -= pairs_of(best)
        found.append(best)
    return found
