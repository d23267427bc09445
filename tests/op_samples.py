"""Operands for the table's ops: several shapes and dtypes, and the values at which ops go wrong.

Those of matrix products, convolution, pooling, losses and random numbers are in `op_samples_nn`.

`SAMPLES[name]` is a list of `Sample`s. Each is checked for its type, its kernel and, where `smooth`, its derivative (by
finite differences, so it lies away from kinks and poles).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.dtype import bool_, complex64, complex128, float32, float64, int32, int64, uint8


@dataclass(frozen=True)
class Sample:
    """One call: operands, attributes, and whether the op is differentiable there."""

    operands: tuple[np.ndarray, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    smooth: bool = False

    def __str__(self) -> str:
        types = ",".join(f"{o.dtype.name}{list(o.shape)}".replace(" ", "") for o in self.operands)
        attrs = ",".join(f"{k}={v}" for k, v in self.attrs.items()).replace(" ", "")
        return f"{types};{attrs}" if attrs else types


SAMPLES: dict[str, list[Sample]] = {}
_rng = np.random.default_rng(20240229)

FLOATS, INTS = ("float32", "float64"), ("int32", "int64", "uint8")
EDGES = [
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 1e-30, -1e-30, 1e-44, 3.0e38, -3.0e38, 8388608.5, 16777217.0, 88.0,
    -88.0, 0.1, np.inf, -np.inf, np.nan,
]  # fmt: skip
INT_EDGES = [0, 1, -1, 2, -2, 3, 7, -7, 31, 32, 63, 64, 255, 2**31 - 1, -(2**31)]


def normal(*shape: int, dtype: str = "float64") -> np.ndarray:
    return _rng.normal(size=shape).astype(dtype)


def whole(*shape: int, low: int = -5, high: int = 6, dtype: str = "int64") -> np.ndarray:
    return _rng.integers(low, high, shape).astype(dtype)


def truth(*shape: int) -> np.ndarray:
    return _rng.random(shape) < 0.5


def edges(dtype: str) -> np.ndarray:
    values = EDGES if dtype.startswith("float") else INT_EDGES
    with np.errstate(all="ignore"):
        return np.array(values, np.float64 if dtype.startswith("float") else np.int64).astype(dtype)


def pairs(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Every edge value with every other."""
    values = edges(dtype)
    x, y = np.meshgrid(values, values, indexing="ij")
    return x.copy(), y.copy()


def add(names: str, *samples: Sample) -> None:
    for name in names.split():
        SAMPLES.setdefault(name, []).extend(samples)


def sample(*operands: np.ndarray, smooth: bool = False, **attrs: Any) -> Sample:
    return Sample(tuple(np.asarray(o) for o in operands), attrs, smooth)


# Elementwise: all the edge values, then smooth ones of an odd size (so that vector kernels have a rest)

_DOMAINS = {
    "log log2 log10 sqrt rsqrt reciprocal": (0.2, 3.0), "log1p": (-0.8, 3.0), "asin acos atanh erfinv": (-0.9, 0.9),
    "acosh": (1.2, 4.0), "lgamma digamma": (0.3, 12.0), "abs relu sign floor ceil round trunc": (0.1, 0.4),
    "exp exp2 expm1 sin cos tan atan sinh cosh tanh asinh sigmoid softplus erf erfc": (-1.4, 1.3),
    "square neg identity copy": (-1.4, 1.3),
}  # fmt: skip
for _names, (_low, _high) in _DOMAINS.items():
    _smooth = np.linspace(_low, _high, 19)
    _many = np.linspace(_low, _high, 1001).astype("float32")
    _zeros = () if _names.startswith("log") else (sample(np.zeros((0, 3), "float32")),)
    add(_names, sample(_smooth, smooth=True), sample(_many), *_zeros, sample(np.float64(_high).reshape(())))
    add(_names, *(sample(edges(d)) for d in FLOATS))
