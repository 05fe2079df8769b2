"""The commands about the mathematics."""

import sys

import click

from lstm_spec.cli.common import (
    cell_named,
    check_folder,
    check_place,
    listed,
    progress_bar,
    sentences,
    spec_named,
    with_sizes,
    write_json,
    write_text,
    writing,
)

MOST_LAYERS = 1000
"""How many layers a network may have that is shown, a few lines each."""


@click.command()
@click.argument("cell", required=False)
@with_sizes
@click.option("--list", "listing", is_flag=True, help="List the catalogue, a line each.")
@click.option("--format", "form", type=click.Choice(["text", "markdown"]), default="text", show_default=True)
@click.option("--notation", default="design", show_default=True, help="Whose symbols: a name, or FILE.toml.")
@click.option(
    "--layers", type=click.IntRange(1, MOST_LAYERS), help="A network of so many layers, in place of one cell."
)
@click.option("--bidirectional", is_flag=True, help="A network whose layers run in both directions.")
@click.option("--json", "json_file", metavar="FILE", help="Write it as JSON; - is stdout.")
@sentences
def show(
    cell: str | None,
    n: int | None,
    m: int | None,
    q: int | None,
    listing: bool,
    form: str,
    notation: str,
    layers: int | None,
    bidirectional: bool,
    json_file: str | None,
) -> None:
    """Show the equations, dimensions and parameters of CELL, and what one unit reads.

    CELL is a name of the catalogue or file.py:cell. With --layers or --bidirectional, a network of it, and of
    file.py:network that one: the output shape and the parameters of every layer.

    \b
    Example:
      lstm-spec show lstm -n 32 -m 70
    """
    from lstm_spec.report.show import (
        catalogue_dict,
        catalogue_lines,
        network_dict,
        network_markdown,
        network_text,
        show_dict,
        show_markdown,
        show_text,
    )
    from lstm_spec.spec.layers import layers as make_layers
    from lstm_spec.spec.network import Network

    sizes = {name: value for name, value in (("n", n), ("m", m), ("q", q)) if value is not None}
    if listing and (cell is not None or sizes or layers is not None or bidirectional):
        raise click.UsageError("--list shows the whole catalogue in symbols: leave out the CELL, sizes and layers")
    if cell is None and (sizes or layers is not None or bidirectional):
        raise click.UsageError("sizes and layers are those of a CELL: name one, such as lstm")
    if cell is None:
        write_json(catalogue_dict(), json_file)
        if json_file != "-":
            click.echo("\n".join(catalogue_lines()))
        return
    spec = spec_named(cell)
    if isinstance(spec, Network) and (layers is not None or bidirectional):
        raise click.UsageError(f"{cell} is a network and has its layers: leave out --layers and --bidirectional")
    if isinstance(spec, Network) or layers is not None or bidirectional:
        if notation != "design":
            raise click.UsageError("a network is shown in the design's notation: leave out --notation, or the layers")
        if not isinstance(spec, Network):
            spec = make_layers(spec, count=layers, bidirectional=bidirectional)
        write_json(network_dict(spec, sizes), json_file)
        if json_file != "-":
            click.echo((network_text if form == "text" else network_markdown)(spec, sizes), nl=False)
        return
    write_json(show_dict(spec, sizes), json_file)
    if json_file != "-":
        page = show_text if form == "text" else show_markdown
        click.echo(page(spec, sizes, notation=notation), nl=False)


@click.command()
@click.argument("cell")
@click.option("--wrt", callback=listed, help="Only what leads to the gradients of these, such as W_f,b_f.")
@click.option("--format", "form", default="text", show_default=True, help="text, latex, markdown, mathml, numpy, …")
@click.option("--notation", default="design", show_default=True, help="Whose symbols: a name, or FILE.toml.")
@click.option("--level", default="matrix", show_default=True, help="matrix, or unit for scalar equations with sums.")
@click.option("--forward", is_flag=True, help="The equations of the cell itself, in place of its backward pass.")
@click.option("--jacobian", metavar="OF,WRT", callback=listed, help="One-step Jacobian, such as c,c_prev.")
@click.option("--through-time", is_flag=True, help="As a recurrence over steps, with its ends.")
@click.option("--window", type=int, help="Truncate backpropagation through time to blocks of this many steps.")
@click.option("-o", "--output", metavar="FILE", help="Write it there, in place of stdout.")
@sentences
def derive(
    cell: str,
    wrt: tuple[str, ...] | None,
    form: str,
    notation: str,
    level: str,
    forward: bool,
    jacobian: tuple[str, ...] | None,
    through_time: bool,
    window: int | None,
    output: str | None,
) -> None:
    """Derive the formulas of CELL and print them.

    By default these are the adjoints of one step: δv is ∂loss/∂v, ⁺ marks what arrives from the step after, and the
    gradients of parameters are summed over rows and steps.

    \b
    Example:
      lstm-spec derive lstm --wrt W_f,b_f --format latex
    """
    from lstm_spec.report.derive import derived_text

    check_place(output)
    text = derived_text(
        cell_named(cell),
        wrt=wrt,
        form=form,
        notation=notation,
        level=level,
        forward=forward,
        jacobian=jacobian,
        through_time=through_time or window is not None,
        window=window,
    )
    write_text(text, output)


