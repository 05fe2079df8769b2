"""What the doctor says of what is installed, from lists of requirements and versions of our own."""

import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

from lstm_spec.cli import main
from lstm_spec.report.doctor import doctor_lines
from lstm_spec.targets import installed
from lstm_spec.targets.built_in import BUILT_IN
from lstm_spec.targets.installed import CORE, parts, version_of

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ASKED = [
    *PROJECT["dependencies"],
    *(
        f"{head}; {'(' + marker.strip() + ') and ' if marker else ''}extra == '{extra}'"
        for extra, requirements in PROJECT["optional-dependencies"].items()
        for head, _, marker in (r.partition(";") for r in requirements)
    ),
]


def found(versions, asked=ASKED, dot=None):
    """Return the parts by name, where these versions are installed; "any" is the one of all others."""
    version = lambda name: versions.get(name, versions.get("any"))  # noqa: E731
    return {p.name: p for p in parts(asked, version=version, command=lambda name: dot)}


def test_every_extra_has_a_part_and_says_what_it_is_for():
    all_parts = found({})
    assert set(all_parts) == {CORE, *PROJECT["optional-dependencies"], "graphviz"}
    assert all(p.targets or p.serves for p in all_parts.values())


def test_every_target_belongs_to_one_part():
    served = [target for part in found({}).values() for target in part.targets]
    assert sorted(served) == sorted(BUILT_IN)
    assert set(found({})[CORE].targets) == {"numpy", "spec"}


def test_where_nothing_is_installed_every_part_has_one_line_that_gets_it():
    for part in found({}).values():
        if part.status != "not_for_this_system":
            assert part.status == "missing"
            assert part.to_dict()["remedy"].startswith("pip install ")
            assert part.remedy in "\n".join(doctor_lines([part]))


@pytest.mark.parametrize(
    ("version", "status"),
    [("2.4.0", "ok"), ("2.13.0+cpu", "ok"), ("2.14.0.dev1", "ok"), ("2.3.1", "wrong_version"), (None, "missing")],
)
def test_a_version_is_held_against_what_is_asked(version, status):
    part = found({"torch": version})["torch"]
    assert part.status == status
    assert (part.to_dict()["remedy"] is None) == (status == "ok")


def test_one_missing_package_makes_its_part_missing():
    assert found({"any": "9999", "onnxruntime": None, "onnx": "1.0"})["onnx"].status == "missing"


def test_what_does_not_exist_for_this_system_is_not_missing():
    part = found({}, ["mlx>=0.30; sys_platform == 'nowhere' and extra == 'mlx'"])["mlx"]
    assert (part.status, part.packages, part.to_dict()["remedy"]) == ("not_for_this_system", (), None)


@pytest.mark.parametrize(
    ("dot", "package", "status"), [("/bin/dot", None, "ok"), (None, "2.0", "ok"), (None, None, "missing")]
)
def test_graphviz_is_a_command_or_a_package(dot, package, status):
    assert found({"pygraphviz": package}, dot=dot)["graphviz"].status == status


def test_a_package_is_known_under_its_other_names(monkeypatch):
    def version(name):
        if name == "onnxruntime-gpu":
            return "1.22"
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    assert (version_of("onnxruntime"), version_of("torch")) == ("1.22", None)


def test_the_command_prints_a_paragraph_for_every_part():
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 0, result.output
    assert re.search(r"^core +ok +click \d", result.stdout, re.M)
    assert "draw -o FILE.png" in result.stdout


def test_its_json_says_the_same():
    result = CliRunner().invoke(main, ["doctor", "--json", "-"])
    written = json.loads(result.stdout)
    assert written["parts"][0]["name"] == CORE
    assert {"name", "status", "packages", "targets", "serves", "remedy", "note"} == set(written["parts"][0])


def test_an_incomplete_core_is_exit_status_1(monkeypatch):
    monkeypatch.setattr(installed, "requirements", lambda: ["nowhere-to-be-found>=1"])
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert "nowhere-to-be-found >=1 is missing" in result.stdout
    assert "pip install --upgrade lstm_spec" in result.stdout


def test_a_folder_that_is_not_installed_is_said_in_a_sentence(monkeypatch):
    def requires(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", requires)
    result = CliRunner().invoke(main, ["doctor"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "pip install -e ." in result.stderr


def test_it_imports_none_of_what_it_looks_for():
    program = "import sys; from lstm_spec.cli import main; main(['doctor'], standalone_mode=False)"
    heavy = "print(sorted({'numpy', 'sympy', 'torch', 'jax', 'keras', 'onnx'} & set(sys.modules)))"
    code = f"import sys, atexit; atexit.register(lambda: {heavy}); {program}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
