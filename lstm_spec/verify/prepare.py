"""What a verification is going to ask, and what it knows without asking."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from lstm_spec.spec.network import network_of
from lstm_spec.targets.calls import Remote
from lstm_spec.targets.layout import Layout
from lstm_spec.verify.asking import PROFILES, Asking
from lstm_spec.verify.checks import CHECKS, Check
from lstm_spec.verify.detection import WEIGHTS
from lstm_spec.verify.deviations import Declared, KnownDeviation, read_deviations
from lstm_spec.verify.fit import UsageError, check_known, deadline_in, formats_of, limits_of, runs_apart, subject_of
from lstm_spec.verify.hypotheses import listed
from lstm_spec.verify.law_checks import law_checks
from lstm_spec.verify.options import Options
from lstm_spec.verify.robustness import ROBUSTNESS
from lstm_spec.verify.subject import Subject
from lstm_spec.verify.verdict import DISCREPANCY, NOT_CLAIMED, NOT_TESTABLE, CheckResult


@dataclass(frozen=True)
class Prepared:
    """A verification before it begins.

    asking: the checks that are to be asked. unasked: what is known of the others. given: how the target was named and
    what was asked of it, for whoever wants to ask again.
    """

    asking: Asking
    unasked: tuple[CheckResult, ...]
    given: Mapping[str, Any]


def prepare(target: Any, options: Options) -> Prepared:
    """Return what is to be asked of a target; raises what ``verify`` does."""
    deadline = deadline_in(options.max_seconds)
    limits = limits_of(options.isolate or runs_apart(target), options.timeout, options.memory)
    subject = subject_of(
        target, options.spec, options.layout, like=options.like, accuracy=options.accuracy, limits=limits
    )
    subject = replace(subject, deadline=deadline)
    wanted = _plan(subject, options.checks, options.skip)
    claimed = tuple(check for check in wanted if _asks_what_is_claimed(subject, check))
    plan = tuple(check for check in claimed if _testable(subject, check))
    formats = formats_of(subject.target, options.dtypes)
    known = _known(subject, options.known_deviations)
    missing = [name for name in options.require if not _claims(subject, name)]
    unasked = (
        *(_untestable(check) for check in claimed if check not in plan),
        *_unclaimed(subject, missing, wanted if options.checks else ()),
    )
    profile = PROFILES[options.profile]
    asking = Asking(subject, profile, formats, options.seed, plan, options.progress, options.first_finding, known)
    return Prepared(asking, unasked, _given(subject, options))


def every_check(subject: Subject) -> tuple[Check, ...]:
    """Return all checks that there are for a target, those of the form first and laws last."""
    return (*CHECKS, WEIGHTS, *ROBUSTNESS, *law_checks(subject))


def _plan(subject: Subject, checks: Iterable[str] | None, skip: Iterable[str]) -> tuple[Check, ...]:
    every = every_check(subject)
    known = [check.id for check in every]
    wanted, left_out = known if checks is None else list(checks), list(skip)
    for name in (*wanted, *left_out):
        check_known("check", name, known)
    plan = tuple(check for check in every if check.id in wanted and check.id not in left_out)
    if not plan:
        raise UsageError(f"no check is left to ask; the checks are {', '.join(known)}")
    return plan


def _known(subject: Subject, declared: Declared) -> tuple[KnownDeviation, ...]:
    """Return the declared deviations of a target; raises UsageError for one of a check that there is not."""
    every = read_deviations(declared)
    known = [check.id for check in every_check(subject)]
    about = tuple(d for d in every if d.is_about(subject.target.name, subject.cell.name))
    for deviation in about:
        check_known("check", deviation.check, known)
    return about


def _testable(subject: Subject, check: Check) -> bool:
    fixed = subject.target.weights is not None or subject.target.sizes is not None
    return not (check.chooses_parameters and fixed)


def _untestable(check: Check) -> CheckResult:
    message = "it needs other parameters than those that the target cannot change"
    return CheckResult(check.id, NOT_TESTABLE, check.clause, message=message)


def _given(subject: Subject, options: Options) -> dict[str, Any]:
    """Return how a target was named and what was asked of it, for whoever wants to ask again."""
    spec, layout = options.spec, options.layout
    origin = subject.target.origin
    command = origin is not None and origin.kind == "command"
    return {
        "target": origin.name if origin and not command else None,
        "command": origin.name if origin and command else None,
        "isolate": isinstance(subject.target.forward, Remote),
        "spec": spec if isinstance(spec, str) else None,
        "layout": tomllib.loads(layout.to_toml()) if isinstance(layout, Layout) else layout,
        "like": options.like,
        "node": origin.node.to_dict() if origin and origin.node else None,
    }


_CAPABILITIES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "gradients": ("the target offers no backward", "the gradients are those of the equations"),
        "lengths": ("the target takes no lengths", "rows end at lengths of their own"),
        "states": ("the target is given no initial {states}", "a sequence begins from states that are given"),
        "final_states": ("the target returns no final {states}", "the final states are those of the last step"),
        "cotangents": (
            "backward takes no cotangent of the final {states}",
            "gradients run back from every final state",
        ),
        "threads": ("the target does not say that it is reentrant", "it may be called from several threads at once"),
    }
)
"""What a target may claim or not: what is said where it does not, and the clause that is then not checked."""

OF_STATES = ("states", "final_states", "cotangents")
"""Those of them that are about states, some of which a target may take or return, and others not."""


def _missing(subject: Subject, capability: str) -> str:
    """Return in words the states that a capability lacks, of those that are about states; nothing where none is."""
    ends = subject.ends
    there = {"states": ends.initial, "final_states": ends.final, "cotangents": ends.cotangents}.get(capability)
    if there is None or (capability == "cotangents" and subject.target.backward is None):
        return ""
    left = [name for name in ends.every if name not in there]
    return "states" if left == [*ends.every] else listed(left) if left else ""


def _claims(subject: Subject, capability: str) -> bool:
    check_known("capability", capability, _CAPABILITIES)
    claims = {
        "gradients": subject.target.backward is not None,
        "lengths": network_of(subject.cell).past_length is not None,
        **{name: not _missing(subject, name) for name in OF_STATES},
        "threads": subject.target.reentrant,
    }
    return claims[capability]


def _asks_what_is_claimed(subject: Subject, check: Check) -> bool:
    if check.id == "views" and subject.target.arrays == "jax":
        # Its arrays have no memory that one could see.
        return False
    if check.listed is not None and not check.listed(subject, subject.target.dtypes[0]):
        return False
    asked = {"gradients": check.gradients, "lengths": check.lengths, "threads": check.threads}
    asked |= dict.fromkeys(("states", "final_states"), check.states)
    return all(_claims(subject, name) for name, wanted in asked.items() if wanted)


def _unclaimed(subject: Subject, missing: list[str], named: Iterable[Check]) -> Iterator[CheckResult]:
    """Say what is not claimed; of lengths and threads only where a user asks for them."""
    named = tuple(named)
    wished = {"lengths": any(check.lengths for check in named), "threads": any(check.threads for check in named)}
    asked = {"gradients", *OF_STATES, *missing, *(name for name, wanted in wished.items() if wanted)}
    for name, (message, clause) in _CAPABILITIES.items():
        if not _claims(subject, name) and name in asked:
            status = DISCREPANCY if name in missing else NOT_CLAIMED
            wanted = f", but {name} are required" if name in missing else ""
            said = message.format(states=_missing(subject, name))
            yield CheckResult(name, status, clause, message=said + wanted)
