"""Element types that are stored, and computed in wider ones: every op takes them, and rounds or wraps its result."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import op_samples
import op_samples_nn
import pytest
from modes import each_of, threads
from op_samples import Sample

import graphc as ms
import graphc.compiler
from graphc import Tensor, nn, ops
from graphc.arrays import of_numpy
from graphc.compiler import stage_texts
from graphc.dtype import ALL, DType, float_info, promote
from graphc.op import TABLE
from graphc.passes import lower
from graphc.trace import trace

SAMPLES = {**op_samples.SAMPLES, **op_samples_nn.SAMPLES}


def assert_equal(x: np.ndarray, y: np.ndarray) -> None:
    """That arrays are equal, also where they are NaN, which NumPy does not look for in bfloat16."""
    np.testing.assert_array_equal(of_numpy(x), of_numpy(y))


def narrowed(sample: Sample, dtype: DType) -> tuple[np.ndarray, ...]:
    """The operands, those of the type that `dtype` is computed in as `dtype`."""
    with np.errstate(all="ignore"):
        return tuple(o.astype(dtype.np) if o.dtype == dtype.wide.np else o for o in sample.operands)  # type: ignore[union-attr]


def of_width(name: str, dtype: DType) -> list[Sample]:
    """A few of the op's samples with operands that `dtype` can stand for."""
    return [s for s in SAMPLES[name] if any(o.dtype == dtype.wide.np for o in s.operands)][:3]  # type: ignore[union-attr]


CASES = [
    pytest.param(name, sample, dtype, id=f"{name}-{k}-{dtype.name}")
    for name in SAMPLES
    if name != "scan"  # whose body is made for the types of its operands
    for dtype in (ms.float16, ms.bfloat16, ms.int8, ms.uint32)
    for k, sample in enumerate(of_width(name, dtype))
]


@pytest.mark.parametrize("name, sample, dtype", CASES)
def test_an_op_is_computed_in_the_wide_type(name: str, sample: Sample, dtype: DType) -> None:
    op, operands = TABLE[name], narrowed(sample, dtype)
    wide = [Tensor(o.astype(dtype.wide.np) if o.dtype == dtype.np else o) for o in operands]  # type: ignore[union-attr]

    def call(*given: Tensor) -> Tensor:
        return op(*given, **sample.attrs)

    try:
        wanted = call(*wide)
        wanted.asnumpy()
    except (TypeError, ValueError, IndexError) as error:
        with pytest.raises(type(error)):
            call(*map(Tensor, operands)).asnumpy()
        return
    if dtype.is_int and name in ("max_pool_grad", "max_pool_gather", "random_bits", "random_uniform"):
        with pytest.raises((TypeError, ValueError), match="expected"):  # these take integers of one type
            call(*map(Tensor, operands))
        return
    eager, compiled = call(*map(Tensor, operands)), ms.jit(call)(*map(Tensor, operands))
    assert_equal(eager.asnumpy(), compiled.asnumpy())
    assert eager.dtype is compiled.dtype and eager.shape == wanted.shape
    assert_equal(eager.asnumpy(), ops.cast(wanted, eager.dtype).asnumpy())


@pytest.mark.parametrize("source", ALL, ids=str)
@pytest.mark.parametrize("target", ALL, ids=str)
def test_casts(source: DType, target: DType) -> None:
    op = TABLE["cast"]
    rng = np.random.default_rng(3)
    with np.errstate(all="ignore"):
        values = np.concatenate([op_samples.edges("float64"), op_samples.edges("int64"), rng.normal(size=300) * 300])
        # halfway between two numbers of 16 bits, and a little off: what is rounded twice goes wrong
        off = np.array([0, 2.0**-40, -(2.0**-40), 2.0**-20, -(2.0**-20)])
        values = np.concatenate([values, 1 + 2.0**-11 + off, 1 + 2.0**-8 + off, 1 + 3 * 2.0**-8 + off])
        values = np.concatenate([values, [65519.9999, 65520, 2.0**40 + 2.0**32 + 1, 1e39, 1e-40, 3.3961e38]])
        x = (np.where(np.isnan(values), 0, values) if source.is_int else values).astype(source.np)
        wanted = op.meaning(x, dtype=target)
    for got in (op(Tensor(x), dtype=target), ms.jit(lambda t: op(t, dtype=target))(Tensor(x))):
        assert got.dtype is target
        assert_equal(got.asnumpy(), wanted)


