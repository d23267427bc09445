"""Every op of the table, by its own rules: type, kernel and derivative against its NumPy meaning.

infer    = the shape (and dtype) of what the meaning returns
kernel   = the meaning: to the bit where the op is exact, otherwise to a few units in the last place
eager    = the kernel, to the bit, either way
vjp      = finite differences of the meaning, in float64; and those of the vjp, once more
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import op_samples
import op_samples_nn
import pytest
from modes import each_of
from op_samples import Sample

import graphc.compiler
import graphc.ops
from graphc.autograd import total
from graphc.gradients import grad
from graphc.ir import TensorType
from graphc.jit import jit
from graphc.op import TABLE, Op
from graphc.tensor import Tensor

SAMPLES = {**op_samples.SAMPLES, **op_samples_nn.SAMPLES}
CASES = [
    pytest.param(name, s, id=f"{name}-{k}-{s}") for name, samples in SAMPLES.items() for k, s in enumerate(samples)
]
SMOOTH = [case for case in CASES if case.values[1].smooth]


NEAR_ROOTS = (  # near the roots of these errors are absolute
    "lgamma", "digamma", "polygamma", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1"
)  # fmt: skip


LESS_EXACT = {"igamma": 256, "gamma_density": 256, "zeta": 64}
"""In float64: to how many units, as exponents of great numbers are rounded."""


TAKEN_AWAY = {"complex", "real", "imag"}
"""Ops that no kernel ever sees (`passes/pairs.py`); tests of complex numbers have their derivatives."""


def test_every_op_has_samples_and_rules() -> None:
    assert sorted(SAMPLES) == sorted(TABLE)
    for op in TABLE.values():
        assert op.lower or op.kernel or op.name in TAKEN_AWAY, f"{op.name} cannot be compiled"
        assert op.__doc__, f"{op.name} has no docstring"


def meaning(op: Op, sample: Sample) -> np.ndarray:
    """The meaning's result, in the precision of float64 where NumPy's own is not the definition."""
    operands = sample.operands
    if not op.exact:
        operands = tuple(o.astype(np.float64) if o.dtype == np.float32 else o for o in operands)
    with np.errstate(all="ignore"):
        return np.asarray(op.meaning(*operands, **sample.attrs))


def result_type(op: Op, sample: Sample) -> TensorType:
    return op.infer(*(Tensor(o).spec for o in sample.operands), **{**op.defaults, **sample.attrs})


def run_both(op: Op, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """The result in eager mode, and of a graph with this one node."""
    tensors = [Tensor(o) for o in sample.operands]

    def call(*operands: Tensor) -> Tensor:
        return op(*operands, **sample.attrs)

    return call(*tensors).asnumpy(), jit(call)(*tensors).asnumpy()


def assert_same_bits(got: np.ndarray, wanted: np.ndarray) -> None:
    """Equal to the sign of zero; every NaN is like another."""
    assert got.shape == wanted.shape and got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)
    if got.dtype.kind == "f":
        number = ~np.isnan(got)
        np.testing.assert_array_equal(np.signbit(got[number]), np.signbit(wanted[number]))


@pytest.mark.parametrize("name, sample", CASES)
def test_infer_gives_the_type_of_the_meaning(name: str, sample: Sample) -> None:
    op = TABLE[name]
    try:
        type_ = result_type(op, sample)
    except ValueError:
        with pytest.raises(ValueError):
            meaning(op, sample)
        return
    assert type_.shape == meaning(op, sample).shape


@pytest.mark.parametrize("name, sample", CASES)
def test_kernel_computes_the_meaning(name: str, sample: Sample) -> None:
    op = TABLE[name]
    try:
        type_ = result_type(op, sample)
    except (TypeError, ValueError) as error:
        with pytest.raises(type(error)):
            run_both(op, sample)
        return
    eager, compiled = run_both(op, sample)
    assert_same_bits(compiled, eager)
    wanted = meaning(op, sample)
    if op.exact or type_.dtype.np.kind != "f":
        with np.errstate(all="ignore"):
            wanted = wanted.astype(type_.dtype.np)
        assert_same_bits(compiled, wanted)
        return
    unit = np.finfo(type_.dtype.np).eps
    if "elementwise" in op.traits:
        with np.errstate(all="ignore"):
            wanted = wanted.astype(type_.dtype.np)
        tiny = 8 * unit if name in NEAR_ROOTS else np.finfo(type_.dtype.np).smallest_subnormal
        units = LESS_EXACT.get(name, 4) if type_.dtype.itemsize == 8 else 4
        np.testing.assert_allclose(compiled, wanted, rtol=units * unit, atol=tiny)
    else:  # sums: the error is relative to the terms
        terms = max((float(np.abs(o[np.isfinite(o)]).max(initial=0)) for o in sample.operands), default=0)
        np.testing.assert_allclose(compiled, wanted, rtol=64 * unit, atol=32 * unit * max(terms, 1) ** 2)


# Derivatives


def differences(function: Any, operands: list[np.ndarray], position: int, step: float = 1e-6) -> np.ndarray:
    """The gradient of a scalar function by central differences."""
    operand = operands[position]
    slope = np.zeros(operand.shape)
    for index in np.ndindex(operand.shape):
        moved = [o.copy() for o in operands]
        moved[position][index] = operand[index] + step
        above = function(*moved)
        moved[position][index] = operand[index] - step
        slope[index] = (above - function(*moved)) / (2 * step)
    return slope


def float_positions(sample: Sample) -> Iterator[int]:
    return (k for k, o in enumerate(sample.operands) if o.dtype.kind == "f")


def weights_for(op: Op, sample: Sample) -> np.ndarray:
    return np.random.default_rng(7).normal(size=result_type(op, sample).shape)


def vjp_of(op: Op, sample: Sample, ct: Tensor, operands: list[Tensor]) -> list[Any]:
    attrs = {**op.defaults, **sample.attrs}
    given = [ct] if op.takes_parts else ct
    parts = op.vjp(given, op(*operands, **attrs), *operands, **attrs)  # type: ignore[misc]
    assert len(parts) == len(operands)
    parts = [total(part) if isinstance(part, list) else part for part in parts]
    return [part() if callable(part) and not isinstance(part, Tensor) else part for part in parts]


@pytest.mark.parametrize("name, sample", SMOOTH)
def test_vjp_is_the_derivative_of_the_meaning(name: str, sample: Sample) -> None:
    op = TABLE[name]
    ct = weights_for(op, sample)
    parts = vjp_of(op, sample, Tensor(ct), [Tensor(o) for o in sample.operands])

    def weighted(*operands: np.ndarray) -> float:
        return float(np.sum(ct * op.meaning(*operands, **sample.attrs)))

    for position in float_positions(sample):
        wanted = differences(weighted, list(sample.operands), position)
        assert parts[position].spec == Tensor(sample.operands[position]).spec
        np.testing.assert_allclose(parts[position].asnumpy(), wanted, rtol=2e-6, atol=2e-7)


def test_every_differentiable_op_has_smooth_samples() -> None:
    without = {name for name, op in TABLE.items() if op.vjp and not any(s.smooth for s in SAMPLES[name])}
    assert without == {"stop_gradient", *TAKEN_AWAY}


TWICE = [
    case
    for case in SMOOTH
    if sum(o.size for o in case.values[1].operands) <= 30 and "contraction" not in TABLE[case.values[0]].traits
]


@pytest.mark.parametrize("name, sample", TWICE)
def test_vjp_has_a_derivative_of_its_own(name: str, sample: Sample) -> None:
    """The derivative of every part of the vjp, by the tape, is that by finite differences of the vjp."""
    op = TABLE[name]
    ct = weights_for(op, sample)
    positions = list(float_positions(sample))
    mixes = {k: np.random.default_rng(11 + k).normal(size=sample.operands[k].shape) for k in positions}

    def mixed(*operands: Tensor) -> Tensor:
        parts = vjp_of(op, sample, Tensor(ct), list(operands))
        total = Tensor(0.0, graphc.dtype.float64)
        for k in positions:
            total = total + (parts[k] * Tensor(mixes[k])).sum()
        return total

    tensors = [Tensor(o) for o in sample.operands]
    slopes = each_of(grad(mixed, tuple(positions))(*tensors))
    for k, slope in zip(positions, slopes, strict=True):
        wanted = differences(lambda *o: mixed(*(Tensor(a) for a in o)).item(), list(sample.operands), k, step=1e-5)
        np.testing.assert_allclose(slope.asnumpy(), wanted, rtol=1e-5, atol=1e-6)


# Where there is no derivative


@pytest.mark.parametrize(
    "name, operands, wanted",
    [
        ("relu", [[0.0]], [[0.0]]), ("abs", [[0.0]], [[0.0]]), ("sign", [[0.0]], [[0.0]]),
        ("maximum", [[1.0, 2.0], [1.0, 3.0]], [[0.5, 0.0], [0.5, 1.0]]),
        ("minimum", [[1.0, 2.0], [1.0, 3.0]], [[0.5, 1.0], [0.5, 0.0]]),
        ("pow", [[0.0, 0.0], [0.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]),
    ],
)  # fmt: skip
def test_kinks(name: str, operands: list[list[float]], wanted: list[list[float]]) -> None:
    tensors = [Tensor(o) for o in operands]
    found = each_of(grad(lambda *x: TABLE[name](*x).sum(), tuple(range(len(tensors))))(*tensors))
    for got, slope in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(got.asnumpy(), slope)


def test_extremes_share_the_gradient() -> None:
    x = Tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    slope = grad(lambda x: TABLE["max"](x, run=(1, 2)).sum())(x).asnumpy()
    np.testing.assert_array_equal(slope, np.array([[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]], np.float32))


def test_operands_of_samples_cover_the_float_types() -> None:
    for name in op_samples._DOMAINS:
        for op in name.split():
            assert {"float32", "float64"} <= {s.operands[0].dtype.name for s in SAMPLES[op]}


# Positions out of range


@pytest.mark.parametrize(
    "name, operands, attrs",
    [
        ("gather", (np.ones((3, 2), "float32"), np.array([0, 3])), {"axis": 0}),
        ("gather", (np.ones((3, 2), "float32"), np.array([-1, 0])), {"axis": 0}),
        ("gather_elements", (np.ones(3, "float32"), np.array([7])), {"axis": 0}),
        ("scatter_add", (np.ones(3, "float32"), np.array([1, 3]), np.ones(2, "float32")), {}),
        ("scatter_set", (np.ones(3, "float32"), np.array([-1, 1]), np.ones(2, "float32")), {}),
        ("first_places", (np.array([1, 3]),), {"extent": 3, "name": "first_places"}),
        ("rows_or_zero", (np.ones((3, 2), "float32"), np.array([-1, 3], "int32")), {}),
        (
            "scatter_add_rows",
            (np.ones((3, 2), "float32"), np.array([0, 3]), np.ones((4, 2), "float32"), np.array([0, 1])),
            {"name": "scatter_add_rows"},
        ),
        ("one_hot", (np.array([0, 5]), np.array(1.0), np.array(0.0)), {"depth": 5, "axis": 1}),
        ("pick", (np.ones((2, 3), "float32"), np.array([0, 3])), {}),
    ],
)
def test_a_position_out_of_range_is_an_index_error(name: str, operands: Any, attrs: dict[str, Any]) -> None:
    op, tensors = TABLE[name], [Tensor(o) for o in operands]
    with pytest.raises(IndexError, match=name):
        op(*tensors, **attrs)
    with pytest.raises(IndexError, match=name):
        jit(lambda *x: op(*x, **attrs))(*tensors)
