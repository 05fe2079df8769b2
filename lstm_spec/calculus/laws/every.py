"""All laws, in the order of their numbers."""

from lstm_spec.calculus.laws.bounds import BOUNDS
from lstm_spec.calculus.laws.embeddings import EMBEDDINGS
from lstm_spec.calculus.laws.fixed_values import FIXED_VALUES
from lstm_spec.calculus.laws.gradients import GRADIENTS
from lstm_spec.calculus.laws.law import Law
from lstm_spec.calculus.laws.networks import NETWORKS
from lstm_spec.calculus.laws.reparametrisations import REPARAMETRISATIONS
from lstm_spec.calculus.laws.stabiliser import STABILISER
from lstm_spec.calculus.laws.time_and_batch import TIME_AND_BATCH
from lstm_spec.calculus.laws.units import UNITS

LAWS: tuple[Law, ...] = tuple(
    sorted(
        (
            *REPARAMETRISATIONS,
            *UNITS,
            *EMBEDDINGS,
            *TIME_AND_BATCH,
            *NETWORKS,
            *FIXED_VALUES,
            *BOUNDS,
            *GRADIENTS,
            *STABILISER,
        ),
        key=lambda law: law.number,
    )
)
"""Every law."""
