"""Complex tensors: their values and functions are NumPy's, their gradients finite differences, in both modes alike."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modes import in_both_modes

import graphc as ms
import graphc.numpy as mnp
from graphc import Parameter, ParameterTuple, Tensor, nn, ops

RNG = np.random.default_rng(20260301)


def planar(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape) + 1j * RNG.normal(size=shape)


A, B, C, V = planar(4, 5), planar(4, 5), planar(5, 3), planar(6)


# Values


def test_a_tensor_of_complex_numbers() -> None:
    z = Tensor(np.array([1 + 2j, 3.5 - 1j], np.complex64))
    assert z.dtype is ms.complex64 and z.itemsize == 8 and str(z.dtype) == "Complex64"
    assert repr(z) == "Tensor(shape=[2], dtype=Complex64, value= [1+2j, 3.5-1j])"
    assert str(z) == "[1. +2.j 3.5-1.j]"
    assert repr(Tensor(np.complex64(0.1 + 2j))) == "Tensor(shape=[], dtype=Complex64, value= 0.1+2j)"
    assert z.asnumpy().dtype == np.complex64 and z[0].item() == 1 + 2j and complex(z[1]) == 3.5 - 1j
    assert Tensor([1j, 2.0]).dtype is Tensor(1j).dtype is ms.complex128
    assert Tensor([1.0, 2.0], ms.complex64).tolist() == [1 + 0j, 2 + 0j]
    for copied in (pickle.loads(pickle.dumps(z)), copy.deepcopy(z), ms.from_numpy(z.asnumpy())):
        assert (copied == z).all() and copied.dtype is z.dtype
    assert z.is_complex() and not Tensor(1.0).is_complex() and ms.dtype.complex_type == (ms.complex64, ms.complex128)


def test_imaginary_parts_are_not_lost_in_silence() -> None:
    z, x = Tensor(A), Tensor(A.real)
    for wrong in (lambda: float(z[0, 0]), lambda: int(z[0, 0]), lambda: range(z[0, 0])):
        with pytest.raises(TypeError, match=r"expected a real number|an index must be an integer"):
            wrong()
    with pytest.raises(TypeError, match="complex numbers are none of Float32"):
        Tensor(A, ms.float32)
    with pytest.raises(ValueError, match="the complex number 1j does not fit float32"):
        ops.full(2, 1j, dtype=ms.float32)
    with pytest.raises(TypeError, match="complex numbers are none of Float64"):
        x[0] = 1j
    assert (x == Tensor(A.real)).all()
    np.testing.assert_array_equal(z.astype(ms.float64).asnumpy(), A.real)  # where a program asks for it


def test_what_complex_numbers_have_no_function_for_says_so() -> None:
    z = Tensor(A.astype(np.complex64))
    functions = (ops.relu, ops.sort, ops.argmax, ops.floor, ops.inverse, lambda x: x < 1, lambda x: ops.cumprod(x, 0))
    for function in functions:
        with pytest.raises(TypeError, match=r"expected real numbers, got c64\["):
            function(z)


def test_types_that_meet() -> None:
    z, w = Tensor(np.ones(2, np.complex64)), Tensor(np.ones(2, np.complex128))
    x = Tensor([1.0, 2.0])
    for other in (1, 2.5, 1j, True, Tensor([1, 2]), x, x.astype(ms.float16), np.complex64(1)):
        assert (z * other).dtype is (z + other).dtype is (other - z).dtype is ms.complex64
        assert (w / other).dtype is ms.complex128
    assert (z + w).dtype is (z * x.astype(ms.float64)).dtype is (x.astype(ms.float64) + 1j).dtype is ms.complex128
    assert (Tensor([1, 2]) * 1j).dtype is (x * 1j).dtype is ms.complex64


def test_a_real_operand_has_no_imaginary_part() -> None:
    infinite = Tensor(np.array([complex(np.inf, 1.0)], np.complex64))
    assert (infinite * 2.0).asnumpy()[0] == complex(np.inf, 2.0)  # where (inf + 1i) * (2 + 0i) is NaN
    graph = ms.trace.trace(lambda z, x: ops.matmul(z, x), (Tensor(A), Tensor(C.real)), {}, "product").graph
    assert sum(node.op == "matmul" for node in graph.nodes) == 2


# Functions, beside NumPy's

TWO = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power}
ONE = {
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tan": np.tan, "sinh": np.sinh,
    "cosh": np.cosh, "tanh": np.tanh, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "expm1": np.expm1, "log1p": np.log1p, "log2": np.log2,
    "log10": np.log10, "exp2": np.exp2, "square": np.square, "reciprocal": np.reciprocal, "neg": np.negative,
    "sgn": lambda x: x / np.abs(x), "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "rsqrt": lambda x: 1 / np.sqrt(x),
    "abs": np.abs, "angle": np.angle, "conj": np.conj, "real": np.real, "imag": np.imag,
}  # fmt: skip
MORE: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "square root": (lambda x: x**0.5, lambda x: x**0.5), "fourth power": (lambda x: x**4, lambda x: x**4),
    "inverse square": (lambda x: x**-2, lambda x: x**-2), "imaginary power": (lambda x: x**1j, lambda x: x**1j),
    "power of two": (lambda x: 2.0**x, lambda x: 2.0**x), "turned": (lambda x: 1j * x, lambda x: 1j * x),
    "one less": (lambda x: 1 - x, lambda x: 1 - x), "over": (lambda x: (2 - 1j) / x, lambda x: (2 - 1j) / x),
    "sum": (lambda x: x.sum(), np.sum), "sums": (lambda x: x.sum(1), lambda x: x.sum(1)),
    "mean": (lambda x: x.mean(0), lambda x: x.mean(0)), "prod": (lambda x: x.prod(), np.prod),
    "prods": (lambda x: x.prod(1), lambda x: x.prod(1)), "cumsum": (lambda x: x.cumsum(1), lambda x: x.cumsum(1)),
    "var": (lambda x: ops.var(x, 1), lambda x: np.var(x, 1)), "std": (ops.std, np.std),
    "norm": (ops.norm, np.linalg.norm), "cov": (ops.cov, np.cov),
    "matmul": (lambda x: ops.matmul(x, Tensor(C)), lambda x: x @ C),
    "dense": (lambda x: ops.dense(x, Tensor(C.T.copy()), Tensor(C[0])), lambda x: x @ C + C[0]),
    "real dense": (lambda x: ops.dense(x, Tensor(C.T.real.copy())), lambda x: x @ C.real),
    "bmm": (lambda x: ops.bmm(x[None], Tensor(C[None])), lambda x: (x @ C)[None]),
    "einsum": (lambda x: ops.einsum("ij,kj->ik", x, Tensor(B)), lambda x: x @ B.T),
    "dot": (lambda x: ops.dot(x[0], x[1]), lambda x: np.dot(x[0], x[1])),
    "transposed": (lambda x: x.H, lambda x: x.conj().T), "adjoint": (lambda x: x.adjoint(), lambda x: x.conj().T),
    "slices": (lambda x: x[1:3, ::2], lambda x: x[1:3, ::2]), "backwards": (lambda x: x[::-1], lambda x: x[::-1]),
    "gather": (lambda x: x[Tensor([2, 0, 2])], lambda x: x[[2, 0, 2]]),
    "pad": (lambda x: ops.pad(x, (1, 2)), lambda x: np.pad(x, ((0, 0), (1, 2)))),
    "concat": (lambda x: ops.concat([x, x * 2], 1), lambda x: np.concatenate([x, x * 2], 1)),
    "mixed concat": (lambda x: ops.concat([x, x.real()], 1), lambda x: np.concatenate([x, x.real], 1)),
    "stack": (lambda x: ops.stack([x, x.conj()]), lambda x: np.stack([x, x.conj()])),
    "roll": (lambda x: ops.roll(x, 1, 0), lambda x: np.roll(x, 1, 0)),
    "tril": (ops.tril, np.tril), "diagonal": (ops.diagonal, np.diagonal), "trace": (lambda x: x.trace(), np.trace),
    "where": (lambda x: ops.where(x.real() > 0, x, 1j), lambda x: np.where(x.real > 0, x, 1j)),
    "parts": (ops.view_as_real, lambda x: np.stack([x.real, x.imag], -1)),
    "of parts": (lambda x: ops.complex(x.imag(), x.real()), lambda x: x.imag + 1j * x.real),
    "polar": (lambda x: ops.polar(x.real(), x.imag()), lambda x: x.real * np.exp(1j * x.imag)),
    "scatter": (lambda x: ops.tensor_scatter_add(x, Tensor([[1]]), x[:1]), lambda x: x + np.eye(4)[1:2].T * x[0]),
    "squared error": (lambda x: ops.mse_loss(x, Tensor(B)), lambda x: (np.abs(x - B) ** 2).mean()),
    "normalised": (
        lambda x: ops.layer_norm(x, (5,), Tensor(np.ones(5)), Tensor(np.zeros(5)), 1e-9),
        lambda x: (x - x.mean(1, keepdims=True)) / np.sqrt(np.var(x, 1, keepdims=True) + 1e-9),
    ),
    "norms": (lambda x: ops.clip_by_global_norm((x,), 1.0)[0], lambda x: x / np.linalg.norm(x)),
}  # fmt: skip
FUNCTIONS = {**{name: (getattr(ops, name), function) for name, function in ONE.items()}, **MORE}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_numpys(name: str) -> None:
    function, numpys = FUNCTIONS[name]
    for scale, array in ((1, A), (3, A * 3)):
        for got, wanted in in_both_modes(function, [array], numpys(array)):
            assert got.asnumpy().dtype == wanted.dtype
            np.testing.assert_allclose(got.asnumpy(), wanted, rtol=1e-11, atol=1e-12, err_msg=f"{name} {scale}")
    for got, wanted in in_both_modes(function, [A.astype(np.complex64)], numpys(A)):
        np.testing.assert_allclose(got.asnumpy(), wanted, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", TWO)
def test_functions_of_two_are_numpys(name: str) -> None:
    for x, y in ((A, B), (A, B.real), (A.real, B), (A[0], B), (A, B[:, :1]), (A, np.arange(1, 6))):
        for got, wanted in in_both_modes(getattr(ops, name), [x, y], TWO[name](x, y)):
            np.testing.assert_allclose(got.asnumpy(), wanted, rtol=1e-11)


CORNERS = np.array([
    0, -0.0, 1, -1, 1j, -1j, 2, -2, complex(-2, -0.0), complex(2, -0.0), 1e-9 + 1e-9j, 3 + 4j, 1e-30j, -5 + 1e-8j,
    30 + 2j, -30 + 2j, 0.3 + 0.2j, 1e200 + 1e200j, -1e-200 + 1e-200j,
])  # fmt: skip


NEAR = ("asin", "acos", "asinh", "acosh", "square")
"""Those that square their argument, whatever its size."""


@pytest.mark.parametrize("name", [*NEAR, "sqrt", "log", "abs", "angle", "atan", "atanh", "tanh", "log1p", "expm1"])
def test_on_the_cuts_and_far_out(name: str) -> None:
    points = CORNERS[np.abs(CORNERS) < 1e100] if name in NEAR else CORNERS
    with np.errstate(all="ignore"):
        for got, wanted in in_both_modes(getattr(ops, name), [points], ONE[name](points)):
            usual = np.isfinite(wanted)
            np.testing.assert_allclose(got.asnumpy()[usual], wanted[usual], rtol=1e-9, atol=1e-14)


def test_division_neither_overflows_nor_underflows() -> None:
    x = np.array([1e300 + 1e300j, 1e-300 + 1e-300j, 3 - 1j])
    for got, wanted in in_both_modes(ops.div, [x, x * (1 + 1j)], np.full(3, 1 / (1 + 1j))):
        np.testing.assert_allclose(got.asnumpy(), wanted, rtol=1e-14)


def test_comparisons() -> None:
    other = np.where(A.real > 0, A, A.conj())
    for function, numpys in ((ops.equal, np.equal), (ops.not_equal, np.not_equal), (ops.isclose, np.isclose)):
        for got, wanted in in_both_modes(function, [A, other], numpys(A, other)):
            np.testing.assert_array_equal(got.asnumpy(), wanted)
    odd = np.array([complex(np.nan, 1), complex(1, np.inf), 2j, 0])
    for name in ("isnan", "isinf", "isfinite", "logical_not"):
        for got, wanted in in_both_modes(getattr(ops, name), [odd], getattr(np, name)(odd)):
            np.testing.assert_array_equal(got.asnumpy(), wanted)


def test_elements_that_are_set() -> None:
    def changed(x: Any) -> Any:
        x[1] = 2j
        x[0, 1:3] = x[2, 1:3] * 1j
        x += 1
        return x

    for got, wanted in in_both_modes(lambda x: changed(x * 1), [A], changed(A.copy())):
        np.testing.assert_array_equal(got.asnumpy(), wanted)


def test_a_complex_scalar_from_outside_a_graph() -> None:
    factor = Tensor(0.5 - 2j)
    assert (ms.jit(lambda x: x * factor)(Tensor(A)) == Tensor(A) * factor).all()
    assert (ms.jit(lambda x: x.conj())(Tensor(2j)) == Tensor(-2j)).all()
    shared = Tensor(A)
    assert all((a == shared).all() for a in ms.jit(lambda x: (x, shared, x.reshape(5, 4).reshape(4, 5)))(shared))


# Gradients


def slopes(function: Callable[[np.ndarray], float], z: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """The derivatives by the real and by the imaginary parts, as a complex number."""
    found = np.zeros(z.shape, complex)
    for index in np.ndindex(z.shape):
        for unit in (1, 1j):
            ends = []
            for sign in (1, -1):
                moved = z.copy()
                moved[index] += sign * step * unit
                ends.append(function(moved))
            found[index] += unit * (ends[0] - ends[1]) / (2 * step)
    return found


def weighted(result: Any, weights: np.ndarray) -> Any:
    """A real number that depends on all parts of a result."""
    if isinstance(result, Tensor):
        return (ops.real(result) * Tensor(weights.real) + ops.imag(result) * Tensor(weights.imag)).sum()
    return float((np.real(result) * weights.real + np.imag(result) * weights.imag).sum())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_finite_differences(name: str) -> None:
    function, numpys = FUNCTIONS[name]
    weights = planar(*np.shape(numpys(A)))
    found = ms.grad(lambda z: weighted(function(z), weights))
    eager, compiled = found(Tensor(A)), ms.jit(found)(Tensor(A))
    assert eager.dtype is ms.complex128
    np.testing.assert_array_equal(eager.asnumpy(), compiled.asnumpy())
    wanted = slopes(lambda z: weighted(numpys(z), weights), A)
    np.testing.assert_allclose(eager.asnumpy(), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", TWO)
def test_gradients_of_two(name: str) -> None:
    weights = planar(4, 5)
    for x, y in ((A, B), (A, B.real), (A.real, B), (A[:, :1], B)):
        found = ms.grad(lambda x, y: weighted(getattr(ops, name)(x, y), weights), (0, 1))(Tensor(x), Tensor(y))
        wanted = (
            slopes(lambda z, y=y: weighted(TWO[name](z, y), weights), x.astype(complex)),
            slopes(lambda z, x=x: weighted(TWO[name](x, z), weights), y.astype(complex)),
        )
        for got, slope, operand in zip(found, wanted, (x, y), strict=True):
            assert got.spec == Tensor(operand).spec
            slope = slope if got.dtype.is_complex else slope.real
            np.testing.assert_allclose(got.asnumpy(), slope, rtol=1e-5, atol=1e-6)


def test_gradients_on_the_axes_and_at_zero() -> None:
    """Where a formula has a kink that the function has not; at 0 the absolute value and the root have gradient 0."""
    axes = np.array([0.5 + 0j, 0.5j, -0.5j, -0.7 + 1e-9j])
    for name in ("sqrt", "abs", "log", "tanh", "atan", "asin", "square", "exp"):
        weights = planar(4)
        got = ms.grad(lambda z, name=name, weights=weights: weighted(getattr(ops, name)(z), weights))(Tensor(axes))
        wanted = slopes(lambda z, name=name, weights=weights: weighted(ONE[name](z), weights), axes, 1e-10)
        np.testing.assert_allclose(got.asnumpy(), wanted, rtol=1e-4, atol=1e-4, err_msg=name)
    zero = Tensor(np.zeros(2, np.complex64))
    for function in (ops.abs, ops.sqrt, ops.sgn):
        assert (ms.grad(lambda z, f=function: ops.real(f(z)).sum())(zero) == 0).all()


def test_a_step_against_the_gradient_makes_a_real_loss_less() -> None:
    target = Tensor(A)

    def loss(z: Tensor) -> Tensor:
        return ops.abs(z - target).square().sum()

    z = Tensor(B)
    np.testing.assert_allclose(ms.grad(loss)(z).asnumpy(), 2 * (B - A), rtol=1e-12)
    for _ in range(60):
        z = z - 0.1 * ms.grad(loss)(z)
    np.testing.assert_allclose(z.asnumpy(), A, rtol=1e-4)


def test_of_a_complex_result_the_real_part_is_differentiated() -> None:
    """As MindSpore does it: the cotangent of a result is 1, unless the program gives another."""
    z = Tensor(A)
    np.testing.assert_allclose(ms.grad(lambda z: (z * z).sum())(z).asnumpy(), 2 * A.conj(), rtol=1e-12)
    (pulled,) = ms.vjp(lambda z: z * z, z)[1](Tensor(B))
    np.testing.assert_allclose(pulled.asnumpy(), 2 * A.conj() * B, rtol=1e-12)
    with pytest.raises(ValueError, match="sens must have the type"):
        ms.grad(lambda z: z * z, sens_param=True)(z, Tensor(B.real))


def test_derivatives_along_a_direction() -> None:
    along = Tensor(B)
    holomorphic = {ops.square: lambda z: 2 * z, lambda z: ops.exp(z) * z: lambda z: np.exp(z) * (1 + z)}
    for function, slope in holomorphic.items():
        value, found = ms.jvp(function, Tensor(A), along)
        np.testing.assert_allclose(value.asnumpy(), function(Tensor(A)).asnumpy(), rtol=1e-12)
        np.testing.assert_allclose(found.asnumpy(), slope(A) * B, rtol=1e-11)
    np.testing.assert_allclose(ms.jvp(ops.conj, Tensor(A), along)[1].asnumpy(), B.conj(), rtol=1e-12)
    with pytest.raises(TypeError, match="jacrev: expected a real value"):
        ms.jacrev(lambda z: z * z)(along)
    assert ms.jacrev(lambda z: ops.abs(z))(Tensor(A[0])).shape == (5, 5)


def test_second_derivatives() -> None:
    def inner(z: Tensor) -> Tensor:
        return ops.abs(ms.grad(lambda z: ops.real(ops.exp(z) * z.conj()).sum())(z)).square().sum()

    point = planar(3)
    found = ms.grad(inner)(Tensor(point)).asnumpy()
    np.testing.assert_array_equal(found, ms.jit(ms.grad(inner))(Tensor(point)).asnumpy())
    wanted = slopes(lambda z: float(inner(Tensor(z))), point, 1e-5)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_backward_pass_of_its_own() -> None:
    class Turned(nn.Cell):
        def construct(self, z: Tensor) -> Tensor:
            return z * 1j

        def bprop(self, z: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
            return (dout * 10,)

    found = ms.grad(lambda z: weighted(Turned()(z), B))(Tensor(A))
    np.testing.assert_allclose(found.asnumpy(), 10 * B, rtol=1e-12)


# Parameters


class Net(nn.Cell):
    """A complex layer between real ones."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = Parameter(RNG_OF_NET.astype(np.complex64), name="weight")
        self.out = nn.Dense(6, 1, weight_init="ones", bias_init="zeros")

    def construct(self, x: Tensor) -> Tensor:
        hidden = ops.matmul(x, self.weight)
        return self.out(ops.view_as_real(ops.tanh(hidden)).reshape(x.shape[0], -1))


