"""The ways of wires are the cheapest there are, and a label finds a place even beside a wire shorter than itself."""

import heapq
import random
from importlib import import_module

import pytest

import lstm_spec as ls
from lstm_spec.draw.label import CLEAR, SIZE, around, box, place_labels
from lstm_spec.draw.lattice import Field, Net, Sink, Spot
from lstm_spec.draw.route import JOINT, Router
from lstm_spec.draw.scene import Node, Wire
from lstm_spec.draw.text import characters, halves, plain, width
from lstm_spec.draw.tolls import BEND, EVERY, FORBIDDEN, OPPOSITE, Tolls
from tests.picture_audit import label_faults, read_svg

SIDE = 14


def random_router(rng, *, strict):
    """A board with boxes and some trees on it, and a net to lay."""
    places = rng.sample([(x, y) for x in range(1, SIDE, 4) for y in range(1, SIDE, 4)], 10)
    spots = {str(k): Spot(str(k), x, y, 1, 1, "free") for k, (x, y) in enumerate(places)}
    board = Field((-2, -2), (SIDE + 2, SIDE + 2), frames=(((0, 0), (SIDE, SIDE)),), texts=(((3, 9), (9, 9)),))
    router = Router(Tolls(board, spots, strict))
    for number, source in enumerate("0123456701"):
        ends = rng.sample([id for id in "01234567" if id != source], 2)
        tree = router.lay(Net(str(number), source, tuple(map(Sink, ends))))
        if tree is not None:
            router.tolls.put(tree)
    return router, Net("new", "8", (Sink("9"),))


def cheapest(router, net):
    """The price of the cheapest way, by trying every state in the order of its price, with nothing left out."""
    tolls, (sink,) = router.tolls, net.sinks
    ends = {
        4 * tolls.number(p.at) + EVERY[tuple(tolls.offsets).index(p.heading[0] + p.heading[1] * tolls.wide)]: p.cost
        for p in tolls.spots[sink.spot].entries(sink.first)
        if tolls.number(p.at) not in tolls.runs or not tolls.strict
    }
    runs = tolls.runs if tolls.strict else {}
    starts = dict(router._starts(net, {}))
    queue = [(cost, state, True) for state, cost in starts.items()]
    done = set()
    while queue:
        cost, state, start = heapq.heappop(queue)
        if state in ends and not start:
            return cost
        if (state, start) in done:
            continue
        done.add((state, start))
        v, heading = state >> 2, state & 3
        for k in EVERY:
            w = v + tolls.offsets[k]
            turns = k != heading
            if (turns and (start or v in runs)) or k == OPPOSITE[heading] or (start and w in runs):
                continue
            price = 1 + ends[4 * w + k] if 4 * w + k in ends else tolls.price[4 * w + k]
            if price < FORBIDDEN:
                heapq.heappush(queue, (cost + price + BEND * turns, 4 * w + k, False))
    return None


@pytest.mark.parametrize("seed", range(120, 150))
@pytest.mark.parametrize("strict", [True, False])
def test_a_way_is_the_cheapest(seed, strict):
    router, net = random_router(random.Random(seed), strict=strict)
    tree = router.lay(net)
    assert (None if tree is None else router.cost(tree)) == cheapest(router, net)


def test_a_way_has_to_be_cheaper_than_what_is_given():
    router, net = random_router(random.Random(0), strict=True)
    cost = router.cost(router.lay(net))
    assert router.lay(net, below=cost) is None
    assert router.lay(net, below=cost + 1) is not None
    assert JOINT < BEND < cost


def test_a_label_stands_off_a_wire_that_is_too_short_for_it():
    circles = [Node(id, "product", (x, 0), 40, 24) for id, x in (("a", 0), ("b", 60))]
    wire = Wire("a", "b", "v", ((20, 0), (40, 0)))
    (label,), missing = place_labels([("v", [(plain("long factor"),)])], [wire], [], circles, [])
    assert missing == []
    assert not any(box(label).touches(around(n.center, n.width, n.height)) for n in circles)
    walls = [Node(f"{k}", "layer", (30, y), 200, 10) for k, y in enumerate((20, -20))]
    assert place_labels([("v", [(plain("long factor"),)])], [wire], [], [*circles, *walls], [])[1] != []


def test_a_label_without_room_says_what_it_lacks():
    walls = [Node(f"{k}", "layer", (30, y), 200, 10) for k, y in enumerate((20, -20))]
    circles = [Node(id, "product", (x, 0), 40, 24) for id, x in (("a", 0), ("b", 60))]
    level = Wire("a", "b", "v", ((20, 0), (40, 0)))
    said = plain("a factor")
    (lack,) = place_labels([("v", [(said,)])], [level], [], [*circles, *walls], [])[1]
    assert (lack.value, lack.x, lack.points) == ("v", 30, width(said, SIZE) + CLEAR - 20)
    upright = Wire("a", "b", "v", ((0, 12), (0, 100)))
    beside = [Node(id, "layer", (x, 56), 100, 90) for id, x in (("c", -58), ("d", 58))]
    (lack,) = place_labels([("v", [(said,)])], [upright], [], beside, [])[1]
    assert (lack.x, lack.points) == (0, width(said, SIZE) + CLEAR - 8)


def test_a_product_without_room_is_written_in_two_lines():
    circles = [Node(id, "product", (x, 0), 40, 24) for id, x in (("a", 0), ("b", 160))]
    walls = [Node(f"{k}", "layer", (x, 0), 10, 200) for k, x in enumerate((10, 150))]
    wire = Wire("a", "b", "v", ((20, 0), (140, 0)))
    said = plain("dx = dy∘(1 − y∘y)∘z∘u∘v∘w")
    first, second = place_labels([("v", [(said,), halves(said)])], [wire], [], [*circles, *walls], [])[0]
    assert [characters(line.text) for line in (first, second)] == ["dx = dy∘(1 − y∘y)", "∘z∘u∘v∘w"]
    assert not box(first).touches(box(second))


@pytest.mark.parametrize("cell", ["clipped", "gru"])
def test_columns_are_as_wide_as_the_labels_between_them_need(cell, monkeypatch):
    module = import_module("lstm_spec.draw.cell")
    monkeypatch.setattr(module, "SLACKS", (0,))
    program = ls.cell(cell)

    def faults():
        return label_faults(read_svg(ls.draw("backward", program, n=32, m=70).svg()), ls.backward(program))

    assert faults() == []
    monkeypatch.setattr(module, "WIDENINGS", 0)
    assert (faults() == []) == (cell == "gru")