add("lgamma digamma", sample(np.linspace(-3.7, -3.2, 7), smooth=True))
for _order in (1, 2, 3):
    add("polygamma", sample(np.linspace(0.3, 12.0, 19), n=_order, smooth=True))
    add("polygamma", sample(np.linspace(-3.8, -3.3, 7), n=_order, smooth=True))
    add("polygamma", sample(np.linspace(-5.0, 30.0, 1001).astype("float32"), n=_order))
    add("polygamma", *(sample(edges(d), n=_order) for d in FLOATS), sample(np.zeros((0, 3), "float32"), n=_order))
_near, _far = np.linspace(0.2, 4.0, 13), np.linspace(5.3, 12.0, 11)
for _kind in ("i0", "i1", "i0e", "i1e", "j0", "j1", "k0", "k1", "k0e", "k1e", "y0", "y1"):
    _name = f"bessel_{_kind}"
    add(_name, sample(_near, smooth=True), sample(_far * (0.3 if _kind in ("i0", "i1") else 1), smooth=True))
    add(_name, *(sample(edges(d)) for d in FLOATS), sample(np.zeros((0, 3), "float32")))
    add(_name, sample(np.linspace(-90.0, 90.0, 1001).astype("float32")), sample(np.linspace(0.01, 60.0, 301)))
    if _kind[0] in "ij":
        add(_name, sample(-_near, smooth=True))
add("abs relu sign floor ceil round trunc", sample(-np.linspace(0.1, 0.4, 7), smooth=True))
add("abs relu sign floor ceil round trunc square neg identity copy stop_gradient", *(sample(edges(d)) for d in INTS))
add("identity copy stop_gradient logical_not bitwise_not", sample(truth(5, 3)))
add("stop_gradient", sample(normal(3, 4)))
add("bitwise_not", *(sample(edges(d)) for d in INTS))
add("isnan isinf isfinite", *(sample(edges(d)) for d in (*FLOATS, *INTS)))

_FLOAT_PAIRS = "add sub mul div floor_mod fmod maximum minimum"
_COMPARISONS = "less less_equal greater greater_equal equal not_equal"
add(f"{_FLOAT_PAIRS} floor_div atan2 {_COMPARISONS}", *(sample(*pairs(d)) for d in FLOATS))
add(
    f"{_FLOAT_PAIRS} atan2",
    sample(np.linspace(0.6, 2.7, 15).reshape(3, 5), np.linspace(3.1, 1.3, 15).reshape(3, 5), smooth=True),
)
add(f"add sub mul floor_div floor_mod fmod maximum minimum {_COMPARISONS}", *(sample(*pairs(d)) for d in INTS))
add(
    "gcd",
    *(sample(whole(6, 7, low=-90 * (d != "uint8"), high=90, dtype=d), whole(6, 7, low=0, dtype=d)) for d in INTS),
    sample(np.array([2**62, 6**20, 0], "int64"), np.array([6**23, 2**40, 0], "int64")),
    sample(np.array([1836311903, -1836311903, 7], "int32"), np.array([1134903170, 1134903170, 0], "int32")),
)
add("bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift", *(sample(*pairs(d)) for d in INTS))
add(
    "add mul maximum minimum logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor equal",
    sample(truth(4, 9), truth(4, 9)),
)
_some = np.array([0.0, 1e-30, 0.3, 1.0, 9.99, 50.0, 1e15, np.inf, np.nan, -1.0])
_shapes, _places = (x.copy() for x in np.meshgrid(_some, _some, indexing="ij"))
for _attrs, _dtype in (({}, "float32"), ({"upper": True}, "float64"), ({"order": 1}, "float64")):
    add(
        "igamma",
        sample(np.array([0.05, 0.6, 1.7, 9.0, 14.0]), np.array([0.4, 2.0, 0.9, 7.0, 17.0]), smooth=True, **_attrs),
        sample(_shapes[:6].astype(_dtype), _places[:6].astype(_dtype), **_attrs),
        sample(np.zeros((0, 3), "float32"), np.zeros((0, 3), "float32"), **_attrs),
    )
