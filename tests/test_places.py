"""Where nothing can be written, a command says so in one sentence with status 2, before a long run and not after it."""

import pytest
from click.testing import CliRunner

from lstm_spec.cli import main
from lstm_spec.verify.findings import Findings

FOLDERS = {
    "vectors": ["vectors"],
    "draw": ["draw", "--all"],
    "conformance": ["conformance", "--scripts"],
}
FILES = {
    "verify --json": ["verify", "numpy", "--json"],
    "verify --junit": ["verify", "numpy", "--junit"],
    "verify --html": ["verify", "numpy", "--html"],
    "replay": ["replay", "report.json", "--json"],
    "diagnose": ["diagnose", "numpy", "--json"],
    "identify": ["identify", "numpy", "-o"],
    "identify --json": ["identify", "numpy", "--json"],
    "show": ["show", "lstm", "--json"],
    "explain": ["explain", "step", "--json"],
    "derive": ["derive", "lstm", "-o"],
    "prove": ["prove", "lstm", "--json"],
    "draw": ["draw", "cell", "rnn", "-o"],
    "convert": ["convert", "a.npz", "--to", "keras", "-o"],
    "convert --json": ["convert", "a.npz", "--to", "keras", "--json"],
    "vectors check": ["vectors", "check", "golden", "results.npz", "--json"],
    "conformance": ["conformance", "-o"],
    "conformance --json": ["conformance", "--json"],
    "selftest": ["selftest", "--json"],
    "doctor": ["doctor", "--json"],
    "campaign run": ["campaign", "run", "c.toml", "--findings"],
    "campaign status": ["campaign", "status", "c.sqlite", "--json"],
    "campaign compare": ["campaign", "compare", "c.sqlite", "c.sqlite", "--json"],
    **{f"campaign export --{form}": ["campaign", "export", "c.sqlite", f"--{form}"] for form in ("json", "csv")},
    **{f"campaign export --{form}": ["campaign", "export", "c.sqlite", f"--{form}"] for form in ("markdown", "html")},
}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "afile").write_text("mine\n")
    (tmp_path / "folder.svg").mkdir()
    Findings("c.sqlite")
    return tmp_path


def refused(words):
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1, result.stderr
    assert "unexpected" not in result.stderr
    return result.stderr


@pytest.mark.parametrize("command", FOLDERS)
@pytest.mark.parametrize("inside", ["afile", "afile/inner"])
def test_a_file_is_no_folder_to_write_into(place, command, inside):
    sentence = f"lstm-spec: cannot write into {inside}: afile is a file, expected a folder\n"
    assert refused([*FOLDERS[command], inside]) == sentence
    assert (place / "afile").read_text() == "mine\n"


@pytest.mark.parametrize("command", FOLDERS)
def test_a_folder_that_cannot_be_made(command, monkeypatch):
    monkeypatch.setattr("pathlib.Path.mkdir", cannot)
    sentence = "lstm-spec: cannot write into there: Read-only file system\n"
    assert refused([*FOLDERS[command], "there"]) == sentence


def cannot(path, **options):
    raise OSError(30, "Read-only file system", str(path))


@pytest.mark.parametrize("command", FILES)
@pytest.mark.parametrize("where", ["folder.svg", "nowhere/file.svg", "afile/file.svg"])
def test_a_file_that_cannot_be_written(command, where):
    said = refused([*FILES[command], where])
    assert "cannot write" in said
    assert where in said


def test_a_campaign_that_is_missing_makes_no_findings(place):
    refused(["campaign", "run", "missing.toml"])
    assert not (place / "missing.sqlite").exists()


@pytest.mark.parametrize("folder", ["afile", "nowhere"])
def test_init_writes_into_a_folder(folder):
    assert refused(["init", "--folder", folder]).startswith(f"lstm-spec: cannot write into {folder}: ")
