"""Every picture of the gallery, and cells the placing never saw, are taken apart and held against their Program."""

import os
import random
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.draw.gallery import SIZES, entries, gallery, program_of
from lstm_spec.draw.picture import VIEWS, DrawError
from lstm_spec.draw.render import RenderError
from lstm_spec.spec.operators import add, apply, hadamard
from tests.cells_for_drawing import CELLS, random_cell
from tests.picture_audit import (
    backward_faults,
    completeness_faults,
    contrast_faults,
    crossings,
    factor_faults,
    geometry_faults,
    graphviz_json,
    label_faults,
    look_faults,
    palettes,
    rail_faults,
    read_json,
    read_svg,
    text_faults,
    untold,
    weight_faults,
)
from tests.picture_contents import content_faults

ROOT = Path(__file__).parent.parent
GALLERY = entries()
ALL = {name: program_of(name) for name in (*ls.cells(), "separate")} | CELLS
MOST_CROSSINGS = {
    "lstm": 1,
    "cifg": 1,
    "cifg_i": 1,
    "lstmp": 1,
    "gru": 1,
    "mgu": 1,
    "lstm_1997": 1,
    "deep": 1,
    "rnn": 0,
    "peephole": 2,
    "lstmp_peephole": 2,
    "gru_reset_after": 2,
    "dropout": 1,
    "zoneout": 3,
    "slstm": 14,
    "fgr": 22,
    "own_lstmp": 1,
    "own_gru": 1,
    "own_mgu": 1,
    "own_lstm_1997": 1,
    "own_deep": 1,
    "own_rnn": 0,
}
ASPECT = {"cell": 2.5, "backward": 2.5, "unit": 2.5, "network": 2.5}
OFTEN = [(e.view, e.cell, e.symbolic) for e in GALLERY]
OFTEN += [(view, cell, False) for cell in CELLS for view in ("cell", "backward", "unit")]
OFTEN += [(view, "lstm", symbolic) for view in VIEWS for symbolic in (False, True)]
OFTEN += [(view, "gru", False) for view in VIEWS] + [("stacked", "lstmp", True), ("bidirectional", "rnn", False)]
OFTEN = list(dict.fromkeys(OFTEN))
UNDRAWN = [("unit", "layer_norm", False), ("unit", "layer_norm_gate", False)]
UNSAID = {("unit", "fgr"): ["given away differ: missing ['f', 'i', 'o'], too many []"]}
"""What pictures are known not to show: there is no room for the gates that a unit hands to the next step."""

SELDOM = [row for cell in ALL for view in VIEWS if (row := (view, cell, False)) not in (*OFTEN, *UNDRAWN)]


def named(table, *marks):
    """The table as parameters with readable ids."""
    return [pytest.param(*row, id="-".join([*row[:2], *["symbolic"] * row[2]]), marks=marks) for row in table]


EVERY = [*named(OFTEN), *named(SELDOM, pytest.mark.catalogue)]


def sizes_of(program, symbolic=False):
    known = {s.name for s in program.sizes}
    return {} if symbolic else {key: value for key, value in SIZES.items() if key in known}


@cache
def picture(view, cell, symbolic=False):
    return ls.draw(view, ALL[cell], **sizes_of(ALL[cell], symbolic))


def faults_of(source, view, program, sizes):
    """Everything that can be told from the SVG of a cell or of its backward pass."""
    drawing = read_svg(source)
    faults = [*geometry_faults(drawing), *text_faults(drawing), *crossings(drawing)[1]]
    faults += look_faults(drawing, source, ASPECT.get(view, 5))
    if view == "cell":
        faults += completeness_faults(drawing, program, sizes) + rail_faults(drawing, program)
    if view == "unit":
        faults += weight_faults(drawing)
    faults += content_faults(drawing, view, program, sizes)
    if view == "backward":
        faults += backward_faults(drawing, ls.backward(program)) + label_faults(drawing, ls.backward(program))
        faults += factor_faults(drawing, read_svg(ls.draw("cell", program, **sizes).svg()), program)
    return faults


@pytest.mark.parametrize(("view", "cell", "symbolic"), EVERY)
def test_svg_shows_the_program_and_is_clean(view, cell, symbolic):
    made = picture(view, cell, symbolic)
    assert faults_of(made.svg(), view, ALL[cell], sizes_of(ALL[cell], symbolic)) == UNSAID.get((view, cell), [])


