"""The Programs that the tests of the writers share, and one written line of them."""

import lstm_spec as ls
from lstm_spec.calculus.jacobian import jacobian

CELLS = {
    "vanilla": ls.lstm(),
    "peephole": ls.lstm(peepholes="fio"),
    "cifg": ls.lstm(coupled="f=1-i"),
    "split": ls.lstm(concat=None, biases=2, activations={"f": "hard_sigmoid", "o": "softsign"}),
}
PROGRAMS = {
    **CELLS,
    **{f"{name} backward": ls.backward(cell) for name, cell in CELLS.items()},
    "second order": ls.backward(ls.backward(CELLS["vanilla"])),
    "jacobian": jacobian(CELLS["peephole"]),
    "forward mode": ls.forward_mode(CELLS["split"]),
}


def line(program, name, **options):
    """Return the one equation that defines a name, as it is written."""
    return ls.write(program, only=[name], **options).rstrip("\n")
