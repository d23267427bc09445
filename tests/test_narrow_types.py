"""Element types that are stored, and computed in wider ones: every op takes them, and rounds or wraps its result."""

from __future__ import annotations

import pickle

import numpy as np
import op_samples
import op_samples_nn
import pytest
from modes import each_of
from op_samples import Sample

import graphc as ms
import graphc.compiler
from graphc import Tensor, ops
from graphc.arrays import of_numpy
from graphc.dtype import ALL, DType, float_info, promote
from graphc.op import TABLE

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
