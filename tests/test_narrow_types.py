"""Element types that are stored, and computed in wider ones: every op takes them, and rounds or wraps its result."""

from __future__ import annotations

import numpy as np
import op_samples
import op_samples_nn
import pytest
from modes import each_of
from op_samples import Sample

import graphc as ms
import graphc.compiler
from graphc import Tensor, ops
from graphc.dtype import ALL, DType, promote
from graphc.op import TABLE

SAMPLES = {**op_samples.SAMPLES, **op_samples_nn.SAMPLES}


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
    for dtype in (ms.float16, ms.int8, ms.uint32)
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
    np.testing.assert_array_equal(eager.asnumpy(), compiled.asnumpy())
    assert eager.dtype is compiled.dtype and eager.shape == wanted.shape
    np.testing.assert_array_equal(eager.asnumpy(), ops.cast(wanted, eager.dtype).asnumpy())


@pytest.mark.parametrize("source", ALL, ids=str)
@pytest.mark.parametrize("target", ALL, ids=str)
def test_casts(source: DType, target: DType) -> None:
    op = TABLE["cast"]
    rng = np.random.default_rng(3)
    with np.errstate(all="ignore"):
        values = np.concatenate([op_samples.edges("float64"), op_samples.edges("int64"), rng.normal(size=300) * 300])
        # halfway between two float16, and a little off: what is rounded twice goes wrong
        values = np.concatenate([values, 1 + 2.0**-11 + np.array([0, 2.0**-40, -(2.0**-40)]), [65519.9999, 65520]])
        x = (np.where(np.isnan(values), 0, values) if source.is_int else values).astype(source.np)
        wanted = op.meaning(x, dtype=target)
    for got in (op(Tensor(x), dtype=target), ms.jit(lambda t: op(t, dtype=target))(Tensor(x))):
        assert got.dtype is target
        np.testing.assert_array_equal(got.asnumpy(), wanted)


def test_promotion() -> None:
    for x in ALL:
        for y in ALL:
            both = {x, y}
            got = (ops.zeros(3, x) + ops.zeros(3, y)).dtype
            assert got is promote(x, y) is promote(y, x)
            if x.is_float == y.is_float:
                assert got.np == np.promote_types(x.np, y.np)
            else:
                assert got is next(d for d in both if d.is_float)
    half = ops.ones(3, ms.float16)
    assert {(half + 1).dtype, (half * 2.5).dtype, (half > 0).astype(ms.float16).dtype, (1 / half).dtype} == {ms.float16}
    assert (ops.ones(3, ms.int8) + 1000).dtype is ms.int64


@pytest.mark.parametrize("mode", [ms.PYNATIVE_MODE, ms.GRAPH_MODE])
def test_gradients_have_the_type_of_what_they_are_of(mode: int) -> None:
    ms.set_context(mode=mode)
    rng = np.random.default_rng(5)
    x, w = (rng.normal(size=s).astype(np.float16) for s in ((6, 4), (4, 3)))

    def loss(x: Tensor, w: Tensor) -> Tensor:
        return ops.tanh(ops.matmul(x, w)[1:]).astype(ms.float32).sum()

    narrow = each_of(ms.grad(loss, (0, 1))(Tensor(x), Tensor(w)))
    wide = each_of(ms.grad(loss, (0, 1))(Tensor(x.astype(np.float32)), Tensor(w.astype(np.float32))))
    for got, wanted in zip(narrow, wide, strict=True):
        assert got.dtype is ms.float16
        np.testing.assert_allclose(got.asnumpy(), wanted.asnumpy(), rtol=0.02, atol=0.01)


def test_text_of_half_floats() -> None:
    x = Tensor([[1.0, -2.5], [65504.0, 1e-7]], ms.float16)
    assert repr(x) == (
        "Tensor(shape=[2, 2], dtype=Float16, value=\n"
        "[[ 1.0000e+00, -2.5000e+00],\n [ 6.5504e+04,  1.1921e-07]])"
    )