def test_promotion() -> None:
    for x in ALL:
        for y in ALL:
            both = {x, y}
            got = (ops.zeros(3, x) + ops.zeros(3, y)).dtype
            assert got is promote(x, y) is promote(y, x)
            if both == {ms.float16, ms.bfloat16}:
                assert got is ms.float32
            elif x.is_complex or y.is_complex:
                assert got is (ms.complex128 if both & {ms.float64, ms.complex128} else ms.complex64)
            elif x.is_float == y.is_float:
                assert got.np == np.promote_types(x.np, y.np)
            else:
                assert got is next(d for d in both if d.is_float)
    half = ops.ones(3, ms.float16)
    assert {(half + 1).dtype, (half * 2.5).dtype, (half > 0).astype(ms.float16).dtype, (1 / half).dtype} == {ms.float16}
    brain = ops.ones(3, ms.bfloat16)
    assert {(brain + 1).dtype, (brain * 2.5).dtype, (1 / brain).dtype, brain.bfloat16().dtype} == {ms.bfloat16}
    assert (ops.ones(3, ms.int8) + 1000).dtype is ms.int64


@pytest.mark.parametrize("dtype", [ms.float16, ms.bfloat16], ids=str)
@pytest.mark.parametrize("mode", [ms.PYNATIVE_MODE, ms.GRAPH_MODE])
def test_gradients_have_the_type_of_what_they_are_of(mode: int, dtype: DType) -> None:
    ms.set_context(mode=mode)
    rng = np.random.default_rng(5)
    x, w = (rng.normal(size=s).astype(dtype.np) for s in ((6, 4), (4, 3)))

    def loss(x: Tensor, w: Tensor) -> Tensor:
        return ops.tanh(ops.matmul(x, w)[1:]).astype(ms.float32).sum()

    narrow = each_of(ms.grad(loss, (0, 1))(Tensor(x), Tensor(w)))
    wide = each_of(ms.grad(loss, (0, 1))(Tensor(x.astype(np.float32)), Tensor(w.astype(np.float32))))
    for got, wanted in zip(narrow, wide, strict=True):
        assert got.dtype is dtype
        atol = 2 * float(float_info(dtype).eps) * float(ops.abs(wanted).max())
        np.testing.assert_allclose(got.float().asnumpy(), wanted.asnumpy(), rtol=0.02, atol=atol)


def test_text_of_half_floats() -> None:
    x = Tensor([[1.0, -2.5], [65504.0, 1e-7]], ms.float16)
    assert repr(x) == (
        "Tensor(shape=[2, 2], dtype=Float16, value=\n"
        "[[ 1.0000e+00, -2.5000e+00],\n [ 6.5504e+04,  1.1921e-07]])"
    )


# bfloat16


def rounded(values: np.ndarray) -> np.ndarray:
    """The bits of bfloat16 for float32: the nearest of the two beside it, of equally near ones the even one."""
    bits = values.view(np.uint32).astype(np.int64)
    low, below = bits & 0xFFFF, bits >> 16
    up = (low > 0x8000) | ((low == 0x8000) & (below % 2 == 1))
    nan = np.isnan(values)
    return np.where(nan, (below & 0x8000) | 0x7FC0, below + up).astype(np.uint16)