@pytest.mark.parametrize(("view", "cell", "symbolic"), EVERY)
def test_graphviz_renders_the_same_picture_without_a_warning(view, cell, symbolic):
    made = picture(view, cell, symbolic)
    rendered = graphviz_json(made.dot())
    if rendered is None:
        pytest.skip("no Graphviz here")
    data, warnings = rendered
    assert warnings == []
    drawing, own = read_json(data), read_svg(made.svg())
    assert geometry_faults(drawing) == []
    assert crossings(drawing)[1] == []
    assert untold(own, data) == []
    shifts = set()
    for id, node in own.nodes.items():
        (x, y), (u, v) = node.rect.center, drawing.nodes[id].rect.center
        shifts.add((round(x - u, 0), round(y + v, 0)))
    assert len(shifts) <= 4, "Graphviz moved nodes"


def test_crossings_are_few():
    for cell, most in MOST_CROSSINGS.items():
        assert crossings(read_svg(picture("cell", cell).svg()))[0] <= most, cell
    for cell, most in {"lstm": 2, "gru": 1, "zoneout": 1, "slstm": 13, "fgr": 28}.items():
        assert crossings(read_svg(picture("dimensions", cell).svg()))[0] <= most, cell
    for view in ("unrolled", "stacked"):
        assert crossings(read_svg(picture(view, "lstm").svg()))[0] == 0
    both = read_svg(picture("bidirectional", "lstm").svg())
    steps = sum(n.kind == "cell" for n in both.nodes.values()) // 2
    assert crossings(both)[0] <= 4 * steps


@pytest.mark.parametrize("view", ["unrolled", "stacked", "bidirectional"])
def test_steps_are_joined_by_their_states(view):
    drawing = read_svg(picture(view, "lstm").svg())
    cells = [n.id for n in drawing.nodes.values() if n.kind in ("cell", "more")]
    for id in cells:
        row, _, _ = id.partition("-")
        leaving = [
            w for w in drawing.wires if w.source == id and w.target in (*cells, f"c-{row}-last", f"h-{row}-last")
        ]
        same_row = [w for w in leaving if w.target.startswith(row) or w.target.endswith("last")]
        assert len(same_row) == 2, id
    assert "28,840" in drawing.text
    assert {"unrolled": "28,840", "stacked": "68,320", "bidirectional": "57,680"}[view] + " parameters" in drawing.text


def test_a_high_stack_is_collapsed():
    high, low = (read_svg(ls.draw("stacked", ALL["lstm"], n=32, m=70, layers=layers).svg()) for layers in (1000, 4))
    assert [n.id for n in high.nodes.values()] == [id.replace("layer4", "layer1000") for id in low.nodes]
    assert "39,469,360 parameters = 28,840 + 999 · 39,480" in high.text
    assert "147,280 parameters = 28,840 + 3 · 39,480" in low.text
    assert (
        "107,800 parameters = 28,840 + 39,480 + 39,480" in ls.draw("stacked", ALL["lstm"], n=32, m=70, layers=3).svg()
    )
    left_out = [n for n in high.nodes.values() if n.text == "⋮"]
    assert [n.title for n in left_out] == ["997 layers"] * 3
    assert [w.target.partition("-")[0] for w in high.wires if w.source in {n.id for n in left_out}] == ["layer1000"] * 3
    assert "h1(999)" in high.text.replace(" ", "")


def test_bidirectional_says_its_sizes():
    text = read_svg(picture("bidirectional", "lstm").svg()).text
    assert text.split().count("140") == 3
    assert "32→70" in text


def test_unit_has_four_neurons_that_see_every_entry():
    drawing = read_svg(picture("unit", "lstm").svg())
    neurons = [n.id for n in drawing.nodes.values() if n.kind == "neuron"]
    entries = [n.id for n in drawing.nodes.values() if n.kind == "entry"]
    assert len(neurons) == 4
    lines = {(w.source, w.target) for w in drawing.wires if w.source in entries}
    assert lines == {(e, n) for e in entries for n in neurons}
    assert "412 parameters per unit" in drawing.text
    assert "28,840" in drawing.text