add("igamma", sample(np.array([0.6, 1.7, 0.2]), np.array([0.4, 2.5, 3.0]), order=2, upper=True))
add(
    "gamma_density", *(sample(_shapes.astype(d), _places.astype(d)) for d in FLOATS),
    sample(np.linspace(0.3, 14.0, 12), np.linspace(0.2, 17.0, 12), smooth=True),
)
add(
    "zeta", *(sample(_shapes.astype(d), _places.astype(d)) for d in FLOATS),
    sample(np.linspace(1.3, 14.0, 12), np.linspace(0.2, 17.0, 12), smooth=True),
    sample(np.linspace(1.3, 4.0, 7), np.linspace(5.0, 0.8, 7), smooth=True, order=1),
    sample(np.linspace(1.3, 9.0, 7), np.linspace(7.0, 0.2, 7), order=3),
)
_tiny = 2.0 ** np.arange(-1074, 1024, dtype="float64")
add("nextafter", *(sample(*pairs(d)) for d in FLOATS), sample(normal(3, 5), normal(3, 5), smooth=True))
for _dtype, _powers in (("float64", _tiny), ("float32", 2.0 ** np.arange(-149, 128, dtype="float64"))):
    _around = np.stack([_powers * k for k in (1.0, 1.5, -1.0)]).astype(_dtype)
    add("nextafter", sample(_around, np.zeros_like(_around)), sample(_around, _around[:, ::-1]))
add("floor_div", sample(np.linspace(0.6, 2.7, 15), np.linspace(3.1, 0.3, 15)))
add("pow", *(sample(*pairs(d)) for d in INTS), *(sample(*pairs(d)) for d in FLOATS))
add("pow", sample(np.linspace(0.3, 2.0, 12), np.linspace(-1.5, 2.5, 12), smooth=True))
add("pow", sample(whole(40, low=-9, high=9), whole(40, low=-3, high=40)))
add(
    "select",
    sample(truth(4, 5), normal(4, 5), normal(4, 5), smooth=True),
    sample(truth(3, 3), truth(3, 3), truth(3, 3)),
)
add("select", sample(truth(37), whole(37, dtype="int32"), whole(37, dtype="int32")))

_FAR = np.array([1e10, -1e10, 2.0**31, -(2.0**31), 2.0**63, -(2.0**63), 2.0**24 + 1, 255.5, 256.0, -0.9, -1.0, 254.9])
for _to in (float32, float64, int32, int64, uint8, bool_):
    add("cast", *(sample(edges(d), dtype=_to) for d in (*FLOATS, *INTS)), sample(truth(6), dtype=_to))
    add("cast", sample(_FAR, dtype=_to), sample(_FAR.astype("float32"), dtype=_to))
add("cast", sample(normal(3, 5), dtype=float64, smooth=True))

# Data movement

