"""Hand-made kernels: each, run in two parts in either order, computes the meaning of the op that asks for it."""

import ctypes

import numpy as np
import pytest
from guarded import guarded
from reference import assert_same

import graphc.compiler  # noqa: F401 (fills the table; the passes have ops of their own)
from graphc.dtype import ALL, dtype_of, float32, float64, int32, int64, uint8
from graphc.ir import TensorType
from graphc.op import TABLE
from graphc.runtime import jit, sort_merge, sorting
from graphc.runtime.handmade import KERNELS
from graphc.runtime.llvmtext import Module, i64
from graphc.runtime.sort_network import RUN
from graphc.runtime.work import Work

NUMBERS = (float32, float64, int32, int64, uint8)


def type_of(array):
    return TensorType(array.shape, dtype_of(array.dtype))


def run(name, /, *arrays, **attrs):
    """The kernel's result, and what it reported: (position, value) pairs."""
    op, kernel = TABLE[name], KERNELS[name]
    types = [type_of(a) for a in arrays]
    type_ = op.infer(*types, **attrs)
    module = Module("test")
    b = module.function("kernel", [("ptr", "args"), ("i64", "begin"), ("i64", "end")])
    args, begin, end = b.args
    *operands, result, reports = (b.load(b.gep(args, i, "ptr"), "ptr") for i in range(len(arrays) + 2))

    def fail(cond, position, value):
        with b.when(cond):  # reports[0] counts; then come the pairs
            count = b.load(reports, "i64")
            at = b.add(b.mul(count, 2), 1)
            b.store(position, b.gep(reports, at, "i64"))
            b.store(value, b.gep(reports, b.add(at, 1), "i64"))
            b.store(b.add(count, i64(1)), reports)

    kernel.emit(Work(b, operands, result, types, type_, attrs, begin, end, fail))
    b.ret()
    native = jit.compile_text([str(module)], ["kernel"])
    call = native.function("kernel", None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    arrays = [guarded(a, at_end=True) for a in arrays]
    out = guarded(np.full(type_.shape, 77).astype(type_.dtype.np), at_end=True)
    reported = np.zeros(64, np.int64)
    table = np.array([a.ctypes.data for a in (*arrays, out, reported)], np.int64)
    units = kernel.units(types, type_, attrs)
    for part in ((units // 2, units), (0, units // 2)):
        call(table.ctypes.data, *part)
    pairs = [(int(p), int(v)) for p, v in reported[1 : 1 + 2 * reported[0]].reshape(-1, 2)]
    return out, pairs


def numbers(rng, shape, dtype, scale=30.0):
    return np.ascontiguousarray((rng.normal(size=shape) * scale).astype(dtype.np))


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_every_kernel_that_an_op_asks_for_is_there_and_is_asked_for():
    assert {op.kernel for op in TABLE.values() if op.kernel} == {*KERNELS, "scan"}, "a loop is written around its body"


@pytest.mark.parametrize(("dtype", "together"), [(int32, True), (int64, True), (float32, False)], ids=str)
def test_integers_of_a_row_are_added_sixteen_at_a_time(dtype, together, rng, monkeypatch):
    texts = []
    compile_text = jit.compile_text
    monkeypatch.setattr(jit, "compile_text", lambda made, names: (texts.extend(made), compile_text(made, names))[1])
    x = rng.integers(np.iinfo(np.int32).min, np.iinfo(np.int32).max, (3, 101)).astype(dtype.np)
    result, _ = run("cumsum", x, axis=1)
    np.testing.assert_array_equal(result, TABLE["cumsum"].meaning(x, axis=1))
    assert ("shufflevector" in texts[0]) is together


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_scans(name, dtype, rng):
    whole = [((5,), 0), ((3, 7), 0), ((3, 7), 1), ((2, 9, 147), 1), ((1, 3, 64), 1), ((11, 37), 1), ((2, 32), 1)]
    for shape, axis in [*whole, ((0, 4), 1), ((4, 0), 0), ((60,), 0)]:
        x = numbers(rng, shape, dtype, 3.0)
        result, _ = run(name, x, axis=axis)
        np.testing.assert_array_equal(result, TABLE[name].meaning(x, axis=axis))


def test_scan_carries_nan_on():
    x = np.array([1, np.nan, 2, np.inf], np.float32)
    np.testing.assert_array_equal(run("cumsum", x, axis=0)[0], np.array([1, np.nan, np.nan, np.nan], np.float32))


def unordered(rng, shape, dtype):
    """Numbers of which many are equal, so that stability shows, and some the last there are."""
    x = numbers(rng, shape, dtype)
    flat = x.reshape(-1)
    if not dtype.is_float and dtype.itemsize > 1:
        flat[5::6], flat[6::11] = np.iinfo(dtype.np).min, np.iinfo(dtype.np).max
    flat[::3] = flat[:1]
    if dtype.is_float:
        flat[1::5] = np.nan
        flat[2::7] = -0.0
        flat[4::9] = np.inf
        flat[5::9] = -np.inf
    return x


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", [d for d in ALL if d.wide is None], ids=str)
def test_argsort(dtype, descending, rng):
    short = [(1,), (2,), (5,), (3, 7), (4, 8), (2, 9), (3, 129), (2, 0), (0, 3)]
    for shape in [*short, (2, 1000), (1, 1025), (1, RUN), (2, RUN + 1), (1, 2 * RUN), (1, 3 * RUN - 5)]:
        x = unordered(rng, shape, dtype)
        result, _ = run("argsort", x, descending=descending)
        np.testing.assert_array_equal(result, TABLE["argsort"].meaning(x, descending=descending))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", [float32, float64, int32, int64, uint8], ids=str)
def test_argsort_of_long_rows_goes_by_digits(dtype, descending, rng, monkeypatch):
    monkeypatch.setattr(sort_merge.Merge, "sort", None)  # no row of these is merged
    for length in ([128, 129, 2000] if dtype.itemsize == 8 else []) + [RUN + 1, 5001]:
        words = rng.integers(0, 256, (2, length * dtype.itemsize), np.uint8)
        few, sharp = rng.integers(0, 9, (1, length)).astype(dtype.np), np.array([[0, 1] * length]).astype(dtype.np)
        for x in (words.view(dtype.np), few, np.sort(few), sharp[:, :length] * -1 if dtype.is_float else sharp):
            result, _ = run("argsort", np.ascontiguousarray(x), descending=descending)
            np.testing.assert_array_equal(result, TABLE["argsort"].meaning(x, descending=descending))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", [d for d in ALL if d.wide is None], ids=str)
def test_leading(dtype, descending, rng):
    cases = [((9,), 0), ((9,), 9), ((3, 7), 2), ((2, 128), 8), ((2, 129), 8), ((2, 1000), 1), ((2, 1003), 33)]
    cases += [((3, 64), 64), ((2, 999), 65), ((1, 3000), 400), ((1, 2 * RUN + 3), 1024), ((0, 3), 1)]
    for shape, count in cases:
        for x in (unordered(rng, shape, dtype), np.sort(numbers(rng, shape, dtype))):  # the worst, the best
            result, _ = run("leading", x, count=count, descending=descending)
            np.testing.assert_array_equal(result, TABLE["leading"].meaning(x, count=count, descending=descending))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", [int64, float64], ids=str)
def test_the_leading_of_long_rows_of_64_bits_are_chosen_by_digits(dtype, descending, rng, monkeypatch):
    monkeypatch.setattr(sorting, "Digits", None)  # no row is sorted as a whole
    words = rng.integers(0, 256, (2, 5003 * 8), np.uint8).view(dtype.np)
    few, steps = rng.integers(0, 3, (1, 9001)).astype(dtype.np), np.arange(6000, dtype=dtype.np).reshape(1, -1)
    wide = (rng.integers(0, 2, (1, 9000)) * 2.0**40 + rng.integers(0, 50, (1, 9000))).astype(dtype.np)
    for x in (words, few, steps, steps[:, ::-1].copy(), wide, np.zeros((1, 5000), dtype.np)):
        for count in (1, 10, 1024):
            result, _ = run("leading", x, count=count, descending=descending)
            np.testing.assert_array_equal(result, TABLE["leading"].meaning(x, count=count, descending=descending))


@pytest.mark.parametrize("name", ["scatter_add", "scatter_set"])
@pytest.mark.parametrize("dtype", [d for d in ALL if not d.is_complex], ids=str)
@pytest.mark.parametrize("index", [int32, int64, uint8], ids=str)
def test_scatter(name, dtype, index, rng):
    for rows, rest, count in [(5, (), 7), (4, (3,), (2, 3)), (3, (147,), 9), (3, (64,), 4), (3, (2,), 0), (3, (0,), 2)]:
        x = numbers(rng, (rows, *rest), dtype)
        positions = rng.integers(0, rows, count).astype(index.np)
        updates = numbers(rng, (*positions.shape, *rest), dtype)
        result, reports = run(name, x, positions, updates)
        np.testing.assert_array_equal(result, TABLE[name].meaning(x, positions, updates))
        assert not reports


@pytest.mark.parametrize("name", ["scatter_add", "scatter_set"])
def test_scatter_reports_a_bad_position_and_writes_nothing_there(name):
    x = np.zeros((3, 2), np.float32)
    positions = np.array([1, 3, -1, 2], np.int32)
    updates = np.arange(1, 9, dtype=np.float32).reshape(4, 2)
    result, reports = run(name, x, positions, updates)
    np.testing.assert_array_equal(result, np.array([[0, 0], [1, 2], [7, 8]], np.float32))
    assert reports == [(1, 3), (2, -1)]


@pytest.mark.parametrize("name", ["scatter_elements_add", "scatter_elements_set"])
@pytest.mark.parametrize("index", [int32, int64, uint8], ids=str)
def test_scatter_elements(name, index, rng):
    for shape, count, axis in [((5,), 9, 0), ((3, 7), 4, 1), ((6, 129), 3, 0), ((2, 4, 5), 6, 1), ((2, 4, 64), 2, 1)]:
        x = numbers(rng, shape, float32)
        given = (*shape[:axis], count, *shape[axis + 1 :])
        positions = rng.integers(0 if index is uint8 else -shape[axis], shape[axis], given).astype(index.np)
        updates = numbers(rng, given, float32)
        result, reports = run(name, x, positions, updates, axis=axis)
        np.testing.assert_array_equal(result, TABLE[name].meaning(x, positions, updates, axis=axis))
        assert not reports


def test_scatter_elements_reports_a_bad_position_and_writes_nothing_there():
    positions, updates = np.array([[2, -4, -3], [3, 0, 1]]), np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    result, reports = run("scatter_elements_set", np.zeros((2, 3), np.float32), positions, updates, axis=1)
    np.testing.assert_array_equal(result, [[3, 0, 1], [5, 6, 0]])
    assert sorted(reports) == [(1, -4), (3, 3)]


@pytest.mark.parametrize("name", ["segment_max", "segment_min", "segment_prod"])
@pytest.mark.parametrize("dtype", [d for d in ALL if not (d.is_bool or d.is_complex)], ids=str)
@pytest.mark.parametrize("index", [int32, int64, uint8], ids=str)
def test_segments(name, dtype, index, rng):
    for extent, rest, count in [(5, (), 9), (4, (3,), (2, 3)), (3, (147,), 9), (3, (2,), 0), (3, (0,), 2)]:
        ids = rng.integers(0, extent + 2, count).astype(index.np) - (index is not uint8)
        x = unordered(rng, (*ids.shape, *rest), dtype) if rest != (0,) else np.zeros((2, 0), dtype.np)
        result, reports = run(name, x, ids, extent=extent)
        assert_same(result, TABLE[name].meaning(x, ids, extent=extent))
        assert not reports, "what is in no segment is left out"


def test_first_places_report_a_bad_position_and_write_nothing_there():
    positions = np.array([1, 3, -1, 2, 2**40, 1, -(2**40)])
    result, reports = run("first_places", positions, extent=3, name="op")
    np.testing.assert_array_equal(result, [-1, 0, 3])
    assert reports == [(1, 3), (2, -1), (4, 2**40), (6, -(2**40))]