RNG_OF_NET = planar(4, 3)
DATA = RNG.normal(size=(8, 4)).astype(np.float32)
OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "sgd": lambda p: nn.SGD(p, 0.05, momentum=0.9), "momentum": lambda p: nn.Momentum(p, 0.05, 0.9),
    "adam": lambda p: nn.Adam(p, 0.05, weight_decay=0.01), "adamw": lambda p: nn.AdamWeightDecay(p, 0.05),
    "rmsprop": lambda p: nn.RMSProp(p, 0.05), "lamb": lambda p: nn.Lamb(p, 0.05), "adagrad": lambda p: nn.Adagrad(p),
    "experimental": lambda p: ms.experimental.optim.AdamW(p, 0.05),
}  # fmt: skip


def trained(mode: int, make: Callable[[Any], Any], net: Any = None) -> tuple[list[float], Any, Any]:
    ms.set_context(mode=mode)
    net = net or Net()
    optimizer = make(net.trainable_params())
    step = ms.value_and_grad(lambda x: ops.square(net(x) - 1).mean(), None, optimizer.parameters)
    losses = []
    for _ in range(5):
        loss, grads = step(Tensor(DATA))
        optimizer(grads)
        losses.append(float(loss))
    return losses, net, optimizer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_complex_parameters_train(name: str) -> None:
    losses, net, optimizer = trained(ms.PYNATIVE_MODE, OPTIMIZERS[name])
    again, other, _ = trained(ms.GRAPH_MODE, OPTIMIZERS[name])
    assert losses == again and losses[-1] < losses[0]
    np.testing.assert_array_equal(net.weight.asnumpy(), other.weight.asnumpy())
    assert optimizer.parameters[0] is net.weight and net.weight.dtype is ms.complex64