add("reshape", sample(normal(4, 6), shape=(2, 12), smooth=True), sample(normal(2, 3, 4), shape=(4, 3, 2), smooth=True))
add(
    "reshape",
    sample(normal(1), shape=()),
    sample(np.zeros((0, 4), "int32"), shape=(2, 0)),
    sample(truth(6), shape=(3, 1, 2)),
)
add("transpose", sample(normal(3, 5), perm=(1, 0), smooth=True), sample(normal(2, 3, 4), perm=(2, 0, 1), smooth=True))
add("transpose", sample(whole(17, 33, dtype="int32"), perm=(1, 0)), sample(normal(), perm=()))
add("broadcast_to", sample(normal(3, 1), shape=(2, 3, 4), smooth=True), sample(normal(), shape=(5,), smooth=True))
add("broadcast_to", sample(normal(1, 4, 1, dtype="float32"), shape=(3, 4, 5)), sample(truth(1), shape=(0,)))
add("slice", sample(normal(5, 7), begin=(1, 0), shape=(2, 3), step=(2, 3), smooth=True))
add(
    "slice",
    sample(normal(5, 7), begin=(0, 2), shape=(5, 0), step=(1, 1)),
    sample(whole(9), begin=(8,), shape=(1,), step=(5,)),
)
add("pad", sample(normal(3, 2), normal(), low=(1, 0), high=(2, 1), interior=(1, 2), smooth=True))
add("pad", sample(whole(4), np.int64(9).reshape(()), low=(2,), high=(0,), interior=(0,)))
add("pad", sample(np.zeros((0, 2), "float32"), np.float32(1).reshape(()), low=(1, 1), high=(1, 0), interior=(3, 0)))
add(
    "flip", sample(normal(3, 4, 2), axes=(0, 2), smooth=True), sample(whole(7), axes=(0,)), sample(truth(2, 3), axes=())
)
add(
    "concat",
    sample(normal(2, 3), normal(2, 1), normal(2, 4), axis=1, smooth=True),
    sample(truth(2, 2), truth(3, 2), axis=0),
)
add(
    "concat",
    sample(whole(3, dtype="int32"), axis=0),
    sample(np.zeros((0, 2), "float32"), normal(2, 2, dtype="float32"), axis=0),
)
add(
    "weave",
    sample(normal(2, 2), normal(2, 1), begins=((0, 0), (0, 1)), step=(1, 2), shape=(2, 3), smooth=True),
    sample(normal(1, 2), normal(1, 1), normal(1, 2), normal(1, 1), begins=((1, 0), (0, 1), (0, 0), (1, 1)), step=(2, 2),
           shape=(2, 3), smooth=True),
    sample(whole(3, dtype="int32"), begins=((0,),), step=(1,), shape=(3,)),
)  # fmt: skip
add(
    "iota",
    *(sample(shape=(3, 4), axis=a, dtype=d) for a in (0, 1) for d in (int64, float32)),
    sample(shape=(300,), axis=0, dtype=uint8),
)

# Reductions: sizes below, at and above the sixteen partial results, over each kind of run

for _name in ["sum", "prod", "max", "min", "argmax", "argmin"]:
    _smooth = _name in ("sum", "prod", "max", "min")
    for _run in ((0, 1), (1, 2), (1, 3), (0, 3), (2, 2)):
        add(_name, sample(normal(3, 4, 5), run=_run, smooth=_smooth))
    add(_name, sample(normal(1000, dtype="float32"), run=(0, 1)), sample(normal(16, 33, dtype="float32"), run=(0, 1)))
    add(_name, sample(np.array([[1.0, np.nan, 2.0], [np.inf, 1.0, -np.inf]], "float32"), run=(1, 2)))
    add(_name, *(sample(whole(7, 19, low=0, high=4, dtype=d), run=(1, 2)) for d in INTS))
add(
    "sum prod",
    sample(np.zeros((0, 3), "float32"), run=(0, 1)),
    sample(np.array([2.0, 0.0, 3.0, 0.0, 1.0]), run=(0, 1), smooth=True),
)
add("prod", sample(np.array([2.0, 0.0, 3.0]), run=(0, 1), smooth=True))
add("max min argmax argmin", sample(truth(5, 6), run=(1, 2)), sample(np.zeros((0, 3), "float32"), run=(1, 2)))
add(
    "any all",
    *(sample(truth(4, 3, 20), run=r) for r in ((0, 1), (1, 3), (0, 3))),
    sample(np.zeros((3, 0), bool), run=(1, 2)),
)
add("any all", sample(np.ones((3, 17), bool), run=(1, 2)), sample(np.zeros((3, 17), bool), run=(1, 2)))

# Sequences

_shuffled = np.array([[3.0, 1.0, 2.0, 1.0, np.nan, -np.inf, 0.0, -0.0, np.inf, 1.0]], "float32")
for _name in ("cumsum", "cumprod"):
    add(_name, sample(normal(3, 4, 2), axis=1, smooth=True), sample(normal(5), axis=0, smooth=True))
    add(
        _name,
        sample(normal(40, 3, dtype="float32"), axis=0),
        *(sample(whole(4, 9, dtype=d, low=0), axis=1) for d in INTS),
    )
    add(_name, sample(np.zeros((0, 3), "float32"), axis=0), sample(_shuffled, axis=1))