@pytest.mark.parametrize("cell", ["lstm", "gru", "lstmp", "peephole", "dropout"])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_unit_draws_all_of_few_entries(cell, size):
    program = ALL[cell]
    sizes = {s.name: size for s in program.sizes}
    source = ls.draw("unit", program, **sizes).svg()
    drawing = read_svg(source)
    assert faults_of(source, "unit", program, sizes) == []
    assert all(w.source in drawing.nodes and w.target in drawing.nodes for w in drawing.wires)
    entries = [n for n in drawing.nodes.values() if n.kind == "entry"]
    assert len(entries) % size == 0
    assert "more" not in {n.kind for n in drawing.nodes.values()}
    assert not re.search(r"\b1 (units|inputs|entries)\b|all 1 ", drawing.text)


def test_dimensions_show_the_worked_example():
    text = read_svg(picture("dimensions", "lstm").svg()).text
    for said in ("[32; 70]", "70×102 · 102 + 70", "28,840 parameters"):
        assert said in text


@pytest.mark.parametrize(
    ("cell", "value", "sizes", "said"),
    [
        ("layer_norm", "a_f", {"n": 32, "m": 70}, "70 ∘ 70 + 70 ∘ 70 + 70"),
        ("layer_norm", "e_c", {"n": 32, "m": 70}, "70 − 70 · 1"),
        ("layer_norm", "a_h", {"n": 32, "m": 70}, "70 ∘ (70 / (70 · 1)) + 70"),
        ("lstmp", "a_f", {}, "m×(n+q) · (n+q) + m"),
        ("gru", "a_h", {}, "m×n · n + m×m · (m ∘ m) + m"),
        ("gru", "h", {"m": 70}, "(70 − 70) ∘ 70 + 70 ∘ 70"),
        ("slstm", "f", {"m": 70}, "70 + 70 − 70"),
    ],
)
def test_dimensions_are_those_of_the_parts(cell, value, sizes, said):
    node = read_svg(ls.draw("dimensions", ALL[cell], **sizes).svg()).nodes[value]
    assert said in [line for line, _ in node.texts]


def test_network_boxes_the_layer():
    drawing = read_svg(picture("network", "lstm").svg())
    units = [n for n in drawing.nodes.values() if n.kind == "neuron"]
    assert all(drawing.panels[0].inside(n.rect.center) for n in units)
    assert len(drawing.panels) == 1


@pytest.mark.parametrize("size", [1, 2, 70])
def test_network_returns_every_unit_to_its_entry(size):
    drawing = read_svg(ls.draw("network", ALL["lstm"], n=size, m=size).svg())
    units = [n.id for n in drawing.nodes.values() if n.kind == "neuron"]
    back = [(w.source, w.target) for w in drawing.wires if w.flow == "value"]
    assert back == [(unit, unit.replace("unit", "h_prev")) for unit in units]
    assert not re.search(r"\b1 units", drawing.text)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("lstm", "28,840 parameters: 4 weights on every line into the layer, the others within it"),
        ("cifg", "21,630 parameters: 3 weights on every line into the layer, the others within it"),
        ("mgu", "14,420 parameters: 2 weights on every line into the layer, the others within it"),
        ("rnn", "7,210 parameters: 1 weight on every line into the layer, the others within it"),
        ("sru", "14,980 parameters: weights on the lines into the layer, the others within it"),
        ("minlstm", "6,720 parameters: 3 weights on every line into the layer"),
        ("fgr", "parameters: weights on the lines into the layer, the others within it"),
    ],
)
def test_network_says_where_its_parameters_are(cell, said):
    text = read_svg(picture("network", cell).svg()).text
    assert said in text
    assert "one weight" not in text


@pytest.mark.parametrize(("cell", "recurrent"), [("lstm", True), ("gru", True), ("sru", False), ("minlstm", False)])
def test_what_no_unit_reads_whole_has_no_lines(cell, recurrent):
    network, unit = (read_svg(picture(view, cell).svg()) for view in ("network", "unit"))
    assert any(w.source.startswith("h_prev") for w in network.wires) == recurrent
    assert ("so a unit alone cannot be unrolled" in unit.text) == recurrent
    assert ("only its own state" in unit.text) != recurrent


def test_network_counts_units_and_outputs():
    text = read_svg(picture("network", "lstmp").svg()).text
    assert "70 units" in text
    assert "40 outputs" in text
    assert "one output of the layer" in text
    assert "40 units" not in text


@pytest.mark.parametrize("view", ["unit", "network"])
def test_units_are_counted_from_0(view):
    drawing = read_svg(picture(view, "lstm").svg())
    said = {n.text for n in drawing.nodes.values()}
    assert {"h0", "h69", "x0", "x31"} <= said
    assert not {"h70", "x32"} & said


