"""Spoilt and hostile files: one sentence that names the file, exit status 2, no memory for them, and no code run."""

import os
import pickle
import random
import shlex
import tracemalloc
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.targets.array_files import read_arrays
from lstm_spec.targets.numpy_files import read_npy
from lstm_spec.targets.reading import FileError
from tests.fuzz_files import CORPUS, KINDS, LARGEST, fresh, said_of, spoilt

PACKAGES = {".safetensors": "safetensors", ".pt": "torch", ".h5": "h5py", ".keras": "h5py", ".onnx": "onnx"}
FILES = sorted(path.name for path in CORPUS.iterdir())
TEN = 10 * 2**30


def ending_of(name):
    return next(ending for ending in sorted(KINDS, key=len, reverse=True) if name.endswith(ending))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with what commands need besides the file that is spoilt."""
    place = tmp_path_factory.mktemp("good")
    for ending in (".npz", "-results.json", "-manifest.json"):
        (place / f"good{ending}").write_bytes(KINDS[ending].good(place))
    return place


def test_the_corpus_is_varied():
    assert len(FILES) >= 60
    assert {ending_of(name) for name in FILES} == set(KINDS)


@pytest.mark.parametrize("name", FILES)
def test_a_command_answers_a_spoilt_file_in_one_sentence_that_names_it(name, folder, monkeypatch):
    ending = ending_of(name)
    pytest.importorskip(PACKAGES.get(ending, "numpy"))
    monkeypatch.chdir(folder)
    file = "golden/manifest.json" if ending == "-manifest.json" else name
    before = (folder / file).read_bytes() if (folder / file).exists() else b""
    (folder / file).write_bytes((CORPUS / name).read_bytes())
    result = CliRunner().invoke(main, shlex.split(KINDS[ending].command.replace("FILE", file)))
    (folder / file).write_bytes(before)
    assert result.exit_code == 2, result
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert file in result.stderr, result.stderr


@pytest.mark.parametrize("ending", KINDS)
def test_fresh_files_are_read_or_refused_and_take_no_memory(ending, tmp_path):
    pytest.importorskip(PACKAGES.get(ending, "numpy"))
    refused = 0
    tracemalloc.start()
    for path, data in fresh(tmp_path, ending, 7, 25):
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        said = said_of(KINDS[ending].read, path)
        assert said is None or "\n" not in said, said
        assert tracemalloc.get_traced_memory()[1] - before < LARGEST, data[:200]
        refused += said is not None
    tracemalloc.stop()
    assert refused >= 8


@pytest.mark.parametrize("ending", KINDS)
def test_a_good_file_is_accepted(ending, tmp_path):
    pytest.importorskip(PACKAGES.get(ending, "numpy"))
    path = tmp_path / f"good{ending}"
    path.write_bytes(KINDS[ending].good(tmp_path))
    assert said_of(KINDS[ending].read, path) is None


def test_a_reader_that_breaks_would_be_noticed(tmp_path):
    def brittle(path):
        return path.read_text(encoding="ascii")

    path = tmp_path / "a.txt"
    path.write_bytes(b"\xff")
    with pytest.raises(UnicodeDecodeError):
        said_of(brittle, path)
    rng = random.Random(0)
    assert len({spoilt(b"[[jobs]]\ntarget = 3\n", "-campaign.toml", rng) for _ in range(50)}) > 40


def npy_claiming(shape, descr="<f4"):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64)


def packed(path, members, how=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


class Runs:
    """What makes a file when somebody unpickles it."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place),)


def claims(path):
    path.write_bytes(npy_claiming((TEN,)))
    return read_npy, path


def claims_within(path):
    return read_arrays, packed(path.with_suffix(".npz"), {"W.npy": npy_claiming((TEN,))})


def claims_in_the_archive(path):
    packed(path.with_suffix(".npz"), {"W.npy": npy_claiming((16,))})
    data = path.with_suffix(".npz").read_bytes()
    size = data[(at := data.index(b"PK\x01\x02") + 20) : at + 4]
    path.with_suffix(".npz").write_bytes(data[:at] + (2**28 - 1).to_bytes(4, "little") + data[at + len(size) :])
    return read_arrays, path.with_suffix(".npz")


def grows(path):
    member = npy_claiming((2**26,)) + bytes(2**28)
    return read_arrays, packed(path.with_suffix(".npz"), {"W.npy": member}, zipfile.ZIP_DEFLATED)