add("cumprod", sample(np.array([2.0, 0.0, 3.0, 0.5]), axis=0, smooth=True))
add("recur", sample(normal(3, 4, 2), normal(3, 4, 2), axis=1, smooth=True), sample(normal(1), normal(1), axis=0))
add("recur", sample(np.array([9.0, 0.0, 3.0, 0.5]), normal(4), axis=0, smooth=True))
add("recur", *(sample(x, x[::-1].copy(), axis=1) for x in (normal(9, 70, dtype="float32"), normal(2, 3), normal(3, 0))))
add("recur", *(sample(whole(4, 9, dtype=d, low=0), whole(4, 9, dtype=d, low=0), axis=1) for d in INTS))
for _name in ("cummax", "cummin", "cumargmax", "cumargmin"):
    add(_name, *(sample(np.array([0.0, -0.0, 1.0, 0.0, np.nan, 2.0, -np.inf, np.nan], d), axis=0) for d in FLOATS))
    add(_name, sample(normal(19, 5, dtype="float32"), axis=1), sample(normal(7, 37, dtype="float32"), axis=0))
    add(_name, sample(whole(9, 3, dtype="int32"), axis=0), sample(truth(2, 9), axis=1), sample(normal(2, 0), axis=1))
for _name in ("cummax", "cummin"):
    add(_name, sample(normal(3, 4), axis=1, smooth=True), sample(normal(4, 2, 3), axis=0, smooth=True))
for _name in ("cumargmax", "cumargmin"):
    add(_name, sample(normal(3, 4, 2), axis=1), sample(normal(40, 3, dtype="float32"), axis=0))
    add(_name, sample(truth(5, 9), axis=1), sample(normal(0, 3), axis=0))
    add(_name, sample(_shuffled, axis=1), sample(_shuffled[:, ::-1].copy(), axis=1), sample(edges("float64"), axis=0))
    add(_name, *(sample(whole(9, 70, dtype=d, low=0, high=4), axis=0) for d in INTS))
for _down in (False, True):
    add("argsort", sample(_shuffled, descending=_down), sample(normal(3, 50, dtype="float32"), descending=_down))
    add("argsort", sample(normal(2, 3, 7), descending=_down), sample(truth(4, 9), descending=_down))
    add("argsort", *(sample(whole(5, 33, dtype=d, low=0), descending=_down) for d in INTS))
    add("argsort", sample(np.zeros((3, 0), "float32"), descending=_down), sample(normal(4, 1), descending=_down))
    add("leading", *(sample(normal(3, n, dtype="float32"), count=5, descending=_down) for n in (5, 50, 300)))
    add("leading", sample(truth(4, 9), count=3, descending=_down), sample(truth(2, 3), count=0, descending=_down))
    add("leading", *(sample(whole(5, 33, dtype=d, low=0), count=4, descending=_down) for d in ("int32", "uint8")))

# Matrices: of sizes around the lanes of a vector; rows must change places in most

_matrix = np.array([[0.0, 2.0, 1.0], [1.0, 1.0, -3.0], [4.0, 0.5, 1.0]])
add("inverse lu", sample(_matrix, smooth=True), sample(normal(2, 2, 2), smooth=True), sample(normal(1, 1), smooth=True))
add("inverse lu", sample(np.stack([_matrix, _matrix[::-1]]).astype("float32")), sample(np.zeros((2, 0, 0), "float32")))
for _n in (15, 16, 17, 40):
    add("inverse lu", sample(normal(_n, _n) + 4 * np.eye(_n)[::-1]))
add("lu", sample(np.zeros((3, 3))), sample(np.ones((4, 4), "float32")))

# Factorizations: each eigenvalue and singular value apart from the others, and none near 0


def spread(*shape: int) -> np.ndarray:
    """Matrices with the singular values 1, 2, 3 and so on."""
    u, _, v = np.linalg.svd(normal(*shape), full_matrices=False)
    return (u * np.arange(1.0, u.shape[-1] + 1)) @ v


