"""Prints what the audit measures, view by view, over every picture of every cell: python -m tests.picture_table."""

import time
from collections import Counter

from tests import picture_audit as audit
from tests.picture_contents import content_faults
from tests.test_draw import ALL, ASPECT, UNDRAWN, VIEWS, ls, sizes_of

CHECKS = ("warnings", "geometry", "text", "hops", "content", "look", "graphviz")


def measured(view: str, name: str, figures: Counter) -> tuple[int, float, float, float]:
    """Add the faults of one picture to the figures; return its crossings, smallest text, aspect ratio and seconds."""
    program, sizes = ALL[name], sizes_of(ALL[name])
    start = time.process_time()
    made = ls.draw(view, program, **sizes)
    seconds = time.process_time() - start
    source = made.svg()
    drawing = audit.read_svg(source)
    count, bare = audit.crossings(drawing)
    content = content_faults(drawing, view, program, sizes)
    if view == "cell":
        content += audit.completeness_faults(drawing, program, sizes) + audit.rail_faults(drawing, program)
    if view == "unit":
        content += audit.weight_faults(drawing)
    if view == "backward":
        back, forward = ls.backward(program), audit.read_svg(ls.draw("cell", program, **sizes).svg())
        content += audit.backward_faults(drawing, back) + audit.label_faults(drawing, back)
        content += audit.factor_faults(drawing, forward, program)
    rendered = audit.graphviz_json(made.dot())
    data, warnings = rendered or ({}, [])
    again = audit.geometry_faults(audit.read_json(data)) + audit.untold(drawing, data) if rendered else []
    figures["warnings"] += len(warnings)
    figures["geometry"] += len(audit.geometry_faults(drawing))
    figures["text"] += len(audit.text_faults(drawing))
    figures["hops"] += len(bare)
    figures["content"] += len(content)
    figures["look"] += len(audit.look_faults(drawing, source, ASPECT.get(view, 5)))
    figures["graphviz"] += len(again)
    return count, min(drawing.sizes), max(drawing.size) / min(drawing.size), seconds


def main() -> None:
    """Print a row for every view, then the slowest pictures and the least contrasts."""
    print(f"{'view':14} pictures {' '.join(f'{c:>8}' for c in CHECKS)}  crossings  text pt  aspect  CPU s")
    slow = []
    for view in VIEWS:
        figures: Counter = Counter()
        names = [name for name in ALL if (view, name, False) not in UNDRAWN]
        rows = [measured(view, name, figures) for name in names]
        slow += [(row[3], view, name) for row, name in zip(rows, names, strict=True)]
        faults = " ".join(f"{figures[c]:8}" for c in CHECKS)
        most, small, wide, seconds = (f(r[k] for r in rows) for k, f in enumerate((max, min, max, max)))
        print(f"{view:14} {len(rows):8} {faults}  {most:9}  {small:7.1f}  {wide:6.2f}  {seconds:5.2f}")
    print("slowest:", ", ".join(f"{view} {name} {seconds:.2f} s" for seconds, view, name in sorted(slow)[:-6:-1]))
    for theme, c in zip(("light", "dark"), audit.palettes(ls.draw("cell", ALL["lstm"]).svg()), strict=True):
        grounds = ("paper", "panel", "layer", "point", "entry")
        said = [(letters, ground) for letters in ("ink", "dim") for ground in grounds]
        text = min(audit.contrast(c[a], c[b]) for a, b in said if (a, b) != ("dim", "point"))
        strokes = ("ink", "state", "gradient", "state-gradient", "weight", "mark", "layer-line", "point-line")
        line = min(audit.contrast(c[s], c[ground]) for s in strokes for ground in ("paper", "panel"))
        print(f"least contrast, {theme}: text {text:.1f}:1, strokes {line:.1f}:1")


if __name__ == "__main__":
    main()