def objects(path):
    np.save(path, np.array([Runs(path.parent / "ran")]), allow_pickle=True)
    return read_npy, path


def objects_within(path):
    np.savez(path.with_suffix(".npz"), W=np.array([Runs(path.parent / "ran")]))
    return read_arrays, path.with_suffix(".npz")


def a_pickle(path):
    path.with_suffix(".npz").write_bytes(pickle.dumps(Runs(path.parent / "ran")))
    return read_arrays, path.with_suffix(".npz")


def a_state_dict_that_runs(path):
    torch = pytest.importorskip("torch")
    torch.save({"weight_ih_l0": Runs(path.parent / "ran")}, path.with_suffix(".pt"))
    return read_arrays, path.with_suffix(".pt")


def a_whole_module(path):
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.LSTM(2, 3), path.with_suffix(".pt"))
    return read_arrays, path.with_suffix(".pt")


def a_scripted_module(path):
    torch = pytest.importorskip("torch")
    torch.jit.script(torch.nn.Linear(2, 3)).save(str(path.with_suffix(".pt")))
    return read_arrays, path.with_suffix(".pt")


def an_old_pytorch(path):
    torch = pytest.importorskip("torch")
    torch.save({"W": torch.ones(2)}, path.with_suffix(".pt"))

    def read(place):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch, "__version__", "2.5.1+cpu")
            return read_arrays(place)

    return read, path.with_suffix(".pt")


def an_old_state_dict_that_runs(path):
    torch = pytest.importorskip("torch")
    value = {"weight_ih_l0": Runs(path.parent / "ran")}
    torch.save(value, path.with_suffix(".pt"), _use_new_zipfile_serialization=False)
    return read_arrays, path.with_suffix(".pt")