def test_slices_and_means_are_said_in_numbers():
    text = read_svg(picture("cell", "layer_norm").svg()).text
    assert "[70:140]" in text
    assert "1/280" in text
    assert "[m:" not in text
    assert "[m:2m]" in read_svg(ls.draw("cell", ALL["layer_norm"]).svg()).text


@pytest.mark.parametrize("seed", [7, *(pytest.param(k, marks=pytest.mark.catalogue) for k in range(8, 60))])
def test_any_cell_is_drawn(seed):
    program = random_cell(random.Random(seed).randint)
    for view in ("cell", "unit", "dimensions") if seed < 8 else VIEWS:
        drawing = read_svg(ls.draw(view, program, n=32, m=70).svg())
        assert [w for w in drawing.wires if w.source not in drawing.nodes or w.target not in drawing.nodes] == []


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", GALLERY, ids=[e.name for e in GALLERY])
def test_gallery_is_fresh(entry):
    made = picture(entry.view, entry.cell, entry.symbolic)
    for suffix, source in (("svg", made.svg()), ("gv", made.dot())):
        committed = (ROOT / "diagrams" / f"{entry.name}.{suffix}").read_text(encoding="utf-8")
        assert source == committed, "write the gallery again: lstm-spec draw --all diagrams"


def test_gallery_has_every_cell_and_nothing_else():
    committed = {p.name for p in (ROOT / "diagrams").iterdir()}
    assert committed == {f"{e.name}.{suffix}" for e in GALLERY for suffix in ("svg", "gv")} | {"README.md"}
    assert {e.cell for e in GALLERY if e.view == "cell"} >= set(ls.cells())
    assert {e.view for e in GALLERY} == set(VIEWS)
    index = (ROOT / "diagrams" / "README.md").read_text(encoding="utf-8")
    assert all(f'<img src="{e.name}.svg"' in index for e in GALLERY)


def test_gallery_writes_what_it_lists(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["lstm_spec.draw.gallery"], "entries", lambda: GALLERY[:2])
    written = [p.name for p in gallery(tmp_path / "new" / "folder")]
    assert written == ["cell_lstm.svg", "cell_lstm.gv", "cell_lstm_symbolic.svg", "cell_lstm_symbolic.gv", "README.md"]
    (tmp_path / "file").write_text("")
    with pytest.raises(DrawError, match="cannot make the folder"):
        list(gallery(tmp_path / "file" / "folder"))


def test_bytes_do_not_depend_on_the_hash_seed():
    some = [e.name for e in GALLERY if e.cell in ("lstm", "layer_norm", "gru")]
    script = (
        "import hashlib; from lstm_spec.draw.gallery import entries\n"
        f"made = [e.draw() for e in entries() if e.name in {some}]\n"
        "print([hashlib.sha256((p.svg() + p.dot() + p.tikz()).encode()).hexdigest() for p in made])"
    )
    outputs = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1


def test_every_suffix_writes_its_format(tmp_path):
    made = picture("cell", "lstm")
    starts = {"svg": "<svg", "gv": "// ", "dot": "// ", "tex": "%"}
    for suffix, start in starts.items():
        assert made.save(tmp_path / f"cell.{suffix}").read_text(encoding="utf-8").startswith(start)


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_graphviz_writes_png_and_pdf(tmp_path, suffix):
    if graphviz_json("digraph { a }") is None:
        pytest.skip("no Graphviz here")
    head = picture("cell", "lstm").save(tmp_path / f"cell.{suffix}").read_bytes()[:8]
    assert head.startswith(b"\x89PNG" if suffix == "png" else b"%PDF")


