"""What conditions on indices are at a place: of all lanes together, lane by lane, or not known."""

import itertools

import pytest

from graphc import dtype
from graphc.index import Ix, Var
from graphc.known import Known
from graphc.loop_builder import LoopBuilder
from graphc.loops import Value

WIDTH = 16


def condition(name: str, ix: Ix, bound: int) -> Value:
    b = LoopBuilder()
    return b.fn(name, b.position(ix), b.const(bound, dtype.int64))


def places() -> list[tuple[Known, Ix, Var]]:
    """Places in a loop whose vectors hold pixels of an image 8 wide, and a tap of a window of 3 x 3 there."""
    pixel, block, tap = Var("pixel", 64), Var("block", 4), Var("tap", 9)
    found = []
    for first, k in itertools.product((Ix.of(pixel), Ix.of(block) * 16, Ix.of(16)), range(9)):
        known = Known().also(tap, Ix.of(k)).across(pixel, first, WIDTH)
        for ix in (Ix.of(pixel) % 8 - Ix.of(tap) % 3 + 1, Ix.of(pixel) // 8 - Ix.of(tap) // 3 + 1, Ix.of(pixel) - 3):
            found.append((known, ix, pixel))
    return found


@pytest.mark.parametrize("bound", (0, 8))
@pytest.mark.parametrize("name", ("ge", "lt"))
def test_a_condition_is_what_it_is_in_every_lane(name: str, bound: int) -> None:
    decided = set()
    for known, ix, _ in places():
        truth = known.truth(condition(name, ix, bound))
        each = []
        for lane in known.lanes(ix):
            low, high = lane.bounds
            each.append((low >= bound) == (name == "ge") if low >= bound or high < bound else None)
        if truth is None:
            assert None in each
        else:
            assert each in (list(truth), [truth[0]] * WIDTH)
        decided.add(truth if truth is None else len(truth))
    assert decided == {None, 1, WIDTH}