def definite(*shape: int) -> np.ndarray:
    """Symmetric matrices with the eigenvalues 1, 2, 3 and so on."""
    q = np.linalg.qr(normal(*shape))[0]
    return (q * np.arange(1.0, shape[-1] + 1)) @ np.swapaxes(q, -1, -2)


def mirrored(*shape: int) -> np.ndarray:
    """Symmetric matrices with eigenvalues of both signs."""
    q = np.linalg.qr(normal(*shape))[0]
    return (q * (np.arange(shape[-1]) - 1.3)) @ np.swapaxes(q, -1, -2)


def triangle(*shape: int) -> np.ndarray:
    """Matrices both of whose triangles can be solved with."""
    return normal(*shape) / shape[-1] + 2 * np.eye(shape[-1])


_nothing = sample(np.zeros((2, 0, 0), "float32"))
for _name, _made in (("cholesky", definite), ("eigh", mirrored)):
    add(_name, *(sample(x, smooth=True) for x in (_made(3, 3), _made(2, 2, 2), definite(1, 1))))
    add(_name, sample(_made(2, 5, 5).astype("float32")), _nothing, *(sample(_made(n, n)) for n in (15, 16, 17, 40)))
for _name in ("qr", "svd"):
    for _shape in ((3, 3), (4, 2), (2, 4), (2, 3, 2), (1, 1)):
        add(_name, sample(spread(*_shape), smooth=True))
    add(_name, sample(spread(3, 5, 4).astype("float32")), _nothing, sample(np.zeros((3, 0))))
    add(_name, *(sample(spread(*s)) for s in ((15, 17), (17, 16), (33, 20), (20, 40))))
add("complete", *(sample(np.linalg.qr(normal(*s))[0], smooth=True) for s in ((3, 2), (2, 2, 1))))
add("complete", sample(np.linalg.qr(normal(2, 20, 7))[0].astype("float32")), sample(np.linalg.qr(normal(18, 17))[0]))
add("complete", sample(np.eye(3)), sample(np.zeros((3, 0))))
for _upper in (False, True):
    for _transpose in (False, True):
        _attrs = {"upper": _upper, "transpose": _transpose}
        for _unit in (False, True):
            add("triangular_solve", sample(triangle(3, 3), normal(3, 2), **_attrs, unit=_unit, smooth=True))
        add("triangular_solve", sample(triangle(2, 2, 2), normal(2, 2, 1), **_attrs, smooth=True))
        add("triangular_solve", sample(triangle(17, 17), normal(17, 35), **_attrs))
        add("triangular_solve", sample(*(x.astype("float32") for x in (triangle(2, 9, 9), normal(2, 9, 16))), **_attrs))
add("triangular_solve", sample(np.zeros((0, 2, 2)), np.zeros((0, 2, 3)), upper=True))

# Positions

add("gather", sample(normal(5, 3), whole(2, 4, low=0, high=5), axis=0, batch_dims=0, smooth=True))
add("gather", sample(normal(2, 5, 3), whole(4, low=0, high=5, dtype="int32"), axis=1, batch_dims=0, smooth=True))
add(
    "gather",
    sample(normal(4, 3, 2), whole(6, low=0, high=4), whole(6, low=0, high=3), axis=0, batch_dims=0, smooth=True),
)
add("gather", sample(normal(2, 4, 3, 2), whole(2, 5, low=0, high=4), axis=1, batch_dims=1, smooth=True))
add("gather", sample(normal(2, 3, 4), whole(2, 5, low=0, high=4), axis=2, batch_dims=1, smooth=True))
add(
    "gather",
    sample(truth(7), np.array(3, "uint8"), axis=0, batch_dims=0),
    sample(whole(3, 2), np.zeros(0, "int64"), axis=0, batch_dims=0),
)
add("gather_elements", sample(normal(4, 3), whole(2, 3, low=0, high=4), axis=0, smooth=True))
add("gather_elements", sample(normal(2, 5, 3), whole(2, 4, 3, low=0, high=5, dtype="int32"), axis=1, smooth=True))
for _name in ("scatter_add", "scatter_set"):
    add(_name, sample(normal(5, 3), np.array([[1, 4], [1, 0]]), normal(2, 2, 3), smooth=True))
    add(_name, sample(normal(6), np.array([5, 5, 5, 0], "int32"), normal(4), smooth=True))
    add(_name, sample(normal(4, 9, dtype="float32"), whole(30, low=0, high=4), normal(30, 9, dtype="float32")))
    add(_name, *(sample(whole(4, dtype=d, low=0), whole(9, low=0, high=4), whole(9, dtype=d, low=0)) for d in INTS))
    add(
        _name,
        sample(normal(3, 2), np.zeros(0, "int64"), normal(0, 2)),
        sample(normal(3, 2), np.array(1), normal(2), smooth=True),
    )