def test_without_graphviz_the_message_says_what_helps(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(RenderError, match="pip install pygraphviz"):
        picture("cell", "lstm").save(tmp_path / "cell.png")


def tex_has(name):
    return subprocess.run(["kpsewhich", name], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(("view", "cell"), [*((view, "lstm") for view in VIEWS), ("backward", "layer_norm")])
def test_tikz_compiles(tmp_path, view, cell):
    made = picture(view, cell).save(tmp_path / "picture.tex")
    if not shutil.which("pdflatex") or not tex_has("tikz.sty"):
        pytest.skip("no LaTeX with TikZ here")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", made.name],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-800:]
    assert "Overfull" not in done.stdout.decode(errors="replace")


def test_unpinned_dot_has_no_positions():
    free = picture("cell", "lstm").dot(pinned=False)
    assert "pos=" not in free
    rendered = graphviz_json(free, "dot")
    if rendered is not None:
        assert rendered[1] == []


# --- options ----------------------------------------------------------------------------------------------------------


def test_wide_sizes_fit_their_boxes():
    made = ls.draw("cell", ALL["lstm"], n=1024, m=2048)
    assert faults_of(made.svg(), "cell", ALL["lstm"], {"n": 1024, "m": 2048}) == []


def test_highlight_marks_the_operation_and_its_value():
    source = ls.draw("cell", ALL["lstm"], n=32, m=70, highlight="i").svg()
    assert re.search(r'class="node layer marked" id="i"', source)
    assert re.search(r'class="wire value marked" data-from="i"', source)


def test_notes_in_tikz_begin_at_one_line():
    source = picture("unit", "lstm").tikz()
    lines = [x for x in source.splitlines() if "parameters per unit" in x or "every unit needs" in x]
    assert len({re.search(r"anchor=base west.* at \(([\d.-]+),", x)[1] for x in lines}) == 1
    assert r"$c_{t- 1,k}$" in source
    assert r"\mathrm{new},t" in picture("cell", "clipped").tikz()


@pytest.mark.parametrize("view", ["cell", "unit", "dimensions", "backward"])
def test_every_name_can_be_highlighted(view):
    for name in ALL["lstm"].symbols:
        assert ' marked"' in ls.draw(view, ALL["lstm"], highlight=name).svg(), name


@pytest.mark.parametrize(
    ("view", "name", "box"), [("cell", "W_f", "f"), ("cell", "a_i", "i"), ("backward", "W_o", "d-o")]
)
def test_highlight_marks_the_box_around_a_name(view, name, box):
    source = ls.draw(view, ALL["lstm"], highlight=name).svg()
    assert re.findall(r'class="node \w+ marked" id="([^"]*)"', source) == [box]
    assert ls.draw("backward", ALL["lstm"], highlight=f"d{name}").svg().count(" marked") > 0


@pytest.mark.parametrize("name", ["f", "W_f", "z"])
@pytest.mark.parametrize("view", ["unrolled", "stacked", "bidirectional", "network"])
def test_view_that_does_not_show_a_name_says_so(view, name):
    with pytest.raises(DrawError, match=f'"{view}" of lstm shows no {name} .*, only x, .*; the view "cell" shows all'):
        ls.draw(view, ALL["lstm"], highlight=name)


@pytest.mark.parametrize("view", ["unrolled", "stacked", "bidirectional"])
@pytest.mark.parametrize("name", ["x", "h", "h_prev", "c", "c_prev"])
def test_highlight_marks_a_vector_at_every_step(view, name):
    source = ls.draw(view, ALL["lstm"], highlight=name).svg()
    wires = re.findall(r'<g class="wire (?:\w+)( marked)?"[^>]*data-value="([^"]*)"', source)
    assert {value for marked, value in wires if marked} == {
        value for _, value in wires if value.startswith(f"{name[0]}-")
    }


@pytest.mark.parametrize(("view", "name"), [("unit", "x"), ("unit", "h_prev"), ("network", "x"), ("network", "h_prev")])
def test_highlight_marks_the_entries_of_a_vector(view, name):
    source = ls.draw(view, ALL["lstm"], n=32, m=70, highlight=name).svg()
    marked, plain = (re.findall(rf'<g class="node entry{s}" id="([^"]*)-[^"]*"', source) for s in (" marked", ""))
    assert set(marked) == {name}
    assert len(marked) >= 3
    assert name not in plain


@pytest.mark.parametrize("notation", ["colah", "greff", "pytorch", {"c_tilde": "g"}])
def test_notation_renames_symbols(notation):
    text = read_svg(ls.draw("cell", ALL["lstm"], notation=notation).svg()).text
    wanted = {"colah": "C\u0303", "greff": "ξ", "pytorch": "gt"}
    assert (wanted[notation] if isinstance(notation, str) else "gt") in text


def test_themes():
    auto, dark = picture("cell", "lstm"), replace(picture("cell", "lstm"), theme="dark")
    assert len(palettes(auto.svg())) == 2
    assert palettes(dark.svg()) == palettes(auto.svg())[1:]
    assert palettes(dark.svg())[0]["paper"] in dark.dot()
    assert all(contrast_faults(colours) == [] for colours in palettes(auto.svg()))


def test_jupyter_shows_the_picture_itself():
    bundle = picture("cell", "lstm")._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")
    assert picture("cell", "lstm")._repr_svg_() == bundle["image/svg+xml"]


def test_all_steps_are_drawn_when_they_are_few():
    drawing = read_svg(ls.draw("unrolled", ALL["lstm"], steps=3).svg())
    assert [n.id for n in drawing.nodes.values() if n.kind in ("cell", "more")] == ["layer1-1", "layer1-2", "layer1-3"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ls.draw("sell", ALL["lstm"]), 'there is no view "sell"; there are'),
        (lambda: ls.draw("cell", ALL["lstm"], theme="pink"), "auto, light, dark"),
        (lambda: ls.draw("cell", ALL["lstm"], highlight="g"), "nothing named g to highlight"),
        (lambda: ls.draw("unrolled", ALL["lstm"], steps=0), "steps must be a positive integer"),
        (lambda: picture("cell", "lstm").save("cell.jpg"), r"\.svg, .*\.pdf"),
        (lambda: picture("cell", "lstm").save("/nowhere/cell.svg"), "cannot write /nowhere/cell.svg: No such file"),
    ],
)
def test_mistakes_are_said_in_one_sentence(call, said):
    with pytest.raises(DrawError, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sell", "lstm"], 'no view "sell"'),
        (["unit", "layer_norm"], "its normalization reads all units"),
        (["cell", "lsm"], "did you mean lstm"),
        (["cell", "lstm", "-o", "cell.jpg"], '"cell.jpg" has none of these'),
        (["cell", "lstm", "--highlight", "g"], "nothing named g to highlight"),
        (["cell", "lstm", "--notation", "pink"], 'no notation "pink"'),
        (["cell", "lstm", "-o", "/nowhere/cell.png"], "cannot write /nowhere/cell.png"),
    ],
)
def test_command_says_mistakes_in_one_sentence(arguments, said):
    done = CliRunner().invoke(main, ["draw", *arguments])
    assert done.exit_code == 2
    assert said in done.output
    assert done.output.count("\n") == 1