@click.command()
@click.argument("cell", required=False)
@click.option("--only", callback=listed, help="Only these formulas, such as dW_f,dh_prev.")
@click.option("--theorems", is_flag=True, help="Prove what holds between cells: CIFG, two biases, symmetries, counts.")
@click.option("--json", "json_file", metavar="FILE", help="Write the proofs there; - is stdout.")
@sentences
def prove(cell: str | None, only: tuple[str, ...] | None, theorems: bool, json_file: str | None) -> None:
    """Prove the gradient formulas of CELL for all sizes, a line each.

    Each formula is written out at an element and compared with SymPy's derivative of the definition by sums.

    Exit status: 0 all proved, 1 one refuted, 3 one undecided, 130 interrupted.

    \b
    Example:
      lstm-spec prove lstm --only dW_f
    """
    from lstm_spec.report.proofs import proof_dict, proof_line, proofs_of, status_of

    if cell is None and not theorems:
        raise click.UsageError("name a CELL, or ask for --theorems")
    if theorems and (cell is not None or only is not None):
        raise click.UsageError("--theorems are between cells, each of its own: name no CELL and no --only with them")
    check_place(json_file)
    found = []
    interrupted = False
    total, statements = proofs_of(None if cell is None else cell_named(cell), only)
    try:
        with progress_bar() as progress:
            for proof in statements:
                found.append(proof)
                if json_file != "-":
                    click.echo(proof_line(proof))
                if progress is not None:
                    progress(len(found), total, proof.name)
    except KeyboardInterrupt:
        interrupted = True
    write_json({"cell": cell, "proofs": [proof_dict(p) for p in found], "interrupted": interrupted}, json_file)
    sys.exit(130 if interrupted else status_of(found))


@click.command()
@click.argument("view", required=False)
@click.argument("cell", required=False, default="lstm")
@with_sizes
@click.option("-o", "--output", metavar="FILE", help="Where to; the suffix says how: svg, gv, png, pdf, tex.")
@click.option("--all", "gallery", metavar="DIR", help="Write the whole gallery into a folder.")
@click.option("--theme", default="auto", show_default=True, help="auto, light or dark.")
@click.option("--notation", default="design", show_default=True, help="Whose symbols: a name, or FILE.toml.")
@click.option("--highlight", callback=listed, help="Equations or values to mark, such as f,W_f.")
@click.option("--steps", type=int, help="Steps of an unrolled layer; T of them without it.")
@click.option("--layers", type=int, help="Layers of a stack; 2 without it.")
@click.option("--unpinned", is_flag=True, help="DOT without positions, for Graphviz to lay out again.")
@sentences
def draw(
    view: str | None,
    cell: str,
    n: int | None,
    m: int | None,
    q: int | None,
    output: str | None,
    gallery: str | None,
    theme: str,
    notation: str,
    highlight: tuple[str, ...] | None,
    steps: int | None,
    layers: int | None,
    unpinned: bool,
) -> None:
    """Draw CELL, a name or file.py:cell, from its equations; or file.py:network, in the views over time.

    VIEW is cell, unit, network, unrolled, stacked, bidirectional, backward or dimensions. Without -o the picture goes
    to stdout as SVG.

    \b
    Example:
      lstm-spec draw cell peephole -n 32 -m 70 -o cell.svg
    """
    from lstm_spec.draw.gallery import gallery as write_gallery
    from lstm_spec.draw.picture import draw as make

    if gallery is not None:
        check_folder(gallery)
        with writing(gallery):
            for path in write_gallery(gallery):
                click.echo(str(path))
        return
    if view is None:
        raise click.UsageError("name a VIEW such as cell, or a folder with --all")
    picture = make(
        view,
        spec_named(cell),
        theme=theme,  # type: ignore[arg-type]
        notation=notation,
        highlight=highlight or (),
        steps=steps,
        layers=layers,
        n=n,
        m=m,
        q=q,
    )
    if output is None or output == "-":
        click.echo(picture.svg(), nl=False)
    else:
        picture.save(output, pinned=not unpinned)