add(
    "diagonal",
    *(sample(normal(2, 4, 3), offset=offset, smooth=True) for offset in (-2, 0, 1)), sample(whole(4, 9), offset=3),
    sample(truth(5, 5), offset=-1), sample(normal(3, 4), offset=7), sample(normal(40, 33, dtype="float32"), offset=-3),
)  # fmt: skip
for _right in (False, True):
    add(
        "searchsorted",
        *(
            sample(np.sort(whole(2, 40, low=0, high=50, dtype=d), -1), whole(2, 37, dtype=d), right=_right)
            for d in ("int32", "int64")
        ),
        sample(np.sort(normal(3, 21), -1), np.concatenate([normal(3, 30), np.full((3, 1), np.nan)], 1), right=_right),
        sample(np.array([[-1.0, 0.0, 0.0, np.inf, np.nan]], "float32"), normal(1, 33, dtype="float32"), right=_right),
        sample(np.zeros((2, 0)), normal(2, 5), right=_right),
        sample(normal(2, 5), np.zeros((2, 0)), right=_right),
    )
for _name in ("scatter_elements_add", "scatter_elements_set"):
    _places = np.array([[0, -1, 4, 4], [2, 2, -5, 0], [1, 0, 3, 1]])
    add(_name, sample(normal(3, 5), _places, normal(3, 4), axis=1, smooth=True))
    add(_name, sample(normal(4, 2, 3), whole(3, 2, 3, low=-4, high=4), normal(3, 2, 3), axis=0, smooth=True))
    add(_name, sample(normal(2, 3, 4), whole(2, 5, 4, low=-3, high=3, dtype="int32"), normal(2, 5, 4), axis=1))
    add(_name, sample(normal(5, 70), whole(6, 70, low=-5, high=5), normal(6, 70), axis=0))
    add(
        _name,
        *(sample(whole(7, dtype=d, low=0), whole(9, low=0, high=7), whole(9, dtype=d, low=0), axis=0) for d in INTS),
    )
    add(_name, sample(normal(3, 2), np.zeros((3, 0), "int64"), normal(3, 0), axis=1))
    add(_name, sample(truth(4), whole(3, low=0, high=4), truth(3), axis=0))
for _name in ("segment_max", "segment_min", "segment_prod"):
    add(_name, sample(normal(5, 3), np.array([1, 2, 1, 0, 1]), extent=3, smooth=True))
    add(_name, sample(normal(2, 3, 2), np.array([[1, 2, 1], [-1, 0, 7]], "int32"), extent=3, smooth=True))
    add(_name, sample(normal(30, 70, dtype="float32"), whole(30, low=0, high=4, dtype="uint8"), extent=4))
    add(_name, *(sample(whole(20, 3, dtype=d, low=0), whole(20, low=0, high=4), extent=6) for d in INTS))
    add(_name, sample(np.array([1.0, np.nan, 3.0, -np.inf, -0.0]), np.array([0, 0, 0, 1, 2]), extent=3))
    add(_name, sample(normal(0, 2), np.zeros(0, "int64"), extent=3), sample(normal(4, 0), whole(4, low=0), extent=2))
