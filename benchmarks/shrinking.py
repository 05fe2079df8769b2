"""How small the counterexamples are: plant every fault of a cell, and look at the case that is reported for each.

    python benchmarks/shrinking.py [--cell lstm] [--every 1] [--profile quick]

A counterexample is small if it has at most three steps, three inputs and three units, two rows, and numbers of at most
three digits. Some faults do not show at that size, such as a state that is reset after four steps; the faults whose
counterexample is not small are listed with it, and `least` says in which step a fault can show at the earliest, where
its name tells.
"""

import argparse
import re
import time

import numpy as np

import lstm_spec as ls
from lstm_spec.targets.contract import Target
from lstm_spec.verify.checks import CHECKS
from lstm_spec.verify.run import verify
from lstm_spec.verify.selftest import planted


def digits(value):
    """How many digits a number has in its shortest form, without leading zeros."""
    mantissa = f"{abs(value):.17g}" if float(f"{value:.3g}") != value else f"{abs(value):.3g}"
    return len(re.sub(r"e.*|\.", "", mantissa).lstrip("0").rstrip("0"))


def measured(fault, profile):
    """The simplest case that a verification reports for a planted fault, None where it finds nothing."""
    backward = fault.backward if fault.in_gradients_only else None
    target = Target(name=fault.id, forward=fault.forward, backward=backward)
    ids = [check.id for check in CHECKS if check.gradients == fault.in_gradients_only]
    report = verify(target, spec=fault.cell, profile=profile, checks=ids, diagnose=False)
    return None if report.failing is None else report.failing.finding.case


def told(case):
    most = max((digits(v) for a in case.arrays for v in np.unique(a) if v and np.isfinite(v)), default=0)
    return case.T, case.x.shape[-1], max(s.shape[-1] for s in case.states), case.B, most


def is_small(T, n, m, B, most):
    return T <= 3 and n <= 3 and m <= 3 and B <= 2 and most <= 3


def least_steps(fault):
    """The step at which a fault of a period or a window can show at the earliest, as its name says."""
    period = re.search(r"(?:reset|truncated|window)-(\d+)$", fault.id)
    return int(period[1]) + 1 if period else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cell", default="lstm")
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--every", type=int, default=1, help="plant only every so manieth fault")
    parser.add_argument("--offset", type=int, default=0, help="begin with this one")
    chosen = parser.parse_args()
    faults = planted(ls.cell(chosen.cell))[chosen.offset :: chosen.every]
    begun, small, possible, alive = time.perf_counter(), 0, 0, 0
    for fault in faults:
        case = measured(fault, chosen.profile)
        if case is None:
            alive += 1
            continue
        size = told(case)
        shows = least_steps(fault) <= 3
        possible += shows
        small += shows and is_small(*size)
        if not is_small(*size):
            T, n, m, B, most = size
            late = "" if shows else f", and it shows from step {least_steps(fault)} on"
            print(f"  {fault.id}: T={T}, n={n}, m={m}, B={B}, {most} digits{late}", flush=True)
    print(
        f"{small} of {possible} counterexamples are small ({small / max(possible, 1):.1%}), of {len(faults)} faults"
        f" planted in {chosen.cell}, profile {chosen.profile}; {alive} not found; {time.perf_counter() - begun:.0f} s"
    )


if __name__ == "__main__":
    main()
