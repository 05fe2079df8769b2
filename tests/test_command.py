"""Programs that speak the protocol: what they say is read strictly, and whatever they do is one sentence."""

import json
import random
import re
import sys
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.compute import layer
from lstm_spec.targets import protocol
from lstm_spec.targets.calls import Arguments, MisbehaviourError
from lstm_spec.targets.command import Command
from lstm_spec.targets.contract import TargetError, call_forward
from lstm_spec.targets.packing import LayoutError
from lstm_spec.targets.process import Limits, UnreadableError
from lstm_spec.verify.replay import replay
from tests import fuzz_answers, programs_that_fail

ROOT = Path(__file__).parent.parent
SCHEMA = json.loads(files("lstm_spec.targets").joinpath("protocol.schema.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
MESSAGES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)]
CELL = ls.lstm()
GIVEN = {name: np.zeros(shape) for name, shape in CELL.dimensions(n=1, m=1).items()}


def program(scenario):
    return f"{sys.executable} -I -S {programs_that_fail.__file__} '{scenario}'"


def started(scenario, **limits):
    return Command(program(scenario)).target(limits=Limits(**limits))


def call(target):
    """Ask for the outputs of three steps of two rows."""
    return call_forward(target, CELL, GIVEN, np.zeros((3, 2, 1)), (np.zeros((2, 1)), np.zeros((2, 1))))[0]


SAID = {
    "dies": "forward died of SIGSEGV on a valid case",
    "ends": "forward ended with exit status 3 on a valid case",
    "ends_well": "forward ended with exit status 0 on a valid case",
    "hangs": "forward did not return within 0.5 s on a valid case",
    "half_a_line": "forward did not return within 0.5 s on a valid case",
    "garbage": "forward answered 'Segmentation fault (core dumped)', which is not JSON, on a valid case",
    "prints_first": "forward answered 'computing ...', which is not JSON, on a valid case",
    "binary": "forward answered '\\x00\\x01\\x02\\x03\\x04\\x05\\x06\\x07\\x08', which is not JSON, on a valid case",
    "an_old_id": "forward answered the id 0 to the request 1 on a valid case",
    "no_id": 'forward answered \'{"arrays": {"y": [[[0.0], [0.0]], [[0.0], [0.0]], [[0.0], [0…\', which has no id, on',
    "floods": "forward answered a line of more than 67,108,864 bytes on a valid case",
    "no_numbers": 'which holds NaN where JSON has "NaN" in quotes, on a valid case',
    "too_few_bytes": "h has data of 8 bytes; expected 16, 2×1 numbers of 8 bytes",
    "no_base64": 'h has the data "?"; expected base64',
    "says_so": 'forward answered with the error "out of memory\\nsorry" on a valid case',
    "a_wrong_shape": "h has shape (3, 2, 1); expected (2, 1), (B, m) (the states of every step?)",
}
# Whether it has come by the next request is a race, so there are two things to say.
LATER = {
    "twice": (
        "nobody asked for, after its last answer, before forward was called again",
        "forward answered the id 1 to",
    ),
    "floods_with_lines": (
        "the process wrote 'and more', which nobody asked for,",
        "forward answered 'and more', which",
    ),
    "dies_between": ("the process died of SIGKILL, as where memory runs out after its last", "forward died of SIGKILL"),
}


@pytest.mark.parametrize("scenario", SAID)
def test_what_a_program_does_wrong_is_one_sentence(scenario):
    target = started(scenario, **({"timeout": 0.5} if "0.5 s" in SAID[scenario] else {}))
    with pytest.raises(MisbehaviourError) as caught:
        call(target)
    target.release()
    assert SAID[scenario] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scenario", LATER)
def test_what_a_program_does_after_its_answer_is_found_at_the_next(scenario):
    target = started(scenario)
    assert call(target).y.shape == (3, 2, 1)
    said = ""
    # Whether it has come by the next request is a race; by one of the next it has.
    while not said:
        try:
            call(target)
        except MisbehaviourError as error:
            said = str(error)
    assert any(words in said for words in LATER[scenario])
    assert call(target).y.shape == (3, 2, 1), "it is started again"
    target.release()


def test_every_scenario_is_told():
    assert {*SAID, *LATER, "good"} == {*programs_that_fail.SCENARIOS}