def casts(x: np.ndarray, dtype: DType) -> list[np.ndarray]:
    """What the elements become in another type: as NumPy, as an op of few elements, as one of many, compiled."""
    few = [ops.cast(Tensor(part), dtype).asnumpy() for part in np.split(x, len(x) // 1024)]
    compiled = ms.jit(lambda t: ops.cast(t, dtype))(Tensor(x))
    return [TABLE["cast"].meaning(x, dtype=dtype), np.concatenate(few), ops.cast(Tensor(x), dtype).asnumpy(),
            compiled.asnumpy()]  # fmt: skip


def test_every_bfloat16_is_the_upper_half_of_a_float() -> None:
    bits = np.arange(1 << 16, dtype=np.uint32)
    with np.errstate(all="ignore"):
        for wide in casts(bits.astype(np.uint16).view(ms.bfloat16.np), ms.float32):
            np.testing.assert_array_equal(wide, (bits << 16).view(np.float32))
        numbers = ~np.isnan((bits << 16).view(np.float32))
        for back in casts((bits << 16).view(np.float32), ms.bfloat16):
            np.testing.assert_array_equal(back.view(np.uint16)[numbers], bits[numbers])
            np.testing.assert_array_equal(np.isnan(back.astype(np.float32)), ~numbers)


def test_floats_become_the_nearest_bfloat16() -> None:
    rng = np.random.default_rng(11)
    anything = rng.integers(0, 1 << 32, 1 << 17, dtype=np.uint32)
    beside = rng.integers(0, 1 << 16, (1 << 14, 1), dtype=np.uint32) << 16  # ties, and what is just off them
    ties = (beside + np.array([0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)).ravel()
    small = rng.integers(0, 1 << 23, 1 << 12, dtype=np.uint32) | rng.integers(0, 2, 1 << 12, dtype=np.uint32) << 31
    last = np.array([0x7F7F7FFF, 0x7F7F8000, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0xFFFFFFFF], np.uint32)
    values = np.concatenate([anything, ties, small, np.resize(last, 1024)]).view(np.float32)
    with np.errstate(all="ignore"):
        for got in casts(values, ms.bfloat16):
            np.testing.assert_array_equal(got.view(np.uint16), rounded(values))


def test_constants_and_gaps_in_kernels_of_bfloat16() -> None:
    """A number in a graph, what a guarded read leaves out, and elements taken along a strided axis."""
    x = Tensor(np.arange(24).reshape(4, 6) / 7, ms.bfloat16)

    def call(x: Tensor) -> tuple[Tensor, ...]:
        shifted = ops.concat([ops.full((4, 1), 3.14159, dtype=ms.bfloat16), x[:, :-1]], 1)
        return shifted, ops.pad(x, (1, 2)), ops.transpose(x, (1, 0))[::2], ops.where(x > 1, x, -0.3), ops.flip(x, (0,))

    for eager, compiled in zip(call(x), ms.jit(call)(x), strict=True):
        assert eager.dtype is compiled.dtype is ms.bfloat16
        np.testing.assert_array_equal(eager.asnumpy().view(np.uint16), compiled.asnumpy().view(np.uint16))
    assert float(call(x)[0][0, 0]) == 3.140625 and float(call(x)[3][0, 0]) == -0.30078125


def test_bfloat16_outside_of_ops() -> None:
    x = Tensor([1.5, 3.14159], ms.bfloat16)
    assert x.asnumpy().dtype == ms.bfloat16.np and x.tolist() == [1.5, 3.140625] and float(x[1]) == 3.140625
    assert x.itemsize == 2 and ms.dtype_to_pytype(ms.bfloat16) is float
    assert Tensor(x.asnumpy()).dtype is ms.bfloat16 and Tensor([x[0], x[1]]).dtype is ms.bfloat16
    copied = pickle.loads(pickle.dumps(x))
    assert copied.dtype is ms.bfloat16 and copied.tolist() == x.tolist()
    greatest = 2.0**128 - 2.0**120
    assert ops.nan_to_num(Tensor([np.inf, -np.inf], ms.bfloat16)).tolist() == [greatest, -greatest]
    metric = ms.train.MSE()
    metric.update(Tensor([1.0, 2.0], ms.bfloat16), Tensor([1.5, 2.0], ms.bfloat16))
    assert metric.eval() == 0.125


def test_text_of_bfloat16() -> None:
    """As MindSpore 2.10 has it."""
    assert repr(Tensor([1.0, np.nan, np.inf, -0.0, 1e-40, 123456789.0], ms.bfloat16)) == (
        "Tensor(shape=[6], dtype=BFloat16, value= "
        "[          1,         nan,         inf,          -0, 9.18355e-41, 1.23208e+08])"
    )
    assert repr(Tensor([[1.5e-10, 3e20], [1, 2]], ms.bfloat16)) == (
        "Tensor(shape=[2, 2], dtype=BFloat16, value=\n[[1.50067e-10,  2.9976e+20],\n [          1,           2]])"
    )
    assert repr(Tensor(np.arange(30) / 3, ms.bfloat16)).count("\n") == 1
    assert repr(Tensor(2.5, ms.bfloat16)) == "Tensor(shape=[], dtype=BFloat16, value= 2.5)"


# Products of bfloat16, whose factors are not widened first


def factors(seed: int, *shapes: tuple[int, ...]) -> list[Tensor]:
    rng = np.random.default_rng(seed)
    return [Tensor(rng.standard_normal(shape).astype(ms.bfloat16.np)) for shape in shapes]


def by_twos(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The product in the order that is defined: of every two terms the second first, each sum rounded to float32."""
    depth, total = x.shape[-1], np.zeros((x.shape[0], y.shape[1]), np.float32)
    wide_x, wide_y = x.astype(np.float64), y.astype(np.float64)
    for first in range(0, depth, 2):
        for k in (k for k in (first + 1, first) if k < depth):
            total = (total + wide_x[:, k, None] * wide_y[None, k]).astype(np.float32)
    return total.astype(ms.bfloat16.np)


PRODUCTS = {
    "matmul": (lambda x, y: ops.matmul(x, y), ((33, 65), (65, 17))),
    "transposed": (lambda x, y: ops.matmul(x.T, y.T), ((127, 31), (40, 127))),
    "few rows": (lambda x, y: ops.matmul(x, y.T), ((3, 129), (70, 129))),
    "a vector": (lambda x, y: ops.matmul(x, y), ((63,), (63, 13))),
    "stacks": (lambda x, y: ops.bmm(x, ops.swapaxes(y, 1, 2)), ((6, 20, 13), (6, 31, 13))),
    "heads": (
        lambda x, y: ops.matmul(x.reshape(7, 3, 13).swapaxes(0, 1).reshape(7, 39), y), ((7, 39), (39, 18)),
    ),
    "side by side": (lambda x, y: ops.matmul(ops.cat((x, x[:, 1:]), 1), y), ((9, 8), (15, 5))),
    "dense": (lambda x, y, b: ops.relu(ops.dense(x, y, b)), ((50, 37), (19, 37), (19,))),
    "convolution": (lambda x, w: ops.conv2d(x, w, None, 1, "same"), ((3, 6, 9, 14), (5, 6, 3, 3))),
    "strided": (lambda x, w: ops.conv2d(x, w, None, 2, "pad", 2, 2), ((2, 16, 13, 12), (18, 16, 3, 3))),
    "batch of sixteen": (lambda x, w: ops.relu(ops.conv2d(x, w)), ((16, 4, 8, 8), (8, 4, 3, 3))),
    "pixels": (lambda x, w: ops.conv2d(x, w), ((5, 32, 7, 7), (20, 32, 1, 1))),
    "pixels of even rows": (lambda x, w: ops.conv2d(x, w), ((3, 32, 6, 6), (20, 32, 1, 1))),
    "sequence": (lambda x, w: ops.conv1d(x, w, None, 1, "same"), ((4, 10, 40), (12, 10, 5))),
    "odd channels": (lambda x, w: ops.conv2d(x, w), ((2, 3, 9, 9), (4, 3, 3, 3))),
    "one term": (lambda x, y: ops.matmul(x, y), ((5, 1), (1, 19))),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_bfloat16_and_their_gradients_are_the_same_in_each_mode(name: str) -> None:
    function, shapes = PRODUCTS[name]
    operands = factors(11, *shapes)
    places = tuple(range(len(operands)))

    def both(*given: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        weights = Tensor(np.random.default_rng(3).standard_normal(function(*given).shape).astype(ms.bfloat16.np))
        loss = ms.value_and_grad(lambda *x: (function(*x) * weights).sum(), places)
        return function(*given), loss(*given)[1]

    found = []
    for count in (1, 2):
        with threads(count):
            for run in (both, ms.jit(both)):
                result, gradients = run(*operands)
                found.append([result.asnumpy(), *(g.asnumpy() for g in gradients)])
    assert all(x.dtype == ms.bfloat16.np for x in found[0])
    for other in found[1:]:
        assert all(x.tobytes() == y.tobytes() for x, y in zip(found[0], other, strict=True))
    wide = [x.astype(np.float32) for x in (o.asnumpy() for o in operands)]
    wanted = function(*map(Tensor, wide)).asnumpy()
    assert np.allclose(found[0][0].astype(np.float32), wanted, rtol=2.0**-7, atol=2.0**-7)


@pytest.mark.parametrize("taps", [1, 3])
def test_of_two_channels_of_a_convolution_the_second_is_added_first(
    taps: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    image, weights = factors(taps, (2, 6, 9, 17), (4, 6, taps, taps))
    margin = taps // 2
    x = np.pad(image.asnumpy().astype(np.float64), ((0, 0), (0, 0), (margin, margin), (margin, margin)))
    w, total = weights.asnumpy().astype(np.float64), np.zeros((2, 4, 9, 17), np.float32)
    for two, row, column, which in np.ndindex(3, taps, taps, 2):
        channel = 2 * two + 1 - which
        read = x[:, None, channel, row : row + 9, column : column + 17]
        total = (total + read * w[None, :, channel, row, column, None, None]).astype(np.float32)
    wanted = total.astype(ms.bfloat16.np).tobytes()
    assert ms.jit(lambda x, w: ops.conv2d(x, w, None, 1, "same"))(image, weights).asnumpy().tobytes() == wanted
    monkeypatch.setattr(lower, "_tiled", lambda *args: None)
    loops = ms.jit(lambda x, w: ops.conv2d(x, w, None, 1, "same") + 0)(image, weights)
    assert loops.asnumpy().tobytes() == wanted


@pytest.mark.parametrize("depth", [1, 2, 7, 64, 129])
def test_of_every_two_terms_of_a_product_the_second_is_added_first(
    depth: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    x, y = factors(depth, (19, depth), (depth, 33))
    wanted = by_twos(x.asnumpy(), y.asnumpy())
    assert ms.jit(lambda x, y: x @ y)(x, y).asnumpy().tobytes() == wanted.tobytes()
    tiled = []
    monkeypatch.setattr(lower, "_tiled", lambda *args: tiled.append(args))
    loops = ms.jit(lambda x, y: x @ y + 0)(x, y)  # as plain loops, of what no tile can read
    assert loops.asnumpy().tobytes() == wanted.tobytes() and tiled


def test_a_product_of_bfloat16_reads_its_factors_as_they_are() -> None:
    x, w = factors(0, (8, 20), (16, 20))
    grad = ms.value_and_grad(lambda x, w: ops.matmul(x, w.T).sum(), (0, 1))
    stages = dict(stage_texts(trace(grad, (x, w), {}, "step").graph))
    products = [line for line in stages["kernels"].splitlines() if "contract" in line]
    assert len(products) == 3 and "bf16[160]" in stages["kernels"]
    assert stages["traced"].count("= matmul(") == 3 and "cast(%x" not in stages["traced"]
    assert not any("f32[160]" in line for line in stages["kernels"].splitlines() if "kernel" in line)


def test_what_is_no_number_reaches_the_products_that_it_is_a_factor_of() -> None:
    x, y = (t.asnumpy().copy() for t in factors(1, (20, 35), (35, 40)))
    x[2, 34], x[5, 3], y[7, 9], y[0, 20] = np.nan, np.inf, -np.inf, np.nan
    got = ms.jit(lambda x, y: x @ y)(Tensor(x), Tensor(y)).asnumpy().astype(np.float32)
    with np.errstate(all="ignore"):
        wanted = x.astype(np.float32) @ y.astype(np.float32)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted))
    np.testing.assert_array_equal(np.isinf(got), np.isinf(wanted))


def test_words_of_two_factors_lie_in_rows() -> None:
    """A batch goes into the lanes only where factors are wide: what is a word in rows is none there."""
    layer = nn.Dense(32, 48)
    for dtype in (ms.float32, ms.bfloat16):
        for parameter in layer.get_parameters():
            parameter.set_dtype(dtype)
        x = ops.ones((64, 32), dtype)
        schedule = dict(stage_texts(trace(lambda x: ops.relu(layer(x)), (x,), {}, "layer").graph))["schedule"]
        assert ("64/16" in schedule) == (dtype is ms.float32)


def test_images_of_narrow_numbers_lie_where_the_tiles_of_their_gradients_are_made() -> None:
    """In rows; but in the lanes where other taps leave no gradient to be made of tiles."""
    for taps, blocked in ((3, False), (5, True)):
        x, w = ops.ones((16, 32, 28, 28), ms.bfloat16), ops.ones((32, 32, taps, taps), ms.bfloat16)
        graph = trace(lambda x, w: ops.relu(ops.conv2d(ops.relu(ops.conv2d(x, w)), w)), (x, w), {}, "net").graph
        assert ("16/16" in dict(stage_texts(graph))["schedule"]) == blocked
