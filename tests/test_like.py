"""What stands in for a class of a framework is verified behind that class's interface, without an adapter."""

from types import SimpleNamespace

import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.targets.contract import TargetError
from lstm_spec.targets.like import like
from lstm_spec.targets.torch import Module

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("few_cases")

CHECKS = ("signature", "step", "carry", "gradient_step", "gradient_sequence")


class Cell(torch.nn.Module):
    """The equations behind the interface of nn.LSTMCell; ``order`` is that in which the gates are packed."""

    order = "ifco"

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        for name, shape in {
            "weight_ih": (input_size,),
            "weight_hh": (hidden_size,),
            "bias_ih": (),
            "bias_hh": (),
        }.items():
            self.register_parameter(name, torch.nn.Parameter(torch.randn(4 * hidden_size, *shape)))

    def forward(self, x, state):
        h, c = state
        a = x @ self.weight_ih.T + self.bias_ih + h @ self.weight_hh.T + self.bias_hh
        gate = dict(zip(self.order, a.chunk(4, -1), strict=True))
        c = gate["f"].sigmoid() * c + gate["i"].sigmoid() * gate["c"].tanh()
        return gate["o"].sigmoid() * c.tanh(), c


class Swapped(Cell):
    order = "ifoc"


class Inference(Cell):
    def forward(self, x, state):
        with torch.no_grad():
            return super().forward(x, state)


class Layer(torch.nn.LSTM):
    """nn.LSTM by another name, which returns what it is told to."""

    def __init__(self, *sizes, scale=1.0, **options):
        super().__init__(*sizes, **options)
        self.scale = scale

    def forward(self, x, state):
        y, (h, c) = super().forward(x, state)
        return y, (h, c * self.scale)


def verify(target, original, **options):
    return ls.verify(target, like=original, profile="quick", diagnose=False, **{"checks": CHECKS, **options})


@pytest.mark.parametrize(
    ("made", "original"),
    [
        (Cell, "torch.nn.LSTMCell"),
        (Cell(3, 5).double(), "torch.nn.LSTMCell"),
        (lambda n, m: Cell(n, m), "torch.nn.LSTMCell(input_size=4, hidden_size=2)"),
        (Layer, "torch.nn.LSTM(num_layers=2, batch_first=True)"),
        (Layer(3, 5, bidirectional=True), "torch.nn.LSTM"),
        (Layer(3, 5, bias=False), "torch.nn.LSTM"),
        (torch.nn.LSTM, "torch.nn.LSTM(bias=False, proj_size=True)"),
        (torch.nn.GRUCell, "torch.nn.GRUCell(bias=False)"),
        (torch.nn.RNN, "torch.nn.RNN(bias=False, nonlinearity='relu')"),
    ],
)
def test_what_computes_the_same_is_verified(made, original):
    report = verify(made, original)
    assert report.verdict == "verified", str(report)
    assert report.versions["torch"] == torch.__version__


def test_an_instance_in_bfloat16_is_verified_in_it():
    pytest.importorskip("ml_dtypes")
    report = verify(Layer(3, 5).bfloat16(), "torch.nn.LSTM", checks=("signature", "step"))
    assert (report.verdict, report.dtypes) == ("verified", ("bfloat16",)), str(report)


def test_an_instance_says_its_own_sizes_options_and_format():
    target = like("torch.nn.LSTM", Layer(3, 5, num_layers=2, bidirectional=True))
    assert (target.sizes, target.layers, target.bidirectional, target.dtypes) == (
        ({"n": 3, "m": 5},),
        2,
        True,
        ("float32",),
    )


@pytest.mark.parametrize(
    ("made", "original"),
    [(Swapped, "torch.nn.LSTMCell"), (Layer(3, 5, scale=1.001).double(), "torch.nn.LSTM")],
)
def test_what_computes_something_else_is_found(made, original):
    assert verify(made, original).verdict == "discrepancy"


def test_gradients_that_are_not_recorded_are_not_claimed():
    report = verify(Inference, "torch.nn.LSTMCell", checks=("signature", "step"))
    assert report.verdict == "verified"
    assert like("torch.nn.LSTMCell", Inference).backward is None


def test_gradients_that_are_cut_at_one_output_are_found():
    class Cut(Cell):
        def forward(self, x, state):
            h, c = super().forward(x, state)
            return h, c.detach()

    report = verify(Cut, "torch.nn.LSTMCell")
    assert {c.id: c.status for c in report.checks}["gradient_step"] == "discrepancy"