def a_tensor_repeated(path):
    torch = pytest.importorskip("torch")
    torch.save({"weight_ih_l0": torch.ones(1).expand(TEN // 4)}, path.with_suffix(".pt"))
    return read_arrays, path.with_suffix(".pt")


def a_compressed_state_dict(path):
    torch = pytest.importorskip("torch")
    torch.save({"weight_ih_l0": torch.ones(2)}, path.with_suffix(".pt"))
    with zipfile.ZipFile(path.with_suffix(".pt")) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return read_arrays, packed(path.with_suffix(".pt"), members, zipfile.ZIP_DEFLATED)


def a_header_that_claims(path):
    pytest.importorskip("safetensors")
    header = b'{"W":{"dtype":"F32","shape":[2684354560],"data_offsets":[0,10737418240]}}'
    path.with_suffix(".safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(64))
    return read_arrays, path.with_suffix(".safetensors")


def a_header_of_ten_gigabytes(path):
    pytest.importorskip("safetensors")
    path.with_suffix(".safetensors").write_bytes(TEN.to_bytes(8, "little") + b"{}")
    return read_arrays, path.with_suffix(".safetensors")


def hdf5(path, change):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        change(h5py, file)
    return read_arrays, path.with_suffix(".h5")


def a_dataset_of_nothing(path):
    return hdf5(path, lambda h5py, file: file.create_dataset("W", (TEN // 4,), "f4", chunks=(1024,)))


def a_dataset_never_written(path):
    return hdf5(path, lambda h5py, file: file.create_dataset("W", (2**20,), "f4"))


def a_dataset_in_another_file(path):
    secret = [("/etc/hostname", 0, 4)]
    return hdf5(path, lambda h5py, file: file.create_dataset("W", (1,), "f4", external=secret))


def a_dataset_that_is_virtual(path):
    def change(h5py, file):
        layout = h5py.VirtualLayout((1,), "f4")
        layout[0] = h5py.VirtualSource("/etc/hostname", "W", (1,))[0]
        file.create_virtual_dataset("W", layout)

    return hdf5(path, change)


HOSTILE = {
    claims: r"claims 42,949,672,960 bytes for its shape (10737418240,) and has 64",
    claims_within: r"a.npz: W claims 42,949,672,960 bytes for its shape (10737418240,) and has 64",
    claims_in_the_archive: "a.npz claims a member that is larger than the file",
    grows: "which is not believed",
    objects: "a.npy holds objects of Python, which could run code and are not read; expected numbers",
    objects_within: "a.npz: W holds objects of Python, which could run code and are not read; expected numbers",
    a_pickle: "is no file of arrays as NumPy writes it with numpy.savez, or it is damaged",
    a_state_dict_that_runs: "a.pt holds objects of Python beside tensors, which could run code and are not read",
    a_whole_module: "a.pt holds objects of Python beside tensors, which could run code and are not read; save the",
    a_scripted_module: "a.pt is a module of TorchScript, whose code is not loaded; save its state_dict()",
    an_old_pytorch: "a.pt is read by PyTorch 2.6 or newer, before which tensors alone were not safe to read",
    an_old_state_dict_that_runs: "a.pt is no state_dict as torch.save writes it since PyTorch 1.6",
    a_tensor_repeated: "a.pt holds a tensor (2684354560,), which is larger than the file",
    a_compressed_state_dict: "a.pt is compressed, which torch.save never does; it is not read",
    a_header_that_claims: "a.safetensors is no file of the format safetensors, or it is damaged",
    a_header_of_ten_gigabytes: "a.safetensors is no file of the format safetensors, or it is damaged",
    a_dataset_of_nothing: "claims 10,737,418,240 bytes of arrays and has",
    a_dataset_never_written: "W claims 4,194,304 bytes for its shape (1048576,) and has 0",
    a_dataset_in_another_file: "W is in another file, which is not read",
    a_dataset_that_is_virtual: "W is in another file, which is not read",
}


@pytest.mark.parametrize("make", HOSTILE, ids=lambda f: f.__name__)
def test_a_hostile_file_gets_no_memory_and_runs_nothing(make, tmp_path):
    read, path = make(tmp_path / "a.npy")
    tracemalloc.start()
    with pytest.raises(FileError) as refused:
        read(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert HOSTILE[make] in str(refused.value), str(refused.value)
    assert str(path) in str(refused.value)
    assert most < LARGEST
    assert not (tmp_path / "ran").exists()


def test_what_would_run_does_run_when_it_is_unpickled(tmp_path):
    pickle.loads(pickle.dumps(Runs(tmp_path / "ran")))
    assert (tmp_path / "ran").is_dir()


@pytest.mark.parametrize("ending", [".npz", ".npy", ".pt", ".h5", ".safetensors"])
def test_what_is_no_file_is_said_to_be_none(ending, tmp_path):
    pytest.importorskip(PACKAGES.get(ending, "numpy"))
    read = read_npy if ending == ".npy" else read_arrays
    with pytest.raises(FileError, match="cannot be read: there is no such file"):
        read(tmp_path / f"none{ending}")
    (tmp_path / f"folder{ending}").mkdir()
    with pytest.raises(FileError, match="cannot be read: it is no file"):
        read(tmp_path / f"folder{ending}")
    if not hasattr(os, "mkfifo"):
        return
    os.mkfifo(tmp_path / f"pipe{ending}")
    with pytest.raises(FileError, match="cannot be read: it is no file"):
        read(tmp_path / f"pipe{ending}")


@pytest.mark.parametrize("name", ["two\nlines", "long" * 200, "\x1b[31mred"])
def test_a_name_that_cannot_be_shown_is_refused(name, tmp_path):
    packed(tmp_path / "a.npz", {f"{name}.npy": npy_claiming((4,))})
    with pytest.raises(FileError, match="holds an array whose name is no name") as refused:
        read_arrays(tmp_path / "a.npz")
    assert str(refused.value).isprintable()


def test_a_dictionary_that_holds_itself_is_entered_once(tmp_path):
    torch = pytest.importorskip("torch")
    inner = {"lstm.weight": torch.ones(2)}
    for _ in range(40):
        inner = {"a": inner, "b": inner}
    inner["self"] = inner
    torch.save(inner, tmp_path / "deep.pt")
    assert len(read_arrays(tmp_path / "deep.pt")) == 1


def test_a_model_with_thousands_of_names_is_read_in_a_moment(tmp_path):
    arrays = {f"block{k}.norm.weight": np.ones(1, "f4") for k in range(2000)}
    layer = {"weight_ih_l0": np.eye(8, 3), "weight_hh_l0": np.eye(8, 2)}
    np.savez(tmp_path / "large.npz", **arrays, **{f"encoder.{name}": a for name, a in layer.items()})
    found = ls.convert(tmp_path / "large.npz", source="torch", target="keras")
    assert found.source.prefix == "encoder."
