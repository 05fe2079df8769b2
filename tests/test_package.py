"""What is built from the project: the wheel has every file that the package reads, and says one version."""

import os
import re
import zipfile
from pathlib import Path

import pytest

import lstm_spec as ls

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    build = pytest.importorskip("hatchling.build")
    place, before = tmp_path_factory.mktemp("wheel"), Path.cwd()
    os.chdir(ROOT)
    try:
        wheel = place / build.build_wheel(str(place))
    finally:
        os.chdir(before)
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_has_every_file_of_the_package(names):
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "lstm_spec").rglob("*") if path.is_file()}
    assert {name for name in files if "__pycache__" not in name} <= names
    assert {"lstm_spec/targets/layouts.toml", "lstm_spec/report/report.schema.json", "lstm_spec/py.typed"} <= names


def test_the_wheel_has_nothing_else(names):
    assert [n for n in names if not n.startswith(("lstm_spec/", f"lstm_spec-{ls.__version__}.dist-info/"))] == []


@pytest.mark.parametrize(
    ("file", "pattern"),
    [("CITATION.cff", r"^version: (\S+)$"), ("CHANGELOG.md", r"^## (\S+)$")],
    ids=["cff", "changes"],
)
def test_what_names_a_version_names_this_one(file, pattern):
    said = re.findall(pattern, (ROOT / file).read_text(encoding="utf-8"), re.M)
    assert said[0] == ls.__version__