add(
    "first_places",
    *(sample(np.array([[7, 2], [7, 3]], d), extent=41, name="op") for d in ("uint8", "int32", "int64")),
    sample(whole(50, low=0, high=16), extent=16, name="op"),
    sample(np.zeros(0, "int64"), extent=3, name="op"),
    sample(np.zeros((0, 2), "int32"), extent=0, name="op"),
)
for _dtype in ("float32", "float64", "int32"):
    _places = np.array([-1, 2, 0, -1, 2, -7], "int32")
    add("rows_or_zero", sample(whole(3, 5, low=-9, high=9).astype(_dtype), _places))
    add("rows_or_zero", sample(whole(4, low=-9, high=9).astype(_dtype), np.tile(_places, 9)))
    add("rows_or_zero", sample(whole(3, 2, 20, low=-9, high=9).astype(_dtype), _places))
for _dtype in ("float32", "float64", "int32"):
    _to, _from = np.array([[3, 0], [3, 1]], "int32"), np.array([2, -1, 0, 4])  # two of which are not there
    _x, _source = (whole(n, 6, low=-9, high=9).astype(_dtype) for n in (4, 3))
    add("scatter_add_rows", sample(_x, _to, _source, _from, name="op"))
    for _each in (1, 2, 6):
        _factors = whole(4, _each, low=-9, high=9).astype(_dtype)
        add("scatter_add_rows", sample(_x, _to, _source.reshape(3, 2, 3), _from, _factors, name="op"))
_to, _from, _x = whole(50, low=0, high=5), whole(50, low=0, high=7, dtype="int32"), normal(5, 4, 36, dtype="float32")
for _each in ((), (1,), (4,), (9,)):
    _factors = [normal(50, n, dtype="float32") for n in _each]
    add("scatter_add_rows", sample(_x, _to, normal(7, 144, dtype="float32"), _from, *_factors, name="op"))
add("scatter_add_rows", sample(normal(3, 2), np.zeros(0, "int64"), normal(0, 2), np.zeros(0, "int64"), name="op"))
_on, _off = np.float64(2.5).reshape(()), np.float64(-1).reshape(())
add("one_hot", sample(whole(2, 3, low=0, high=4), _on, _off, depth=4, axis=2, smooth=True))
add(
    "one_hot",
    sample(whole(5, low=0, high=3, dtype="int32"), np.int32(1).reshape(()), np.int32(0).reshape(()), depth=3, axis=0),
)


# Complex numbers: their parts, and the ops that move them as they are


def planar(*shape: int, dtype: str = "complex64") -> np.ndarray:
    return (normal(*shape) + 1j * normal(*shape)).astype(dtype)


for _dtype in FLOATS:
    add("complex", sample(*pairs(_dtype)), sample(normal(dtype=_dtype), normal(dtype=_dtype)))
for _dtype in ("complex64", "complex128"):
    _corners = np.array([complex(x, y) for x in (0.0, -0.0, 1.5, np.inf, np.nan) for y in (0.0, -0.0, -2.0, -np.inf)])
    add("real imag identity stop_gradient", sample(_corners.astype(_dtype)), sample(planar(3, 0, dtype=_dtype)))
    for _to in (float32, float64, bool_, complex64, complex128):
        add("cast", sample(planar(5, dtype=_dtype), dtype=_to), sample(np.zeros(2, _dtype), dtype=_to))
add("cast", *(sample(x, dtype=to) for x in (edges("float32"), whole(7)) for to in (complex64, complex128)))
add("reshape", sample(planar(4, 6), shape=(2, 12)))
add("transpose", sample(planar(3, 17), perm=(1, 0)))
add("broadcast_to", sample(planar(3, 1), shape=(2, 3, 4)), sample(planar(), shape=(5,)))
add("slice", sample(planar(5, 7), begin=(1, 0), shape=(2, 3), step=(2, 3)))
add("pad", sample(planar(3, 2), planar(), low=(1, 0), high=(2, 1), interior=(1, 2)))
add("flip", sample(planar(3, 4), axes=(1,)))
add("diagonal", sample(planar(3, 4), offset=1))
add("concat", sample(planar(3, 2), planar(3, 4), axis=1))
add("weave", sample(planar(3), planar(2), begins=((0,), (1,)), step=(2,), shape=(5,)))
