"""The recipes for build servers: files of the form that the servers want, whose steps do what the page says."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.readme import BLOCK, DOCS

pytest.importorskip("check_jsonschema")
ROOT = Path(__file__).parent.parent
WORKFLOW = ROOT / ".github" / "workflows" / "verify.yml"
PAGE = (DOCS / "how-to" / "continuous-integration.md").read_text(encoding="utf-8")
FILES = {match["what"]: match["body"] for match in BLOCK.finditer(PAGE) if match["kind"] in ("file", "include")}
GITHUB, GITLAB = "vendor.github-workflows", "vendor.gitlab-ci"
WRONG = "from tests.faulty import previous_cell_in_output as forward\n"


def valid(text, schema, folder):
    """Tell whether a file is of the form that a build server wants."""
    (folder / "recipe.yml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(folder / "recipe.yml")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "schema"), [(".github/workflows/verify.yml", GITHUB), ("lstm.yml", GITHUB), ("gitlab.yml", GITLAB)]
)
def test_a_recipe_has_the_form_that_its_server_wants(name, schema, tmp_path):
    assert valid(FILES[name], schema, tmp_path)


def test_a_recipe_of_another_form_would_be_noticed(tmp_path):
    assert not valid(FILES["lstm.yml"].replace("uses:", "use:"), GITHUB, tmp_path)


def read(text):
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(text)


@pytest.fixture
def job(tmp_path):
    """Return what runs the steps of the workflow in a shell, as far as they can be run without its server."""
    bash = shutil.which("bash")
    if bash is None or os.name == "nt":
        pytest.skip("needs bash")
    shutil.copytree(
        ROOT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("models", "corpus", "__pycache__")
    )
    workflow = read(WORKFLOW.read_text(encoding="utf-8"))
    inputs = workflow[True if True in workflow else "on"]["workflow_call"]["inputs"]
    job = workflow["jobs"]["verify"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    packages = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])

    def run(step, **given):
        values = {
            name: str(given.get(name.replace("-", "_"), said.get("default", ""))) for name, said in inputs.items()
        }
        env = {
            name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: values[m[1]], v) for name, v in job["env"].items()
        }
        script = next(s["run"] for s in job["steps"] if s.get("name") == step)
        command = [bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        environment = {**os.environ, **env, "PATH": path, "PYTHONPATH": packages}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


def test_a_right_target_passes_without_annotations(job, tmp_path):
    (tmp_path / "my_lstm.py").write_text("from tests.faulty import correct as forward\n")
    given = {"target": "my_lstm.py:forward", "spec": "lstm", "options": "--profile quick --checks signature,step"}
    assert job("Verify", **given).returncode == 0
    told = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert (told["verdict"], told["given"]["isolate"], told["out_of_time"]) == ("verified", True, False)
    annotated = job("Annotate", **given)
    assert (annotated.returncode, annotated.stdout) == (0, "")


def test_a_wrong_target_fails_with_the_diagnosis_at_its_file(job, tmp_path):
    (tmp_path / "my_lstm.py").write_text(WRONG)
    given = {"target": "my_lstm.py:forward", "options": "--profile quick --checks signature,step"}
    assert job("Verify", **given).returncode == 1
    annotated = job("Annotate", **given)
    assert annotated.returncode == 0
    (line,) = annotated.stdout.splitlines()
    assert line.startswith("::error file=my_lstm.py,title=lstm-spec step::y at step 0, row 0, unit 0: expected ")
    assert line.endswith("; probably h uses c' where the spec has c, in h = o∘tanh(c)")
    assert (tmp_path / "report.html").is_file()


def test_a_run_that_is_cut_short_fails(job, tmp_path):
    (tmp_path / "my_lstm.py").write_text(WRONG)
    assert job("Verify", target="my_lstm.py:forward", max_seconds=0).returncode == 3


def test_where_nothing_was_verified_nothing_is_annotated(job):
    given = {"target": "my_lstm.py:forward", "options": "--profile quick"}
    assert job("Verify", **given).returncode == 2
    assert job("Annotate", **given).stdout == ""


def test_no_input_is_put_into_a_script():
    """What a caller gives is read from the environment, where it cannot become a command."""
    steps = read(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["verify"]["steps"]
    assert not [step["run"] for step in steps if "${{" in step.get("run", "")]