class Renamed(torch.nn.Module):
    def __init__(self, n, m):
        super().__init__()
        self.kernel = torch.nn.Parameter(torch.zeros(n, 4 * m))


@pytest.mark.parametrize(
    ("made", "original", "message"),
    [
        (Renamed, "torch.nn.LSTMCell", r"Renamed has the parameters kernel \(2, 12\); torch.nn.LSTMCell has weight_ih"),
        (Renamed(2, 3), "torch.nn.LSTM", "Renamed does not say its sizes; give it attributes input_size and hidden_"),
        (dict, "torch.nn.LSTM", "dict cannot be made as torch.nn.LSTM is: TypeError"),
        (lambda n, m: 3, "torch.nn.LSTM", "<lambda> makes an int; expected a torch.nn.Module"),
        (Cell, "torch.nn.LSTMcell", 'nothing is known to be like "torch.nn.LSTMcell"; did you mean torch.nn.LSTMCell?'),
        (Cell, "torch.nn.LSTM(layers=2)", "torch.nn.LSTM has no argument layers that is known here; there is input_s"),
        (Cell, "torch.nn.LSTM(nonlinearity='relu')", "LSTM has no argument nonlinearity that is known here; there is"),
        (
            Cell,
            "torch.nn.LSTM(bogus=1)",
            "is input_size, hidden_size, num_layers, bidirectional, batch_first, bias, proj",
        ),
        (Cell, "torch.nn.RNNCell(bogus=1)", "there is input_size, hidden_size, bias, nonlinearity, device$"),
        (Cell, "torch.nn.LSTM(2)", r"cannot read torch.nn.LSTM\(2\); expected torch.nn.LSTM\(argument=value\)"),
        (Cell, "torch.nn.LSTM(", r"cannot read torch.nn.LSTM\(; expected"),
    ],
)
def test_what_cannot_be_like_it_is_one_sentence(made, original, message):
    with pytest.raises(TargetError, match=message):
        like(original, made, name=getattr(made, "__name__", type(made).__name__))


def test_a_device_that_is_not_there_is_one_sentence():
    if torch.cuda.is_available():
        pytest.skip("it is there")
    with pytest.raises(TargetError, match=r"torch.nn.LSTM cannot be made as torch.nn.LSTM is: "):
        like('torch.nn.LSTM(device="cuda")', name="torch.nn.LSTM")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("kind", ["LSTM", "LSTMCell", "GRU"])
@pytest.mark.parametrize("products", ["float32", "TF32"])
def test_its_own_layers_are_verified_on_a_graphics_processor(kind, products, monkeypatch):
    coarse = products == "TF32"
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", coarse)
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", coarse)
    target = like(f'torch.nn.{kind}(device="cuda")')
    contract = {"products": "tf32"} if coarse else None
    report = ls.verify(target, profile="quick", diagnose=False, checks=CHECKS, accuracy=contract)
    assert report.verdict == "verified"
    assert target.versions["cuda"].endswith(products)


@pytest.mark.parametrize("products", ["float32", "TF32"])
def test_the_versions_of_a_graphics_processor_say_how_products_are_taken(products):
    coarse = products == "TF32"
    there = SimpleNamespace(
        __version__="2.13.0",
        version=SimpleNamespace(cuda="13.0"),
        backends=SimpleNamespace(
            cudnn=SimpleNamespace(version=lambda: 91002, allow_tf32=coarse),
            cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=not coarse)),
        ),
    )
    said = {"torch": "2.13.0", "cudnn": "91002", "cuda": f"13.0, products of float32 in {products}"}
    assert Module(kind="LSTM", device="cuda:0").versions(there) == said
    assert "cudnn" not in Module(kind="LSTMCell", device="cuda:0").versions(there)
    assert Module(kind="LSTM").versions(there) == {"torch": "2.13.0"}


def test_the_command_takes_a_class_in_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("import torch\n\nclass Fast(torch.nn.LSTM):\n    pass\n")
    command = ["verify", "mine.py:Fast", "--like", "torch.nn.LSTM(batch_first=True)", "--profile", "quick"]
    result = CliRunner().invoke(main, [*command, "--checks", "signature,step"])
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("VERIFIED  mine.py:Fast computes lstm")


def test_a_built_in_name_is_like_nothing_else():
    result = CliRunner().invoke(main, ["verify", "numpy", "--like", "torch.nn.LSTM"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "lstm-spec: numpy is built in and is like nothing else; leave --like out\n"
