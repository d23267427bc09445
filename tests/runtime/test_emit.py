"""Emission: kernels written by hand in the loop IR, run, and compared with NumPy; and the text they become."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from guarded import guarded
from reference import assert_same

from graphc.dtype import DType, bool_, dtype_of, float32, float64, int32, int64, uint8
from graphc.index import Ix, Var
from graphc.loop_builder import LoopBuilder, Reader
from graphc.loops import Buffer, Kernel, Store, Value
from graphc.op import TABLE
from graphc.runtime import jit, turned
from graphc.runtime.emit import emit_loops, slots, units
from graphc.runtime.llvmtext import Module
from graphc.runtime.panels import down_columns
from graphc.runtime.program import ERRORS

SIZES = (1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 50, 100)
_serial = iter(range(10**9))


class Run:
    """Runs a kernel on arrays; `status` is what it noted of an index error: check, position, value."""

    def __init__(self, kernel: Kernel, arrays: dict[Buffer, np.ndarray], pieces: int = 1) -> None:
        name = f"test_{next(_serial)}"
        module = Module(name)
        emit_loops(module, name, kernel)
        self.text = str(module)
        native = jit.compile_text([self.text, *turned.texts_for([self.text]), ERRORS], [name])
        status = np.zeros(8, np.int64)
        used = [arrays[b] for b in slots(kernel)]
        table = (ctypes.c_void_p * (len(used) + 1))(*(a.ctypes.data for a in used), status.ctypes.data)
        call = native.function(name, None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        count = units(kernel)
        cuts = [count * k // pieces for k in range(pieces + 1)]
        for begin, end in pairwise(cuts):
            call(ctypes.addressof(table), begin, end)
        self.failed, self.status = bool(status[1]), tuple(int(w) for w in status[3:6])


def computed(
    shape: Sequence[int], dtype: DType, inputs: Sequence[np.ndarray], body: Callable[..., Value], vector: bool = True,
    pieces: int = 1, folded: int | None = None,
) -> np.ndarray:
    """The array of `body(b, index, *readers)` over `shape`, its innermost loop across the lanes if `vector`.

    Args:
        folded: which of the loops is of rows that are folded sixteen at once, if any.
    """
    b = LoopBuilder()
    buffers = [Buffer(f"x{k}", dtype_of(a.dtype), a.size) for k, a in enumerate(inputs)]
    out = Buffer("out", dtype, int(np.prod(shape, dtype=int)))

    def reader(buffer: Buffer, array: np.ndarray) -> Reader:
        def read(index: Sequence[Any]) -> Value:
            return b.load(buffer, flat(index, array.shape))

        return Reader(array.shape, buffer.dtype, read)

    loops = tuple(b.var("i", n) for n in shape)
    index = [Ix.of(v) for v in loops]
    value = body(b, index, *(reader(x, a) for x, a in zip(buffers, inputs, strict=True)))
    kernel = Kernel("k", loops, (Store(out, flat(index, shape), value),), loops[-1] if vector and loops else None)
    kernel = replace(kernel, folded=None if folded is None else loops[folded])
    result = np.full(shape, 77, dtype.np)
    arrays = {**dict(zip(buffers, inputs, strict=True)), out: result}
    Run(kernel, arrays, pieces)
    return result


def flat(index: Sequence[Any], shape: Sequence[int]) -> Ix:
    place = Ix.of(0)
    for i, n in zip(index, shape, strict=True):
        place = place * n + Ix.of(i)
    return place


RNG = np.random.default_rng(5)
F = RNG.normal(size=(37, 41)).astype(np.float32)


# Loops and vectors


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8"])
def test_every_size_and_type(size: int, dtype: str) -> None:
    x = RNG.integers(0, 50, size).astype(dtype)
    for vector in (False, True):
        got = computed((size,), dtype_of(dtype), [x], lambda b, i, x: x(i) + b.const(3, x.dtype), vector)
        assert_same(got, x + x.dtype.type(3))


@pytest.mark.parametrize("size", SIZES)
def test_bools_are_bytes_in_memory(size: int) -> None:
    x, y = RNG.random(size) < 0.5, RNG.random(size) < 0.5
    for vector in (False, True):
        got = computed((size,), bool_, [x, y], lambda b, i, x, y: b.fn("xor", x(i), y(i)), vector)
        assert_same(got, x ^ y)
    assert set(np.frombuffer(got.tobytes(), np.uint8)) <= {0, 1}


@pytest.mark.parametrize("shape", [(3,), (5, 17), (2, 3, 33), (4, 1, 2, 5)])
def test_nests_of_any_depth_in_pieces(shape: tuple[int, ...]) -> None:
    x = RNG.normal(size=shape).astype(np.float32)
    for pieces in (1, 2, 3, 7):
        for vector in (False, True):
            got = computed(shape, float32, [x], lambda b, i, x: x(i) * x(i), vector, pieces)
            assert_same(got, x * x)


def test_no_loops() -> None:
    assert_same(computed((), float32, [np.array(3.0, np.float32)], lambda b, i, x: -x(i)), np.array(-3.0, np.float32))


@pytest.mark.parametrize("width", [1, 15, 16, 17, 40])
@pytest.mark.parametrize("height", [1, 3, 4, 16, 33, 64, 70])
def test_transposition_in_blocks(height: int, width: int) -> None:
    x = RNG.normal(size=(width, height)).astype(np.float32)
    for pieces in (1, 2, 3):
        got = computed((height, width), float32, [x], lambda b, i, x: x([i[1], i[0]]), pieces=pieces)
        assert_same(got, np.ascontiguousarray(x.T))


@pytest.mark.parametrize("width", [16, 40])
def test_what_crosses_is_turned_beside_what_is_read_otherwise(width: int) -> None:
    """As a normalisation's channels, two of which share what is read at half their number."""
    b, height = LoopBuilder(), 33
    x, y = RNG.normal(size=(width, height)).astype(np.float32), RNG.normal(size=width // 2).astype(np.float32)
    crossed, shared, out = (Buffer(name, float32, size) for name, size in (("x", x.size), ("y", y.size), ("o", x.size)))
    i, j = b.var("i", height), b.var("j", width)
    value = b.load(crossed, Ix.of(j) * height + Ix.of(i)) * b.load(shared, Ix.of(j) // 2)
    result = np.full((height, width), 77, np.float32)
    arrays = {crossed: x, shared: y, out: result}
    run = Run(Kernel("k", (i, j), (Store(out, Ix.of(i) * width + Ix.of(j), value),), j), arrays, pieces=2)
    assert_same(result, np.ascontiguousarray(x.T) * np.repeat(y, 2))
    assert run.text.count("shufflevector") > 60  # squares are turned
    assert "masked.gather" not in run.text  # nor is there one for what fills no square; pairs are near


@pytest.mark.parametrize("pieces", [1, 2, 5])
@pytest.mark.parametrize(("batch", "size"), [(10, 33), (20, 7), (16, 4), (35, 40)])
def test_batches_go_into_the_lanes_and_out_of_them_by_squares(batch: int, size: int, pieces: int) -> None:
    """Also the last sixteen, of which some do not exist."""
    blocks = -(-batch // 16)
    x = RNG.normal(size=(batch, size)).astype(np.float32)
    lanes = np.zeros((blocks * 16, size), np.float32)
    lanes[:batch] = x
    lanes = np.ascontiguousarray(lanes.reshape(blocks, 16, size).transpose(0, 2, 1))

    b = LoopBuilder()
    there, inside, back = Buffer("x", float32, x.size), Buffer("in", float32, lanes.size), Buffer("y", float32, x.size)
    block, at, lane = b.var("block", blocks), b.var("at", size), b.var("lane", 16)
    entry = Ix.of(block) * 16 + Ix.of(lane)
    value = b.inside([(entry, 0, batch)], lambda: b.load(there, entry * size + Ix.of(at)), b.const(0.0, float32))
    store = Store(inside, (Ix.of(block) * size + Ix.of(at)) * 16 + Ix.of(lane), value)
    got = np.full(lanes.shape, 77, np.float32)
    texts = [Run(Kernel("k", (block, at, lane), (store,), lane), {there: x, inside: got}, pieces).text]
    assert_same(got, lanes)

    row, at = b.var("row", batch), b.var("at", size)
    place = (Ix.of(row) // 16 * size + Ix.of(at)) * 16 + Ix.of(row) % 16
    store = Store(back, Ix.of(row) * size + Ix.of(at), b.load(inside, place) + b.const(1.0, float32))
    got = np.full(x.shape, 77, np.float32)
    texts.append(Run(Kernel("k", (row, at), (store,), at), {inside: lanes, back: got}, pieces).text)
    assert_same(got, x + np.float32(1))
    if size >= 16:
        assert not any("masked.gather" in text for text in texts)


@pytest.mark.parametrize("step", [2, 3, -1, 0])
def test_strided_reads(step: int) -> None:
    x = RNG.normal(size=200).astype(np.float32)
    start = 60 if step < 0 else 0
    got = computed((50,), float32, [x], lambda b, i, x: x([i[0] * step + start]))
    assert_same(got, x[np.arange(50) * step + start])


@pytest.mark.parametrize("step", [2, 3, 4, 5, -2])
@pytest.mark.parametrize("count", [1, 2, 16, 20, 39])
def test_strided_writes(step: int, count: int) -> None:
    """What lies between is left as it is."""
    b = LoopBuilder()
    x, out = Buffer("x", float32, count), Buffer("out", float32, 200)
    i = b.var("i", count)
    start = 1 if step > 0 else 199
    kernel = Kernel("k", (i,), (Store(out, Ix.of(i) * step + start, -b.load(x, Ix.of(i))),), i)
    source, result = RNG.normal(size=count).astype(np.float32), RNG.normal(size=200).astype(np.float32)
    wanted = result.copy()
    wanted[start + step * np.arange(count)] = -source
    Run(kernel, {x: source, out: result})
    assert_same(result, wanted)


def test_quotients_and_remainders_in_lanes() -> None:
    """Also of negative numbers, which round down."""
    for shift in (0, -50):


        def body(b: LoopBuilder, i: list[Ix], shift: int = shift) -> Value:
            place = i[0] + shift
            return b.position(place // 7) * b.const(1000, int64) + b.position(place % 7)

        got = computed((100,), int64, [], body)
        n = np.arange(100) + shift
        assert_same(got, n // 7 * 1000 + n % 7)


def test_several_stores_see_the_values_before() -> None:
    b = LoopBuilder()
    x, y = Buffer("x", float32, 33), Buffer("y", float32, 33)
    i = b.var("i", 33)
    at = Ix.of(i)
    stores = (Store(x, at, b.load(y, at) * b.const(2.0, float32)), Store(y, at, b.load(x, at)))
    one, two = RNG.normal(size=(2, 33)).astype(np.float32)
    wanted = two * 2, one.copy()
    Run(Kernel("k", (i,), stores, i), {x: one, y: two})
    assert_same(one, wanted[0])
    assert_same(two, wanted[1])


# Guards


@pytest.mark.parametrize("vector", [False, True])
@pytest.mark.parametrize("at_end", [False, True])
def test_guarded_loads_read_nothing_outside(vector: bool, at_end: bool) -> None:
    """The array stands between pages that may not be read."""
    count = 20
    x = guarded(RNG.normal(size=count).astype(np.float32), at_end)

    def body(b: LoopBuilder, i: list[Ix], x: Reader) -> Value:
        inner = i[0] - 5
        return b.inside([(inner, 0, count)], lambda: x([inner]), b.const(9.0, float32))

    got = computed((40,), float32, [x], body, vector)
    wanted = np.full(40, 9.0, np.float32)
    wanted[5:25] = x
    assert_same(got, wanted)
    assert_same(computed((count,), float32, [x], lambda b, i, x: x(i) + b.const(1, float32), vector), x + 1)


STEPS, COUNTS, KINDS = [-9, -3, -2, 2, 3, 4, 5, 7, 8, 9, 10], [2, 9, 16, 33], [float32, float64, bool_]


def spread_over(count: int, step: int, kind: DType, at_end: bool) -> tuple[np.ndarray, int]:
    """An array that just holds every so many elements, and which is the first."""
    last = (count - 1) * abs(step)
    values = RNG.integers(0 if kind.is_bool else -9, 2 if kind.is_bool else 99, last + 1)
    return guarded(values.astype(kind.np), at_end), 0 if step > 0 else last


@pytest.mark.parametrize("kind", KINDS, ids=lambda d: d.short)
@pytest.mark.parametrize("step", STEPS)
def test_strided_loads_read_nothing_outside(step: int, kind: DType) -> None:
    """Nor where a condition holds for some lanes only, or for none."""
    for count, at_end in product(COUNTS, (False, True)):
        x, start = spread_over(count, step, kind, at_end)
        wanted = x[start + step * np.arange(count)]
        got = computed((count,), kind, [x], lambda b, i, x, start=start: x([i[0] * step + start]))
        assert_same(got, wanted)

        def within(b: LoopBuilder, i: list[Ix], x: Reader, start: int = start, count: int = count) -> Value:
            """Of a longer loop, those elements that there are."""
            place = i[0] - 3
            return b.inside([(place, 0, count)], lambda: x([place * step + start]), b.const(1, kind))

        got = computed((count + 21,), kind, [x], within)
        assert_same(got, np.concatenate([np.ones(3, kind.np), wanted, np.ones(18, kind.np)]))


@pytest.mark.parametrize("kind", KINDS, ids=lambda d: d.short)
@pytest.mark.parametrize("step", STEPS)
def test_strided_stores_write_nothing_outside_nor_between(step: int, kind: DType) -> None:
    """Values of which each lies between the elements of the others, in any order; or places between are left out."""
    for between, count, at_end in product(sorted({1, 2, abs(step)}), COUNTS, (False, True)):
        places = RNG.permutation(abs(step))[:between]
        last = (count - 1) * abs(step)
        old = RNG.integers(0, 2, last + int(places.max()) + 1).astype(kind.np)
        result, start = guarded(old, at_end), 0 if step > 0 else last
        x = guarded(RNG.integers(0, 2, (between, count)).astype(kind.np), at_end)
        b = LoopBuilder()
        source, out = Buffer("x", kind, x.size), Buffer("out", kind, result.size)
        i = b.var("i", count)
        stores = tuple(
            Store(out, Ix.of(i) * step + (start + int(place)), b.load(source, Ix.of(i) + number * count))
            for number, place in enumerate(places)
        )
        Run(Kernel("k", (i,), stores, i), {source: x, out: result})
        wanted = old.copy()
        for number, place in enumerate(places):
            wanted[start + int(place) + step * np.arange(count)] = x[number]
        assert_same(result, wanted)


@pytest.mark.parametrize("kind", KINDS, ids=lambda d: d.short)
@pytest.mark.parametrize("row", [8, 17, 36])
def test_pairs_of_pixels_of_short_rows_are_written_together(row: int, kind: DType) -> None:
    """Four pairs in each row; of what lies between rows nothing is touched, however far they are apart."""
    for count, at_end in product((4, 16, 19, 32), (False, True)):
        i, at = Var("i", count), np.arange(count)
        first = at % 4 * 2 + at // 4 * row
        old = RNG.integers(0, 2, int(first.max()) + 2).astype(kind.np)
        result, x = guarded(old, at_end), guarded(RNG.integers(0, 2, (2, count)).astype(kind.np), at_end)
        b = LoopBuilder()
        source, out = Buffer("x", kind, x.size), Buffer("out", kind, result.size)
        place = Ix.of(i) % 4 * 2 + Ix.of(i) // 4 * row
        stores = tuple(Store(out, place + n, b.load(source, Ix.of(i) + n * count)) for n in (0, 1))
        Run(Kernel("k", (i,), stores, i), {source: x, out: result})
        wanted = old.copy()
        wanted[first], wanted[first + 1] = x
        assert_same(result, wanted)


@pytest.mark.parametrize("kind", KINDS, ids=lambda d: d.short)
@pytest.mark.parametrize("row", [17, 20, 46, 200])
def test_rows_that_begin_within_vectors_are_read_by_two_loads(row: int, kind: DType) -> None:
    """What is the same in a row, and what is the same in all rows; beside the arrays nothing is read."""
    for count, shift, step, at_end in product((9, 33, 210), (0, 5, -row), (1, 3), (False, True)):
        i, at = Var("i", count), shift + step * np.arange(count)
        by_row, place = at // row + (shift < 0), at % row
        rows, columns = (
            guarded(RNG.integers(0, 2, int(index.max()) + 1).astype(kind.np), at_end) for index in (by_row, place)
        )
        b = LoopBuilder()
        x, y, z = Buffer("x", kind, rows.size), Buffer("y", kind, columns.size), Buffer("z", kind, 2 * count)
        along = Ix.of(i) * step + shift
        stores = (
            Store(z, Ix.of(i), b.load(x, along // row + int(shift < 0))),
            Store(z, Ix.of(i) + count, b.load(y, along % row)),
        )
        result = np.full(2 * count, 7).astype(kind.np)
        run = Run(Kernel("k", (i,), stores, i), {x: rows, y: columns, z: result})
        assert_same(result, np.concatenate([rows[by_row], columns[place]]))
        if step == 1:
            assert "masked.gather" not in run.text


def strided(step: int, places: int, turned: bool = False) -> str:
    """The text of a kernel that puts values so many elements apart, or reads them there, a vector of each place."""
    b, i = LoopBuilder(), Var("i", 32)
    x, out = Buffer("x", float32, 32 * step), Buffer("out", float32, 32 * step)
    near, far = Ix.of(i), Ix.of(i) * step
    stores = tuple(
        Store(out, far + n, b.load(x, near + 32 * n)) if not turned else Store(out, near + 32 * n, b.load(x, far + n))
        for n in range(places)
    )
    return Run(Kernel("k", (i,), stores, i), {v: np.zeros(32 * step, np.float32) for v in (x, out)}).text


def test_lanes_that_are_near_are_moved_by_whole_vectors() -> None:
    """What is read up to nine apart, as filters of 3 x 3 are; what is written so where all that lies between is too."""
    for step in range(2, 12):
        assert ("masked.gather" in strided(step, 1, turned=True)) == (step > 9)
        assert ("masked.scatter" in strided(step, 1)) == (step > 4)
        between = strided(step, step)
        assert ("masked.scatter" in between) == (step > 9) and "masked.store" not in between


@pytest.mark.parametrize("step", [3, 5, 7, 9])
def test_odd_steps_are_read_by_blends_and_one_permutation(step: int) -> None:
    masks = [
        [int(lane) for lane in re.findall(r"i32 (\d+)", line.rsplit("<", 1)[1])]
        for line in strided(step, 1, turned=True).splitlines() if "shufflevector" in line
    ]  # fmt: skip
    *blends, last = masks
    assert len(blends) == step - 1 and all(lane % 16 == at for mask in blends for at, lane in enumerate(mask))
    assert sorted(last) == list(range(16))


# Reductions


@pytest.mark.parametrize("size", [0, *SIZES])
@pytest.mark.parametrize("kind", ["sum", "prod", "max", "min"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8"])
def test_reductions_give_the_same_along_and_across_lanes(size: int, kind: str, dtype: str) -> None:
    x = (RNG.normal(size=(19, size)) if dtype.startswith("f") else RNG.integers(0, 4, (19, size))).astype(dtype)

    def along(b: LoopBuilder, i: list[Ix], x: Reader) -> Value:
        return getattr(b, kind)(size, lambda k: x([i[0], k]))

    def across(b: LoopBuilder, i: list[Ix], x: Reader) -> Value:
        return getattr(b, kind)(size, lambda k: x([k, i[0]]))

    kept = dtype_of(dtype)
    results = [
        computed((19,), kept, [x], along, vector=False), computed((19,), kept, [x], along, vector=True),
        computed((19,), kept, [np.ascontiguousarray(x.T)], across, vector=True),
        computed((19,), kept, [np.ascontiguousarray(x.T)], across, vector=False),
    ]  # fmt: skip
    for result in results[1:]:
        assert_same(result, results[0])
    if size or kind in ("sum", "prod"):
        wanted = getattr(np, kind)(x, 1, dtype=dtype) if kind in ("sum", "prod") else getattr(np, kind)(x, 1)
        np.testing.assert_allclose(results[0], wanted, rtol=1e-5, atol=1e-5)


def defined_sum(x: np.ndarray) -> np.floating[Any]:
    """Sixteen partial sums over k mod 16, folded by halves."""
    lanes = np.zeros(16, x.dtype)
    for k, value in enumerate(x):
        lanes[k % 16] += value
    while lanes.size > 1:
        lanes = lanes[: lanes.size // 2] + lanes[lanes.size // 2 :]
    return lanes[0]


@pytest.mark.parametrize("size", SIZES)
def test_sums_have_the_order_that_is_defined(size: int) -> None:
    x = (RNG.normal(size=(3, size)) * 10.0 ** RNG.integers(-4, 5, (3, size))).astype(np.float32)
    got = computed((3,), float32, [x], lambda b, i, x: b.sum(size, lambda k: x([i[0], k])))
    assert_same(got, np.array([defined_sum(row) for row in x]))


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 8, 11])
@pytest.mark.parametrize("size", [15, 16, 31, 32, 33, 50, 100])
def test_sums_that_need_sums_have_it_too(rows: int, size: int) -> None:
    """The second needs the first, as of a normalisation; in pieces that end anywhere."""
    x = (RNG.normal(size=(rows, size)) * 10.0 ** RNG.integers(-2, 3, (rows, size))).astype(np.float32)

    def body(b: LoopBuilder, i: list[Ix], x: Reader) -> Value:
        mean = b.sum(size, lambda k: x([i[0], k])) / b.const(size, float32)
        return b.sum(size, lambda k: (x([i[0], k]) - mean) * (x([i[0], k]) - mean)) * x(i)

    means = np.array([defined_sum(row) for row in x]) / np.float32(size)
    spread = np.array([defined_sum(row) for row in (x - means[:, None]) * (x - means[:, None])])
    for pieces in (1, 2, 3):
        assert_same(computed((rows, size), float32, [x], body, pieces=pieces), spread[:, None] * x)


ROWS = [1, 5, 16, 33]


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("kind", ["sum", "prod", "max", "min", "argmax", "argmin"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8"])
def test_rows_folded_at_once_are_what_each_is_alone(rows: int, kind: str, dtype: str) -> None:
    for size in (1, 10, 16, 40):
        x = (RNG.normal(size=(rows, size)) if dtype[0] == "f" else RNG.integers(0, 9, (rows, size))).astype(dtype)
        if dtype[0] == "f":
            x[::3, size // 2] = np.nan

        def body(b: LoopBuilder, i: list[Ix], x: Reader, kind: str = kind, size: int = size) -> Value:
            return getattr(b, kind)(size, lambda k: x([i[0], k]))

        kept = int64 if kind.startswith("arg") else dtype_of(dtype)
        alone = computed((rows,), kept, [x], body, vector=False)
        for pieces in (1, 3):
            assert_same(computed((rows,), kept, [x], body, vector=False, pieces=pieces, folded=0), alone)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("size", [3, 16, 37])
def test_rows_whose_reductions_need_one_another_are_folded_in_steps(rows: int, size: int) -> None:
    """As of a softmax; with a factor and a flag for each row, and a place that is read from memory."""
    x = RNG.normal(size=(2, rows, size)).astype(np.float32)
    factor, flag = RNG.normal(size=rows).astype(np.float32), RNG.random(rows) < 0.5
    place = RNG.integers(0, size, rows).astype(np.int32)

    def body(b: LoopBuilder, i: list[Ix], x: Reader, factor: Reader, flag: Reader, place: Reader) -> Value:
        most = b.max(size, lambda k: x([i[0], i[1], k]))
        total = b.sum(size, lambda k: b.fn("exp", x([i[0], i[1], k]) - most)) * factor([i[1]])
        one = x([i[0], i[1], b.gathered(place, [i[1]], size)])
        return b.select(flag([i[1]]), b.fn("log", total) - x(i), one + most) + b.fn("exp", x(i) - most) / total

    arrays = [x, factor, flag, place]
    alone = computed(x.shape, float32, arrays, body)
    for pieces in (1, 2):
        assert_same(computed(x.shape, float32, arrays, body, pieces=pieces, folded=1), alone)
    best = x.max(-1, keepdims=True)
    total = np.exp(x - best).sum(-1, keepdims=True) * factor[:, None]
    there = np.take_along_axis(x, np.broadcast_to(place[:, None], (2, rows, 1)), -1) + best
    with np.errstate(invalid="ignore"):
        wanted = np.where(flag[:, None], np.log(total) - x, there) + np.exp(x - best) / total
    np.testing.assert_allclose(alone, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("at_end", [False, True])
def test_rows_that_are_folded_read_and_write_nothing_outside(at_end: bool) -> None:
    """The last ones are fewer than sixteen, and so is what each has one of."""
    for rows, size in product((1, 7, 17), (5, 20)):
        x = guarded(RNG.normal(size=(rows, size)).astype(np.float32), at_end)
        shift, out = (guarded(RNG.normal(size=rows).astype(np.float32), at_end) for _ in range(2))
        b = LoopBuilder()
        buffers = [Buffer(name, float32, a.size) for name, a in (("x", x), ("shift", shift), ("out", out))]
        i = b.var("i", rows)
        most = b.max(size, lambda k, i=i, b=b, x=buffers[0], size=size: b.load(x, Ix.of(i) * size + k))
        kernel = Kernel("k", (i,), (Store(buffers[2], Ix.of(i), most + b.load(buffers[1], Ix.of(i))),), folded=i)
        Run(kernel, dict(zip(buffers, (x, shift, out), strict=True)))
        assert_same(out, x.max(1) + shift)


def defined_sums(x: np.ndarray) -> np.ndarray:
    """The sums over the first axis, in the order that is defined."""
    lanes = np.zeros((16, *x.shape[1:]), x.dtype)
    for k, row in enumerate(x):
        lanes[k % 16] += row
    while len(lanes) > 1:
        lanes = lanes[: len(lanes) // 2] + lanes[len(lanes) // 2 :]
    return lanes[0]


@pytest.mark.parametrize("columns", [1, 2, 3, 7, 10, 15, 16, 40, 200])
@pytest.mark.parametrize("terms", [17, 31, 32, 33, 63, 64, 65, 100])
def test_sums_down_columns_have_the_order_that_is_defined(columns: int, terms: int) -> None:
    """Few columns by vectors of several rows, few terms in registers, others in panels; and one that needs another."""
    x = (RNG.normal(size=(2, terms, columns)) * 10.0 ** RNG.integers(-2, 3, (2, terms, columns))).astype(np.float32)
    scale = RNG.normal(size=columns).astype(np.float32)
    place = RNG.integers(0, terms, (2, terms)).astype(np.int32)

    def summed(b: LoopBuilder, i: list[Ix], x: Reader, scale: Reader, place: Reader) -> Value:
        return b.sum(terms, lambda k: x([i[0], k, i[1]]) * scale([i[1]]))

    def centred(b: LoopBuilder, i: list[Ix], x: Reader, scale: Reader, place: Reader) -> Value:
        mean = b.sum(terms, lambda k: x([i[0], k, i[1]])) / b.const(terms, float32)
        return b.sum(terms, lambda k: (x([i[0], k, i[1]]) - mean) * (x([i[0], k, i[1]]) - mean))

    def looked_up(b: LoopBuilder, i: list[Ix], x: Reader, scale: Reader, place: Reader) -> Value:
        return b.sum(terms, lambda k: x([i[0], b.gathered(place, [i[0], k], terms), i[1]]))

    def greatest(b: LoopBuilder, i: list[Ix], x: Reader, scale: Reader, place: Reader) -> Value:
        return b.max(terms, lambda k: x([i[0], k, i[1]]))

    inputs = [x, scale, place]
    means = np.array([defined_sums(one) for one in x]) / np.float32(terms)
    spread = x - means[:, None]
    wanted = {
        summed: [defined_sums(one * scale) for one in x], centred: [defined_sums(one * one) for one in spread],
        looked_up: [defined_sums(one[at]) for one, at in zip(x, place, strict=True)], greatest: [*x.max(1)],
    }  # fmt: skip
    for body, sums in wanted.items():
        for pieces in (1, 2):
            assert_same(computed((2, columns), float32, inputs, body, pieces=pieces), np.array(sums))


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("columns", [1, 3, 10, 15])
def test_sums_of_few_columns_read_nothing_outside(columns: int, at_end: bool) -> None:
    x = guarded(RNG.normal(size=(37, columns)).astype(np.float32), at_end)
    got = computed((columns,), float32, [x], lambda b, i, x: b.sum(37, lambda k: x([k, i[0]])))
    assert_same(got, defined_sums(x))


@pytest.mark.parametrize("length", [1, 3, 4, 10, 16, 30, 48, 50])
@pytest.mark.parametrize("kind", ["sum", "prod", "max"])
def test_sums_of_all_that_is_looked_up_go_row_by_row(length: int, kind: str) -> None:
    """A row begins in any lane; what is beside it may be nobody's, and a place that is wrong is told as it is."""
    table = guarded((RNG.normal(size=(9, length)) * 2).astype(np.float32), at_end=True)
    place, factor = RNG.integers(0, 9, 21).astype(np.int32), RNG.normal(size=(21, length)).astype(np.float32)
    size = 21 * length

    def body(b: LoopBuilder, i: list[Ix], table: Reader, place: Reader, factor: Reader) -> Value:
        def one(k: Ix) -> Value:
            row = b.gathered(place, [k // length], 9)
            return table([row, k % length]) * factor([k // length, k % length])

        return getattr(b, kind)(size, one)

    got = computed((), float32, [table, place, factor], body)
    terms = (table[place] * factor).reshape(-1)
    if kind == "sum":
        assert_same(got, np.array(defined_sum(terms)))
    else:
        np.testing.assert_allclose(got, getattr(np, kind)(terms), rtol=1e-4)


@pytest.mark.parametrize("length", [3, 10, 16, 33])
def test_sums_of_what_is_repeated_go_row_by_row(length: int) -> None:
    x = RNG.normal(size=(7, length)).astype(np.float32)

    def body(b: LoopBuilder, i: list[Ix], x: Reader) -> Value:
        return b.sum(21 * length, lambda k: x([k // (3 * length), k % length]))

    assert_same(computed((), float32, [x], body), np.array(defined_sum(np.repeat(x, 3, 0).reshape(-1))))


@pytest.mark.parametrize("tail", [2, 6, 8, 10, 12, 14])
def test_no_vector_is_expanded_to_leave_lanes_out_of_a_sum(tail: int) -> None:
    """`vexpandpd` is what LLVM likes for an even number of lanes, and takes 35 cycles on Zen 4."""
    b = LoopBuilder()
    x, y = Buffer("x", float32, 5 * tail), Buffer("y", float32, 5)
    i = b.var("i", 5)
    module = Module("tail")
    sums = b.sum(tail, lambda k: b.load(x, Ix.of(i) * tail + k) * b.const(2.0, float32))
    emit_loops(module, "tail", Kernel("k", (i,), (Store(y, Ix.of(i), sums),)))
    assert "expand" not in jit.assembly(str(module))


def test_at_most_eight_sums_down_columns_step_together() -> None:
    """Partial results of more would leave the first-level cache."""
    arrays = RNG.normal(size=(20, 40, 1024)).astype(np.float32)
    b = LoopBuilder()
    buffers, out = [Buffer(f"x{n}", float32, 40 * 1024) for n in range(20)], Buffer("out", float32, 20 * 1024)
    i = b.var("i", 1024)
    stores = tuple(
        Store(out, Ix.of(i) + 1024 * n, b.sum(40, lambda k, x=x: b.load(x, k * 1024 + Ix.of(i))))
        for n, x in enumerate(buffers)
    )
    kernel, result = Kernel("k", (i,), stores, i), np.zeros((20, 1024), np.float32)
    assert [len(together) for together in down_columns(kernel, i)] == [8, 8, 4]
    Run(kernel, {**dict(zip(buffers, arrays)), out: result})
    folded = np.zeros((20, 16, 1024), np.float32)
    for k in range(40):
        folded[:, k % 16] += arrays[:, k]
    while folded.shape[1] > 1:
        half = folded.shape[1] // 2
        folded = folded[:, :half] + folded[:, half:]
    assert_same(result, folded[:, 0])


def test_rows_whose_lines_meet_in_one_set_are_not_read_across() -> None:
    """Those are reduced in panels; others sixteen at once, with partial results in registers."""
    for columns, panels in ((1000, 0), (1024, 1)):
        b = LoopBuilder()
        x, i = Buffer("x", float32, 40 * columns), b.var("i", columns)
        total = b.sum(40, lambda k, x=x, i=i, b=b, n=columns: b.load(x, k * n + Ix.of(i)))
        assert len(down_columns(Kernel("k", (i,), (Store(x, Ix.of(i), total),), i), i)) == panels


def test_bool_reductions() -> None:
    x = RNG.random((40, 21)) < 0.9
    for vector in (False, True):
        assert_same(computed((40,), bool_, [x], lambda b, i, x: b.all(21, lambda k: x([i[0], k])), vector), x.all(1))
        assert_same(computed((40,), bool_, [x], lambda b, i, x: b.any(21, lambda k: x([i[0], k])), vector), x.any(1))
    rare = RNG.random((40, 12)) < 0.03
    for columns in (3, 12):
        few = np.ascontiguousarray(rare[:, :columns])
        assert_same(computed((columns,), bool_, [few], lambda b, i, x: b.any(40, lambda k: x([k, i[0]]))), few.any(0))
    for folded in (None, 0):
        got = computed((40,), bool_, [rare], lambda b, i, x: b.any(12, lambda k: x([i[0], k])), False, folded=folded)
        assert_same(got, rare.any(1))


@pytest.mark.parametrize("size", [1, 3, 16, 17, 40])
@pytest.mark.parametrize("kind", ["argmax", "argmin"])
def test_positions_of_extremes(size: int, kind: str) -> None:
    x = RNG.integers(0, 3, (23, size)).astype(np.float32)
    x[::4, size // 2] = np.nan
    x[1, :] = -np.inf
    x[2, :] = np.inf
    wanted = getattr(np, kind)(x, 1)
    turned = np.ascontiguousarray(x.T)
    for vector in (False, True):
        along = computed((23,), int64, [x], lambda b, i, x: getattr(b, kind)(size, lambda k: x([i[0], k])), vector)
        across = computed(
            (23,), int64, [turned], lambda b, i, x: getattr(b, kind)(size, lambda k: x([k, i[0]])), vector
        )
        assert_same(along, wanted)
        assert_same(across, wanted)


def test_reductions_of_reductions() -> None:
    x = RNG.normal(size=(5, 6, 7)).astype(np.float32)

    def body(b: LoopBuilder, i: list[Ix], x: Reader) -> Value:
        return b.max(6, lambda j: b.sum(7, lambda k: x([i[0], j, k])) * b.const(2.0, float32))

    wanted = np.array([[defined_sum(row) for row in rows] for rows in x]).max(1) * np.float32(2)
    for vector in (False, True):
        assert_same(computed((5,), float32, [x], body, vector), wanted)


def test_contractions_are_chains_of_fused_multiply_adds() -> None:
    x, y = RNG.normal(size=(7, 19)).astype(np.float32), RNG.normal(size=(19, 21)).astype(np.float32)

    def body(b: LoopBuilder, i: list[Ix], x: Reader, y: Reader) -> Value:
        return b.contract((19,), lambda k: (x([i[0], k]), y([k, i[1]])))

    wanted = np.zeros((7, 21), np.float32)
    for k in range(19):  # one rounding for each step: exact in double
        wanted = (x[:, k, None].astype(np.float64) * y[k].astype(np.float64) + wanted).astype(np.float32)
    for vector in (False, True):
        np.testing.assert_array_almost_equal_nulp(computed((7, 21), float32, [x, y], body, vector), wanted, 1)
    assert_same(computed((7, 21), float32, [x, y], body, True), computed((7, 21), float32, [x, y], body, False))


def test_what_loops_do_not_change_is_computed_before_them() -> None:
    """A total over everything costs once, not once for each element."""
    b = LoopBuilder()
    x, out = Buffer("x", float32, 64), Buffer("out", float32, 64)
    i, j = b.var("i", 8), b.var("j", 8)
    total = b.sum(64, lambda k: b.load(x, k))
    row = b.sum(8, lambda k: b.load(x, Ix.of(i) * 8 + k))
    at = Ix.of(i) * 8 + Ix.of(j)
    run = Run(
        Kernel("k", (i, j), (Store(out, at, b.load(x, at) / total + row),), j),
        {x: np.ones(64, np.float32), out: np.zeros(64, np.float32)},
    )
    before = run.text.split("phi i64 [ %begin")[0]
    assert before.count("fadd") >= 4 and "fdiv" not in before  # the total and its fold; no element


def test_the_last_block_of_a_batch_is_written_by_itself() -> None:
    """Whether an entry exists is then known as the kernel is written: the others have no condition at all."""
    b = LoopBuilder()
    x, out = Buffer("x", float32, 3 * 5 * 16), Buffer("out", float32, 3 * 5 * 16)
    block, row, lane = b.var("block", 3), b.var("row", 5), b.var("lane", 16)
    entry, at = Ix.of(block) * 16 + Ix.of(lane), Ix.of(block) * 80 + Ix.of(row) * 16 + Ix.of(lane)
    value = b.inside([(entry, 0, 40)], lambda: b.load(x, at) + b.const(1.0, float32), b.const(0.0, float32))
    data, result = np.arange(240, dtype=np.float32), np.full(240, 77, np.float32)
    run = Run(Kernel("k", (block, row, lane), (Store(out, at, value),), lane), {x: data, out: result}, pieces=2)
    assert "icmp" not in "".join(line for line in run.text.splitlines() if "<16 x" in line)
    wanted = (data + 1).reshape(3, 5, 16)
    wanted[2, :, 8:] = 0
    assert_same(result.reshape(3, 5, 16), wanted)


@pytest.mark.parametrize("lane_first", [False, True])
def test_loops_of_few_steps_are_written_without_a_loop(lane_first: bool) -> None:
    """A window's pixels are told apart by which one they are: a constant, and what all read is read once."""
    b = LoopBuilder()
    at, ct, out = Buffer("at", int32, 3 * 7 * 16), Buffer("ct", float32, 3 * 7 * 16), Buffer("out", float32, 3 * 7 * 32)
    block, pixel, own, lane = b.var("block", 3), b.var("pixel", 7), b.var("own", 2), b.var("lane", 16)
    place = Ix.of(block) * 112 + Ix.of(pixel) * 16 + Ix.of(lane)
    mine = b.fn("eq", b.load(at, place), b.cast(b.position(Ix.of(own)), int32))
    value = b.select(mine, b.load(ct, place), b.const(0.0, float32))
    loops = (block, pixel, lane, own) if lane_first else (block, pixel, own, lane)
    store = Store(out, Ix.of(block) * 224 + Ix.of(pixel) * 32 + Ix.of(own) * 16 + Ix.of(lane), value)
    which, data = RNG.integers(0, 2, (3, 7, 1, 16)).astype(np.int32), RNG.normal(size=(3, 7, 1, 16)).astype(np.float32)
    result = np.full((3, 7, 2, 16), 77, np.float32)
    run = Run(Kernel("k", loops, (store,), lane), {at: which, ct: data, out: result}, pieces=2)
    assert_same(result, np.where(which == np.arange(2)[:, None], data, np.float32(0)))
    assert run.text.count("phi i64") == 2
    assert run.text.count("= load <16 x") == (2 if lane_first else 4)


# Indices that are data


@pytest.mark.parametrize("vector", [False, True])
def test_gathers_and_their_checks(vector: bool) -> None:
    table = RNG.normal(size=9).astype(np.float32)
    for at in (np.arange(40) % 9, np.full(40, 8)):
        got = computed((40,), float32, [table, at], lambda b, i, t, at: t([b.gathered(at, i, 9)]), vector)
        assert_same(got, table[at])


@pytest.mark.parametrize("bad", [0, 7, 15, 16, 32, 39])
@pytest.mark.parametrize("vector", [False, True])
def test_the_first_index_out_of_range_is_noted(bad: int, vector: bool) -> None:
    b = LoopBuilder()
    table, index, out = Buffer("t", float32, 9), Buffer("i", int32, 40), Buffer("out", float32, 40)
    i = b.var("i", 40)
    reader = Reader((40,), int32, lambda at: b.load(index, Ix.of(at[0])))
    value = b.load(table, b.gathered(reader, [Ix.of(i)], 9))
    at = np.zeros(40, np.int32)
    at[bad:] = 20 + np.arange(40 - bad)
    arrays = {table: np.ones(9, np.float32), index: at, out: np.zeros(40, np.float32)}
    for pieces in (1, 2):
        run = Run(Kernel("k", (i,), (Store(out, Ix.of(i), value),), i if vector else None), arrays, pieces)
        assert run.failed and run.status == (0, bad, 20)


def test_a_negative_index_is_out_of_range() -> None:
    b = LoopBuilder()
    table, index, out = Buffer("t", float32, 9), Buffer("i", int64, 3), Buffer("out", float32, 3)
    i = b.var("i", 3)
    reader = Reader((3,), int64, lambda at: b.load(index, Ix.of(at[0])))
    kernel = Kernel("k", (i,), (Store(out, Ix.of(i), b.load(table, b.gathered(reader, [Ix.of(i)], 9))),), i)
    arrays = {table: np.ones(9, np.float32), index: np.array([0, -1, -(2**63)]), out: np.zeros(3, np.float32)}
    assert Run(kernel, arrays).status == (0, 1, -1)


# Casts


@pytest.mark.parametrize("source", [float32, float64, int32, int64, uint8, bool_], ids=lambda d: d.short)
@pytest.mark.parametrize("target", [float32, float64, int32, int64, uint8, bool_], ids=lambda d: d.short)
def test_casts(source: DType, target: DType) -> None:
    edges = [0.0, -0.0, 0.5, -0.9, 1.0, -1.0, 2.5, 255.0, 255.9, 256.0, 300.0, -300.0, 2.0**31, -(2.0**31), 2.0**33]
    floats = np.array([*edges, 2.0**63, 1e30, np.inf, -np.inf, np.nan])
    whole = np.array([0, 1, -1, 127, 128, 255, 256, 2**31 - 1, -(2**31), 2**31, 2**53 + 1, 2**63 - 1, -(2**63)])
    with np.errstate(all="ignore"):
        x = np.array([True, False]) if source.is_bool else (floats if source.is_float else whole).astype(source.np)
        wanted = np.asarray(TABLE["cast"].meaning(x, dtype=target), target.np)
    x = np.tile(x, 3)
    for vector in (False, True):
        assert_same(computed(x.shape, target, [x], lambda b, i, x: b.cast(x(i), target), vector), np.tile(wanted, 3))


# Text


def test_equal_kernels_are_equal_text() -> None:
    def text() -> str:
        b = LoopBuilder()
        x, out = Buffer("x", float32, 50), Buffer("out", float32, 50)
        i = b.var("i", 50)
        module = Module("kernel")
        emit_loops(module, "kernel", Kernel("k", (i,), (Store(out, Ix.of(i), b.fn("exp", b.load(x, Ix.of(i)))),), i))
        return str(module)

    assert text() == text()
    assert "alignstack(64)" in text()  # or how fast a kernel is would depend on where its caller's stack ends


def test_units() -> None:
    b = LoopBuilder()
    out = Buffer("out", float32, 200)
    i, j = Var("i", 50), Var("j", 4)
    store = (Store(out, Ix.of(i) * 4 + Ix.of(j), b.const(0.0, float32)),)
    assert units(Kernel("k", (i, j), store, j)) == 50 and units(Kernel("k", (i,), store, i)) == 4
    assert units(Kernel("k", (), store)) == 1