def test_every_message_on_the_page_is_one_of_the_schema():
    kinds = set()
    for message in MESSAGES:
        jsonschema.validate(message, SCHEMA)
        kinds |= {
            kind for kind, part in SCHEMA["$defs"].items() if "id" in part.get("required", ()) and fits(message, kind)
        }
    assert kinds == {"hello", "claims", "forward", "backward", "outputs", "gradients", "failure"}


def fits(message, kind):
    return jsonschema.Draft202012Validator({**SCHEMA, "oneOf": [{"$ref": f"#/$defs/{kind}"}]}).is_valid(message)


def test_the_page_names_every_claim():
    named = {name for row in re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert (
        named
        == {*protocol.SAID} - {"id", "protocol"}
        == {*SCHEMA["$defs"]["claims"]["properties"]} - {"id", "protocol"}
    )


def test_the_answers_on_the_page_are_right():
    """Forward and backward of the example, to the digits that are printed."""
    for run, asked, answered in ((layer.forward, 3, 4), (layer.backward, 6, 7)):
        params, arrays = (numbers(MESSAGES[asked][key]) for key in ("params", "arrays"))
        first, *others = run(params, *arrays.values())
        wanted = [*(first.values() if isinstance(first, dict) else [first]), *others]
        shown = {**MESSAGES[answered].get("dparams", {}), **MESSAGES[answered]["arrays"]}
        for got, value in zip(numbers(shown).values(), wanted, strict=True):
            np.testing.assert_allclose(got, value, atol=5e-6)


def numbers(arrays):
    return {name: np.array(value, np.float64) for name, value in arrays.items()}


def arguments_of(dtype, **more):
    params = {name: array.astype(dtype) for name, array in GIVEN.items()}
    return Arguments(params, [("x", np.zeros((3, 2, 1), dtype)), ("h0", np.zeros((2, 1), dtype))], **more)


@pytest.mark.parametrize("encoding", protocol.ENCODINGS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_requests_are_messages_of_the_schema(encoding, dtype):
    for number, method in enumerate(("forward", "backward")):
        arguments = arguments_of(dtype, lengths=np.array([3, 1]))
        sent = protocol.line(protocol.request(number, method, arguments, encoding))
        assert sent.count(b"\n") == 1
        assert fits(json.loads(sent), method)
    assert fits(protocol.hello(0), "hello")


@pytest.mark.parametrize("encoding", protocol.ENCODINGS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_numbers_come_back_bit_for_bit(encoding, dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    rng = np.random.default_rng(0)
    made = rng.standard_normal((40, 5)) * 10.0 ** rng.integers(-320, 308, (40, 5))
    made[:5, 0] = 0, -0.0, np.nan, np.inf, -np.inf
    with np.errstate(over="ignore"):
        array = made.astype(protocol.dtype_of(dtype))
    text = json.dumps(protocol.written(array, encoding), allow_nan=False)
    back = protocol.read(json.loads(text), "y", dtype)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(back.astype(np.float64), array.astype(np.float64))
    assert (np.signbit(back) == np.signbit(array)).all()


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"protocol": 2}, "speaks protocol 2; expected 1"),
        ({"gradient": True}, 'says "gradient" of itself, which means nothing; did you mean gradients?'),
        ({"dtypes": ["float63"]}, ".dtypes must be a tuple of float64, float32, float16, bfloat16, got ['float63']"),
        ({"encoding": "hex"}, 'says the encoding "hex"; it is one of nested, base64'),
        ({"gradients": "yes"}, 'says gradients "yes"; it is true or false'),
        ({"spec": 3}, ".spec must be a cell, a network or the name of a cell, got 3"),
        ({"layout": "pytroch"}, ': unknown layout "pytroch": did you mean pytorch?'),
        ({"layout": {"gate": "ifco"}}, ": gate: did you mean gates?"),
        ({"weights": {"b_f": [1, [2]]}}, "says weights of which b_f holds a list where a number is expected"),
        ({"error": {"message": "no licence"}}, 'answered hello with the error "no licence"'),
    ],
    ids=str,
)
def test_what_a_program_may_not_say_of_itself(claims, sentence):
    text = json.dumps({"id": 0, "protocol": 1, **claims})
    with pytest.raises((TargetError, LayoutError)) as caught:
        Command(program(text)).target()
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the command is empty; give a program, such as ./my_lstm"),
        ("./nowhere --fast", "there is no program ./nowhere that can be run; give its path, such as ./my_lstm"),
        ("sh -c 'exit 3", "sh -c 'exit 3 cannot be read as a command: No closing quotation"),
        ("sh -c 'exit 3'", "sh -c 'exit 3' cannot be used: its process ended with exit status 3"),
        ("echo hello", "echo hello cannot be used: its process wrote 'hello', which is not JSON"),
        ("sleep 3600", "sleep 3600 has not answered hello after 0.5 s; give it longer with --timeout"),
    ],
)
def test_what_is_no_program_of_ours_is_refused(text, sentence):
    with pytest.raises(TargetError) as caught:
        Command(text).target(limits=Limits(start=0.5 if "sleep" in text else 60))
    assert str(caught.value) == sentence


