"""Whether a target answers the same question in the same way when it is asked again."""

import numpy as np

from lstm_spec.verify.cases import Array, Case
from lstm_spec.verify.subject import Subject


def differs(subject: Subject, case: Case) -> bool:
    """Tell whether two calls on a case give different numbers; raises MisbehaviourError."""
    first, second = returned(subject, case), returned(subject, case)
    return any(not np.array_equal(first[name], second[name], equal_nan=True) for name in first)


def returned(subject: Subject, case: Case) -> dict[str, Array]:
    """Return what a call gives, outputs by name or, of a case with cotangents, gradients by what they belong to."""
    if case.cotangents:
        return dict(subject.call_backward(case)[0].values)
    outputs, _ = subject.call(case)
    return {"y": outputs.y, **outputs.states}
