"""What is built from the project: the wheel has every file that the package reads, and says one version."""

import contextlib
import re
import shutil
import zipfile
from pathlib import Path

import pytest

import lstm_spec as ls

ROOT = Path(__file__).parent.parent


def built(kind, folder, place):
    """Build a "wheel" or an "sdist" of what lies in a folder, without a network."""
    build = pytest.importorskip("hatchling.build")
    with contextlib.chdir(folder):
        return place / getattr(build, f"build_{kind}")(str(place))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return zipfile.ZipFile(built("wheel", ROOT, tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def names(wheel):
    return set(wheel.namelist())


def test_the_wheel_has_every_file_of_the_package(names):
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "lstm_spec").rglob("*") if path.is_file()}
    assert {name for name in files if "__pycache__" not in name} <= names
    assert {"lstm_spec/targets/layouts.toml", "lstm_spec/report/report.schema.json", "lstm_spec/py.typed"} <= names


def test_the_wheel_has_the_examples_in_other_languages(names):
    assert {f"lstm_spec/examples/{path.name}" for path in (ROOT / "examples").iterdir()} <= names


def test_a_wheel_built_from_the_sdist_is_the_same(wheel, tmp_path):
    """And so nothing that is needed to build it, or to run it, is missing in the sdist."""
    shutil.unpack_archive(built("sdist", ROOT, tmp_path), tmp_path)
    again = zipfile.ZipFile(built("wheel", tmp_path / f"lstm_spec-{ls.__version__}", tmp_path))
    assert {f.filename: f.CRC for f in again.infolist()} == {f.filename: f.CRC for f in wheel.infolist()}


def test_the_wheel_has_the_commands_and_the_plugin(wheel):
    about = f"lstm_spec-{ls.__version__}.dist-info"
    said = wheel.read(f"{about}/entry_points.txt").decode()
    assert "lstm-spec = lstm_spec.cli:main" in said
    assert "lstm_spec = lstm_spec.verify.plugin" in said
    assert f"\nVersion: {ls.__version__}\n" in wheel.read(f"{about}/METADATA").decode()


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