def test_command_says_what_png_needs(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    done = CliRunner().invoke(main, ["draw", "cell", "lstm", "-o", str(tmp_path / "cell.pdf")])
    assert done.exit_code == 2
    assert "PDF needs Graphviz: pip install pygraphviz" in done.output


@pytest.mark.parametrize("cell", [cell for _, cell, _ in UNDRAWN])
def test_unit_that_normalizes_over_all_units_is_not_drawn(cell):
    with pytest.raises(DrawError, match=f"one unit of {cell} cannot be drawn: its normalization reads all units"):
        ls.draw("unit", ALL[cell])


def test_unknown_size():
    with pytest.raises(ls.ProgramError, match="has no size k"):
        ls.draw("cell", ALL["lstm"], k=3)


# --- the audit itself -------------------------------------------------------------------------------------------------


def without_input_gate():
    cell = ls.lstm()
    kept = tuple(d for d in cell.definitions if d.name not in ("i", "a_i"))
    s = cell.symbols
    changed = replace(cell["c"], expression=add(hadamard(s["f"], s["c_prev"]), s["c_tilde"]))
    return replace(
        cell,
        definitions=tuple(changed if d.name == "c" else d for d in kept),
        parameters=tuple(p for p in cell.parameters if p.name not in ("W_i", "b_i")),
    )


def rewritten(name, make):
    cell = ls.lstm()
    return cell.with_equation(name, make(cell.symbols))


MUTANTS = {
    "equation dropped": without_input_gate,
    "operands swapped": lambda: rewritten(
        "c", lambda s: add(hadamard(s["f"], s["c_tilde"]), hadamard(s["i"], s["c_prev"]))
    ),
    "order of z swapped": lambda: ls.lstm(concat="hx"),
    "earlier state": lambda: rewritten("h", lambda s: hadamard(s["o"], apply("tanh", s["c_prev"]))),
    "gates swapped": lambda: rewritten(
        "c", lambda s: add(hadamard(s["i"], s["c_prev"]), hadamard(s["f"], s["c_tilde"]))
    ),
    "another function": lambda: ls.lstm(activations={"c": "sigmoid"}),
    "a peephole more": lambda: ls.lstm(peepholes="f"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.parametrize("view", ["cell", "backward"])
def test_picture_of_a_mutant_is_not_the_picture_of_the_cell(mutant, view):
    source = ls.draw(view, MUTANTS[mutant](), n=32, m=70).svg()
    assert faults_of(source, view, ls.lstm(), {"n": 32, "m": 70}) != []


@pytest.mark.parametrize("sizes", [{"n": 33, "m": 70}, {"n": 32, "m": 71}])
def test_picture_of_other_sizes_is_noticed(sizes):
    source = ls.draw("cell", ls.lstm(), **sizes).svg()
    assert faults_of(source, "cell", ls.lstm(), {"n": 32, "m": 70}) != []


SPOILED = {
    "one shape": (r"70×102", "70×101"),
    "one dimension": (r"(data-of=\"f\".*?)70</tspan>", r"\g<1>71</tspan>"),
    "parameter count": (r"28,840", "28,841"),
    "a box moved": (r'(<rect class="shape" x=")(\d+)', lambda m: f"{m[1]}{int(m[2]) + 40}"),
    "a circle moved": (r'(<ellipse class="shape" cx=")(\d+)', lambda m: f"{m[1]}{int(m[2]) + 30}"),
    "a label moved": (r'(data-of="f"><text x=")(\d+)', lambda m: f"{m[1]}{int(m[2]) - 12}"),
    "an oblique wire": (r'(<path d="M\d+\.?\d* )(\d+)', lambda m: f"{m[1]}{int(m[2]) + 9}"),
    "a wire elsewhere": (r'data-to="o"', 'data-to="f"'),
    "small text": (r'font-size="8.5"', 'font-size="5"'),
    "pale text": (r"--ink:#1b1f24", "--ink:#b0b0b0"),
    "huge text": (r'font-size="12"', 'font-size="60"'),
    "a round layer": (r'class="node layer" id="f"', 'class="node product" id="f"'),
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_audit_notices(spoiled):
    source = picture("cell", "lstm").svg()
    pattern, replacement = SPOILED[spoiled]
    changed = re.sub(pattern, replacement, source, count=1)
    assert changed != source
    assert faults_of(changed, "cell", ALL["lstm"], sizes_of(ALL["lstm"])) != []


EDGES = {
    "dimensions": ("c", "h"),
    "unit": ("f", r"c\.1"),
    "network": ("unit-0", "next-0"),
    "unrolled": ("layer1-1", "layer1-2"),
    "stacked": ("layer1-1", "layer2-1"),
    "bidirectional": ("backward-2", "backward-1"),
}
SIZE = r'(data-of="{}".*?){}(</tspan>)'
SHOWN_SIZES = {
    "dimensions": (SIZE.format("z", 102), r"\g<1>103\2"),
    "unit": ("32 inputs", "33 inputs"),
    "network": (SIZE.format("h_prev", 70), r"\g<1>71\2"),
    "unrolled": ("32→70", "32→71"),
    "stacked": (SIZE.format("h-layer2-1-in", 70), r"\g<1>71\2"),
    "bidirectional": (SIZE.format("y-1-out", 140), r"\g<1>70\2"),
}


def spoilings(view, source):
    """The picture without one edge, with another size, another count, another name."""
    edge = r'<g class="wire [^"]*" data-from="{}" data-to="{}".*?</g>\n'.format(*EDGES[view])
    (count,) = re.findall(r"[\d,]+(?= parameters(?: =|:|, the|<))", source)[:1]
    yield "edge", re.sub(edge, "", source, count=1)
    yield "size", re.sub(*SHOWN_SIZES[view], source, count=1)
    yield "count", source.replace(f"{count} parameters", f"{count[:-1]}7 parameters")


@pytest.mark.parametrize("view", EDGES)
def test_audit_notices_what_a_further_view_says_wrongly(view):
    source = picture(view, "lstm").svg()
    for what, changed in spoilings(view, source):
        assert changed != source, what
        assert content_faults(read_svg(changed), view, ALL["lstm"], sizes_of(ALL["lstm"])) != [], what


@pytest.mark.parametrize("view", EDGES)
@pytest.mark.parametrize("mutant", ["another cell", "another n", "another m"])
def test_further_view_of_another_cell_is_noticed(view, mutant):
    drawn = {"another cell": ("cifg", 32, 70), "another n": ("lstm", 33, 70), "another m": ("lstm", 32, 71)}[mutant]
    source = ls.draw(view, ALL[drawn[0]], n=drawn[1], m=drawn[2]).svg()
    assert content_faults(read_svg(source), view, ALL["lstm"], {"n": 32, "m": 70}) != []


def test_audit_counts_what_a_high_stack_leaves_out():
    source = ls.draw("stacked", ALL["lstm"], n=32, m=70, layers=40).svg()
    for wrong, layers in (("", 40), ("39 · 39,480", 40), ("(39)", 40), ("", 41)):
        changed = (
            source.replace(wrong, wrong.replace("39", "38", 1)) if wrong != "(39)" else source.replace("(40)", "(4)")
        )
        faults = content_faults(read_svg(changed), "stacked", ALL["lstm"], {"n": 32, "m": 70}, layers=layers)
        assert (faults == []) == (not wrong and layers == 40)


def test_audit_notices_exchanged_factors():
    source = picture("backward", "gru").svg()
    first, second = (re.search(rf'data-of="du.{k}">(.*?)</g>', source)[1] for k in (1, 2))
    exchanged = source.replace(first, "…").replace(second, first).replace("…", second)
    assert any("h_tilde" in f for f in faults_of(exchanged, "backward", ALL["gru"], sizes_of(ALL["gru"])))


@pytest.mark.parametrize("cell", ["lstm", "gru", "cifg"])
def test_audit_notices_every_factor_that_is_not_written(cell):
    source = picture("backward", cell).svg()
    back, drawing = ls.backward(ALL[cell]), read_svg(source)
    wires = [w for w in drawing.wires if drawing.nodes[w.source].kind != "layer" and "∘" in w.title]
    assert len(wires) > 3
    for w in wires:
        without = re.sub(rf'<g class="label" data-of="{re.escape(w.value)}">.*?</g>', "", source)
        assert any(w.title in f for f in label_faults(read_svg(without), back)), w.title


@pytest.mark.parametrize("cell", ["gru", "mgu", "slstm"])
def test_factors_have_brackets_and_names_no_factor_beside_them(cell):
    root = read_svg(picture("backward", cell).svg()).root
    labels = ["".join(g.itertext()) for g in root.iter() if g.get("data-of")]
    assert [x for x in labels if re.search(r"∘\s*1|^δ[^=]*∘", x)] == []
    assert any("∘ (1 − " in x or "∘(1 − " in x for x in labels)


def test_audit_notices_a_wire_under_the_neurons():
    source = picture("unit", "lstm").svg()
    drawing = read_svg(source)
    floor = max(n.rect.y1 for n in drawing.nodes.values() if n.kind == "neuron")
    assert weight_faults(drawing) == []
    line = next(x for x in source.splitlines() if 'data-from="f" data-to="' in x)
    lowered = re.sub(r'd="M([\d.]+) [\d.]+C', rf'd="M\1 {floor + 9}C', line, count=1)
    assert weight_faults(read_svg(source.replace(line, lowered))) != []


def test_audit_notices_a_label_that_graphviz_lacks():
    made = picture("backward", "clipped")
    own, rendered = read_svg(made.svg()), graphviz_json(made.dot())
    if rendered is None:
        pytest.skip("no Graphviz here")
    assert untold(own, rendered[0]) == []
    lines = [e for e in rendered[0]["edges"] if "</TR><TR>" in e.get("label", "")]
    assert lines
    for edge in lines:
        edge["label"] = edge["label"].partition("</TR>")[2]
    assert len(untold(own, rendered[0])) == len(lines)


def test_audit_hears_what_graphviz_says():
    rendered = graphviz_json('digraph { layout=nop2; a [pos="0,0" label=<<B></B>>] }')
    if rendered is None:
        pytest.skip("no Graphviz here")
    assert rendered[1] != []


def test_audit_notices_a_missing_hop():
    source = picture("cell", "lstm").svg()
    (line,) = [x for x in source.splitlines() if "data-hops" in x]
    d = re.search(r'd="M([\d. ]+?)C.* ([\d.]+ [\d.]+)"/>', line)
    flat = line.replace(d[0], f'd="M{d[1]}C{d[1]} {d[2]} {d[2]}"/>')
    assert crossings(read_svg(source))[1] == []
    assert crossings(read_svg(source.replace(line, flat)))[1] != [] or geometry_faults(
        read_svg(source.replace(line, flat))
    )


def test_pictures_have_distinct_names():
    names = [e.name for e in GALLERY]
    assert len(names) == len(set(names)) > len(ls.cells()) + len(VIEWS)
