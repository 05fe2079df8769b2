"""PyTorch's own LSTMs are verified; what is told of a module in the wrong layout, and where PyTorch is absent."""

import sys

import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.targets.contract import TargetError
from tests.faulty import correct


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.mark.parametrize("name", ["torch", "torch-cell"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_its_own_layers_are_verified(torch, name, dtype):
    report = ls.verify(name, profile="quick", dtypes=(dtype,))
    assert report.verdict == "verified", str(report)
    assert report.versions["torch"] == torch.__version__
    assert {"sequence", "carry", "batch", "repeat"} <= {c.id for c in report.checks}


def module(torch, layout, dtype="float64", batch_first=False):
    """nn.LSTM as a user wraps it, with whatever layout they believe it has."""

    class Wrapped:
        arrays = "torch"
        dtypes = (dtype,)

        def forward(self, params, x, h0, c0):
            network = torch.nn.LSTM(x.shape[-1], h0.shape[-1], dtype=x.dtype, batch_first=batch_first)
            with torch.no_grad():
                for own, given in zip(network.parameters(), params.values(), strict=True):
                    own.copy_(given)
                y, (h, c) = network(x, (h0[None], c0[None]))
            return y, h[0], c[0]

    Wrapped.layout = layout
    return Wrapped


def test_a_module_in_its_own_layout_is_verified(torch):
    assert ls.verify(module(torch, "pytorch"), profile="quick").verdict == "verified"


@pytest.mark.parametrize("gates", ["fico", "iofc", "ifoc"])
def test_a_module_whose_gates_are_packed_otherwise_is_a_discrepancy(torch, gates):
    wrong = ls.Layout(gates=gates, kernels="separate", biases=2)
    report = ls.verify(module(torch, wrong), profile="quick", skip=["repeat"])
    assert report.verdict == "discrepancy"
    assert report.finding.case.T == 1
    assert max(report.finding.case.x.shape[-1], report.finding.case.states[0].shape[-1]) <= 3


def test_a_module_that_is_batch_first_does_not_go_unnoticed(torch):
    report = ls.verify(module(torch, "pytorch", batch_first=True), profile="quick")
    assert report.verdict == "discrepancy"
    assert "forward raised RuntimeError: Expected hidden[0] size" in report.finding.message


def test_a_tensor_where_an_array_was_declared_is_a_finding(torch):
    def forward(params, x, h0, c0):
        return tuple(torch.from_numpy(a) for a in correct(params, x, h0, c0))

    message = ls.verify(forward, profile="quick").finding.message
    assert message.startswith(
        "y is Tensor of shape (3, 2, 1); expected a NumPy array of float64; a target that returns"
    )
    assert 'arrays = "torch"' in message


def test_an_array_where_a_tensor_was_declared_is_a_finding(torch):
    class Mine:
        arrays = "torch"

        def forward(self, params, x, h0, c0):
            return correct({k: p.numpy() for k, p in params.items()}, x.numpy(), h0.numpy(), c0.numpy())

    message = ls.verify(Mine, profile="quick").finding.message
    assert message.startswith("y is ndarray of shape (3, 2, 1); expected a torch.Tensor of float64;")


def test_a_tensor_that_is_changed_in_place_is_seen(torch):
    class Mine:
        arrays = "torch"

        def forward(self, params, x, h0, c0):
            given = {k: p.numpy() for k, p in params.items()}
            outputs = correct(given, x.numpy(), h0.numpy(), c0.numpy())
            c0.mul_(2)
            return tuple(torch.from_numpy(np.ascontiguousarray(a)) for a in outputs)

    report = ls.verify(Mine, profile="quick", checks=["inputs"])
    assert report.finding.message.startswith("forward changed its argument c0 in place")


def test_parameters_of_a_module_may_be_its_fixed_weights(torch):
    class Mine:
        arrays = "torch"
        weights = {  # noqa: RUF012
            name: torch.nn.Parameter(torch.full(shape, 0.25, dtype=torch.float64))
            for name, shape in ls.lstm().dimensions(n=2, m=3).items()
        }

        def forward(self, params, x, h0, c0):
            arrays = {k: p.detach().numpy() for k, p in self.weights.items()}
            return tuple(map(torch.from_numpy, correct(arrays, x.numpy(), h0.numpy(), c0.numpy())))

    assert ls.verify(Mine, profile="quick").verdict == "verified"


@pytest.fixture
def no_torch(monkeypatch):
    """What Python does where a package is not installed."""
    for name in [n for n in sys.modules if n == "torch" or n.startswith("torch.")]:
        monkeypatch.delitem(sys.modules, name)
    # None there makes an import fail as that of a missing package does.
    monkeypatch.setitem(sys.modules, "torch", None)


@pytest.mark.parametrize("name", ["torch", "torch-cell"])
def test_without_pytorch_one_sentence_says_how_to_get_it(no_torch, name):
    result = CliRunner().invoke(main, ["verify", name])
    assert (result.exit_code, result.stdout) == (2, "")
    said = "lstm-spec: this target needs PyTorch; install it with: pip install 'lstm_spec[torch]'\n"
    assert result.stderr == said


def test_a_target_of_ones_own_that_needs_pytorch_is_one_sentence_too(no_torch):
    mine = type("Mine", (), {"forward": staticmethod(correct), "arrays": "torch"})
    with pytest.raises(TargetError) as error:
        ls.verify(mine)
    assert str(error.value).startswith('Mine.arrays is "torch", but importing that failed with ModuleNotFoundError')