def test_a_layout_and_weights_may_be_said():
    said = {
        "layout": {"gates": "ifco", "names": {"W": "kernel"}},
        "weights": {"b_f": [1, 2]},
        "versions": {"mine": "3"},
    }
    target = Command(program(json.dumps({"id": 0, "protocol": 1, "spec": "nig", **said}))).target()
    target.release()
    assert (target.layout.gates, target.layout.names["W"], target.spec) == ("ifco", "kernel", "nig")
    assert (target.weights["b_f"].tolist(), target.versions, target.backward) == ([1, 2], {"mine": "3"}, None)


def verify(*words):
    return CliRunner().invoke(main, ["verify", *words, "--profile", "quick"])


def test_a_program_is_verified_from_the_command_line():
    """This one answers zeros, which is right in shape."""
    result = verify("--command", program("good"), "--checks", "signature", "--timeout", "30")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"VERIFIED  {program('good')} computes lstm: forward in float64, 12 cases")


def test_a_program_that_dies_is_a_discrepancy_and_the_rest_goes_on():
    result = verify("--command", program("dies"), "--checks", "signature", "--json", "-")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["checks"][0]["message"] == "forward died of SIGSEGV on a valid case (float64)"
    assert replay(told).message == "forward died of SIGSEGV on a valid case"


@pytest.mark.parametrize("words", [[], ["numpy", "--command", "./my_lstm"]], ids=str)
def test_one_of_target_and_command_is_given(words):
    result = verify(*words)
    assert result.exit_code == 2
    assert "give either TARGET or --command" in result.stderr


def test_what_is_malformed_is_refused_before_memory_is_taken():
    huge = {"shape": [10**9, 10**9], "data": "AAAA"}
    with pytest.raises(MisbehaviourError, match="y has data of 3 bytes; expected 8,000,000,000,000,000,000, "):
        protocol.read(huge, "y", "float64")
    with pytest.raises(UnreadableError, match="which is not JSON"):
        protocol.answer_in(b"[" * 10**6, 0)


def is_one_sentence(said):
    return said is not None and "\n" not in said and len(said) < 300


@pytest.mark.parametrize("file", sorted(fuzz_answers.CORPUS.iterdir()), ids=lambda file: file.name)
def test_a_malformed_answer_is_one_sentence(file):
    method = file.name.partition("-")[2]
    assert is_one_sentence(fuzz_answers.read(method, file.read_bytes()))


def test_the_corpus_is_varied():
    files = list(fuzz_answers.CORPUS.iterdir())
    said = {fuzz_answers.kind(fuzz_answers.read(f.name.partition("-")[2], f.read_bytes())) for f in files}
    assert len(said) == len(files) >= 40


def test_fresh_malformed_answers_are_refused_or_within_the_schema():
    """What is accepted is what the schema allows."""
    rng, refused = random.Random(1), 0
    for _ in range(1500):
        method, line = fuzz_answers.malformed(rng)
        said = fuzz_answers.read(method, line)
        if said is None:
            assert fits(json.loads(line), {"forward": "outputs", "backward": "gradients"}[method])
        else:
            refused += 1
            assert is_one_sentence(said)
    assert refused > 1000


@pytest.mark.parametrize("method", ["forward", "backward"])
@pytest.mark.parametrize("encoding", protocol.ENCODINGS)
def test_a_good_answer_is_accepted(method, encoding):
    """What the malformed ones are made from."""
    line = protocol.line(fuzz_answers.good(method, encoding))
    assert fuzz_answers.read(method, line) is None
