"""The options of a verification: one table of them, said in Python as on the command line, and refused at once."""

import inspect
from dataclasses import MISSING, FrozenInstanceError, fields

import pytest

import lstm_spec as ls
from lstm_spec.cli.verification import verify as command
from lstm_spec.verify.fit import UsageError
from lstm_spec.verify.options import Options, options_of


def test_verify_takes_every_option_with_its_default():
    target, *rest = inspect.signature(ls.verify).parameters.values()
    assert target.name == "target"
    assert all(p.kind is p.KEYWORD_ONLY for p in rest)
    assert [(p.name, p.default) for p in rest] == [(f.name, f.default) for f in fields(Options)]
    assert all(f.default is not MISSING for f in fields(Options))


def test_the_command_line_has_them_but_for_those_of_a_program():
    names = {"dtypes" if p.name == "dtype" else p.name for p in command.params}
    assert {f.name for f in fields(Options)} - names == {"diagnose", "first_finding", "progress"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"profile": "quik"}, 'there is no profile "quik"; did you mean quick?'),
        ({"seed": -1}, "the seed is a whole number from 0 on, got -1"),
        ({"seed": True}, "the seed is a whole number from 0 on, got True"),
        ({"dtype": "float32"}, "verify has no option dtype; did you mean dtypes?"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(given, message):
    with pytest.raises(UsageError) as refusal:
        options_of("verify", given)
    assert str(refusal.value) == message


def test_options_serve_several_targets_and_do_not_change():
    options = Options(checks=(name for name in ["step"]), skip=iter(["sequence"]))
    assert (options.checks, options.skip) == (("step",), ("sequence",))
    with pytest.raises(FrozenInstanceError):
        options.seed = 1