class Paired(nn.Cell):
    """The same with real Parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = Parameter(np.stack([RNG_OF_NET.real, RNG_OF_NET.imag], -1).astype(np.float32), name="weight")
        self.out = nn.Dense(6, 1, weight_init="ones", bias_init="zeros")

    def construct(self, x: Tensor) -> Tensor:
        hidden = ops.matmul(x, ops.complex(self.weight[..., 0], self.weight[..., 1]))
        return self.out(ops.view_as_real(ops.tanh(hidden)).reshape(x.shape[0], -1))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_see_real_and_imaginary_parts(name: str) -> None:
    losses, net, _ = trained(ms.GRAPH_MODE, OPTIMIZERS[name])
    paired, other, _ = trained(ms.GRAPH_MODE, OPTIMIZERS[name], Paired())
    assert losses == paired
    np.testing.assert_array_equal(net.weight.asnumpy().view(np.float32).reshape(4, 3, 2), other.weight.asnumpy())


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_checkpoints_hold_complex_parameters(tmp_path: Path, dtype: Any) -> None:
    net = Net()
    net.weight = Parameter(RNG_OF_NET.astype(dtype) * 2, name="weight")
    ms.save_checkpoint(net, str(tmp_path / "net.ckpt"), crc_check=True)
    loaded = ms.load_checkpoint(str(tmp_path / "net.ckpt"), crc_check=True)
    assert loaded["weight"].dtype is net.weight.dtype
    other = Net()
    ms.load_param_into_net(other, loaded)
    np.testing.assert_array_equal(other.weight.asnumpy(), net.weight.asnumpy().astype(np.complex64))


def test_a_run_that_is_resumed_is_one_that_was_not_interrupted(tmp_path: Path) -> None:
    _, net, optimizer = trained(ms.GRAPH_MODE, OPTIMIZERS["adam"])
    ms.save_checkpoint(optimizer, str(tmp_path / "adam.ckpt"))
    other = Net()
    again = OPTIMIZERS["adam"](other.trainable_params())
    ms.load_param_into_net(again, ms.load_checkpoint(str(tmp_path / "adam.ckpt")))
    for cell, chosen in ((net, optimizer), (other, again)):
        step = ms.value_and_grad(lambda x, cell=cell: ops.square(cell(x) - 1).mean(), None, chosen.parameters)
        chosen(step(Tensor(DATA))[1])
    np.testing.assert_array_equal(net.weight.asnumpy(), other.weight.asnumpy())


def test_an_exported_network_has_complex_numbers(tmp_path: Path) -> None:
    net = Net()
    ms.export(net, Tensor(DATA), file_name=str(tmp_path / "net"), file_format="MINDIR")
    loaded = nn.GraphCell(ms.load(str(tmp_path / "net.mindir")))
    np.testing.assert_array_equal(loaded(Tensor(DATA)).asnumpy(), net(Tensor(DATA)).asnumpy())


def test_a_parameter_is_assigned_to_in_a_graph() -> None:
    held = Parameter(np.zeros(3, np.complex64), name="held")

    @ms.jit
    def added(z: Tensor) -> Tensor:
        ops.assign_add(held, z)
        return held * 1j

    z = planar(3).astype(np.complex64)
    added(Tensor(z))
    np.testing.assert_array_equal(added(Tensor(z)).asnumpy(), (z + z) * np.complex64(1j))
    np.testing.assert_array_equal(held.asnumpy(), z + z)
    assert ParameterTuple([held]).clone("more")[0].dtype is ms.complex64


def test_vmap_and_jit_of_a_method_take_them() -> None:
    found = ms.vmap(lambda z: z.conj() * 2)(Tensor(A))
    np.testing.assert_array_equal(found.asnumpy(), A.conj() * 2)


def test_numpys_names_take_them() -> None:
    z = A.astype(np.complex64)
    for name in ("sum", "mean", "std", "var", "nansum", "sqrt", "exp", "absolute", "cumsum", "square", "trace"):
        got = getattr(mnp, name)(Tensor(z)).asnumpy()
        np.testing.assert_allclose(got, getattr(np, name)(z), rtol=1e-4)
    assert mnp.polyval(Tensor([2.0, 1.0]), Tensor(z)).asnumpy() == pytest.approx(2 * z + 1)
    assert mnp.norm(Tensor(z)).item() == pytest.approx(np.linalg.norm(z))
    assert mnp.ones(2, mnp.complex64).dtype is ms.complex64
