"""Proofs for a terminal and for JSON."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from lstm_spec.calculus.proof import number_of_proofs, proofs
from lstm_spec.calculus.statement import Proof
from lstm_spec.calculus.theorems import theorems
from lstm_spec.spec.program import Program


def proofs_of(cell: Program | None, only: Collection[str] | None) -> tuple[int | None, Iterator[Proof]]:
    """Return how many proofs there will be, where that is known, and the proofs as they are found.

    cell: whose formulas are proved, or None for the theorems between cells; only: the formulas that are wanted.
    """
    if cell is None:
        return None, theorems()
    return number_of_proofs(cell) if only is None else len(only), proofs(cell, only=only)


def proof_line(proof: Proof) -> str:
    """Return a proof as a line: its status, its time, its statement, and the witness against it."""
    witness = "" if proof.witness is None else f"  ({proof.witness})"
    return f"{proof.status:9}  {proof.seconds:5.2f} s  {proof.statement}{witness}"


def proof_dict(proof: Proof) -> dict[str, Any]:
    """Return a proof as JSON takes it."""
    return {
        "name": proof.name,
        "statement": proof.statement,
        "status": proof.status,
        "witness": None if proof.witness is None else str(proof.witness),
        "seconds": round(proof.seconds, 3),
    }


def status_of(found: Iterable[Proof]) -> int:
    """Return the exit status for some proofs: 0 all proved, 1 one refuted, 3 one undecided."""
    statuses = {proof.status for proof in found}
    return 1 if "refuted" in statuses else 3 if "undecided" in statuses else 0
