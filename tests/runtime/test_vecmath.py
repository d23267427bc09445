"""Accuracy, special values and lane-independence of the kernels' mathematics."""

import ctypes
import functools
import importlib.util
import math
import platform
import re
import sys
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest

import graphc.ops  # noqa: F401 (fills the table)
from graphc.dtype import dtype_of
from graphc.op import TABLE
from graphc.random_bits import philox4x32_numpy
from graphc.runtime import functions, jit, vecint
from graphc.runtime.llvmtext import Module, Val, vector
from graphc.runtime.vecmath import FUNCTIONS

DTYPE = {"float": np.float32, "double": np.float64, "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64}
ELEMENT = {np.dtype(dtype): element for element, dtype in DTYPE.items()} | {np.dtype(np.uint8): "i8"}
BINARY = ("atan2", "pow")


# Running a function over arrays


def kernel(module, name, element, lanes, operands, write, results=1):
    """Adds a loop over arrays: `write(b, *vectors)` gives the result's vector, or several."""
    args = [("ptr", f"x{k}") for k in range(operands)] + [("ptr", f"y{k}") for k in range(results)] + [("i64", "n")]
    b = module.function(name, args)
    *arrays, n = b.args
    with b.loop(0, n, lanes) as i:
        loaded = [b.load(b.gep(x, i, element), vector(element, lanes)) for x in arrays[:operands]]
        out = write(b, *loaded)
        for value, y in zip([out] if isinstance(out, Val) else out, arrays[operands:], strict=True):
            b.store(value, b.gep(y, i, value.element))
    b.ret()


@functools.cache
def compiled(name, element, lanes):
    module = Module(f"test_{name}")
    symbol = f"test_{name}_{element}_{lanes}"
    kernel(module, symbol, element, lanes, 2 if name in BINARY else 1, FUNCTIONS[name])
    native = jit.compile_text([str(module)], [symbol])
    return native.function(symbol, None, *[ctypes.c_void_p] * (3 if name in BINARY else 2), ctypes.c_int64)


def call(function, arrays, lanes, dtype=None, results=1):
    size = arrays[0].size
    padded = [np.append(x, np.ones(-size % lanes, x.dtype)) for x in arrays]
    out = [np.empty(padded[0].size, dtype or arrays[0].dtype) for _ in range(results)]
    function(*(x.ctypes.data for x in padded), *(y.ctypes.data for y in out), padded[0].size)
    return out[0][:size] if results == 1 else [y[:size] for y in out]


def apply(name, *arrays, lanes=8):
    arrays = [np.ascontiguousarray(x) for x in arrays]
    return call(compiled(name, ELEMENT[arrays[0].dtype], lanes), arrays, lanes)


def apply_written(write, *arrays, lanes=4, dtype=None, results=1):
    """Compiles `write` for this one call."""
    module = Module("test_written")
    kernel(module, "test_written", ELEMENT[arrays[0].dtype], lanes, len(arrays), write, results)
    native = jit.compile_text([str(module)], ["test_written"])
    function = native.function("test_written", None, *[ctypes.c_void_p] * (len(arrays) + results), ctypes.c_int64)
    return call(function, arrays, lanes, dtype, results)


# Operands


INTEGER_BITS = {np.float32: np.uint32, np.float64: np.uint64}
NANS = {  # signalling and quiet, with payloads
    np.float32: (0x7F800001, 0x7FC12345, 0xFF812345),
    np.float64: (0x7FF0000000000001, 0xFFF8000012345678),
}


def special(dtype):
    info = np.finfo(dtype)
    integer, nans = INTEGER_BITS[dtype], NANS[dtype]
    values = [0.0, np.inf, 1.0, 0.5, 2.0, 3.0, 2.5, 4.0, 1e-3, 10.0, 88.7, 709.7, 1e5, 2.0**24]
    values += [info.smallest_subnormal, info.tiny, info.max, *(np.nextafter(dtype(1), dtype(v)) for v in (0, 2))]
    return np.concatenate([dtype([*values, *(-v for v in values)]), np.array(nans, integer).view(dtype)])


def every_exponent(dtype, each, seed=0):
    """Both signs of every finite exponent, subnormals too, with `each` random fractions."""
    rng = np.random.default_rng(seed)
    integer, fraction, count = (np.uint32, 23, 255) if dtype is np.float32 else (np.uint64, 52, 2047)
    exponents = np.repeat(np.arange(count, dtype=integer), each)
    fractions = rng.integers(0, 1 << fraction, exponents.size, dtype=integer)
    fractions[::each] = 0
    fractions[1::each] = (1 << fraction) - 1
    magnitudes = (exponents << integer(fraction) | fractions).view(dtype)
    return np.concatenate([magnitudes, -magnitudes])


# Where a function is neither constant nor without value: a dense sample beside every exponent.
INTERESTING = {
    "exp": (-746, 711), "exp2": (-1076, 1026), "expm1": (-45, 711), "log": (0.3, 3), "log2": (0.3, 3),
    "log10": (0.3, 3), "log1p": (-1, 3), "sin": (-50, 50), "cos": (-50, 50), "tan": (-50, 50),
    "asin": (-1, 1), "acos": (-1, 1), "atan": (-5, 5), "sinh": (-711, 711), "cosh": (-711, 711), "tanh": (-22, 22),
    "asinh": (-4, 4), "acosh": (1, 4),
    "atanh": (-1, 1), "sigmoid": (-746, 50), "softplus": (-746, 50), "erf": (-6, 6), "erfc": (-6, 28),
    "erfinv": (-1, 1), "lgamma": (-12, 40),
    "digamma": (-12, 40),
}  # fmt: skip


def samples(name, dtype, dense, each):
    lo, hi = INTERESTING.get(name, (-1e6, 1e6))
    if dtype is np.float32:  # the same places of its smaller range
        lo, hi = (end * 0.15 if abs(end) > 100 else end for end in (lo, hi))
    points = np.random.default_rng(1).uniform(lo, hi, dense).astype(dtype)
    near_one = 1 - np.arange(1, 500, dtype=dtype) * np.finfo(dtype).epsneg
    return np.concatenate([special(dtype), every_exponent(dtype, each), points, near_one])


# True values of float results, in double


def sigmoid(x):
    e = np.exp(-abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def softplus(x):
    return np.where(x < 0, 0, x) + np.log1p(np.exp(-abs(x)))


def lgamma(x):
    if x == -math.inf:
        return math.inf
    try:
        return math.lgamma(x)
    except ValueError:
        return math.inf


def erfinv(x):
    """Halley's iteration in double on erf or erfc, from a float's accuracy."""
    a = np.minimum(abs(x), 1)
    y = np.abs(apply("erfinv", a.astype(np.float32)).astype(np.float64))
    y = np.where(np.isfinite(y), y, 1)
    for _ in range(3):
        excess = np.where(a < 0.5, np.vectorize(math.erf)(y) - a, (1 - a) - np.vectorize(math.erfc)(y))
        step = excess * np.exp(y * y) * math.sqrt(math.pi) / 2
        y -= step / (1 + y * step)
    y = np.where(a < 1e-9, a * math.sqrt(math.pi) / 2, np.where(a < 1, y, np.inf))
    return np.where(abs(x) <= 1, np.copysign(y, x), np.nan)


NUMPY = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10,
    "log1p": np.log1p, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh, "acosh": np.arccosh,
    "atanh": np.arctanh, "sigmoid": sigmoid, "softplus": softplus,
}  # fmt: skip
SPECIAL = {
    "erf": np.vectorize(math.erf), "erfc": np.vectorize(math.erfc), "lgamma": np.vectorize(lgamma), "erfinv": erfinv,
    "digamma": TABLE["digamma"].meaning,
}  # fmt: skip


def ulps(result, truth):
    """The error in units of the last place of the true value, as a result of this dtype; inf for the wrong special."""
    with np.errstate(all="ignore"):
        nearest = truth.astype(result.dtype)
        error = abs(result.astype(truth.dtype) - truth) / np.spacing(abs(nearest)).astype(truth.dtype)
        specials = ~(np.isfinite(nearest) & np.isfinite(result))
        same = (result == nearest) | (np.isnan(result) & np.isnan(nearest))
        # between the largest number and infinity, either is within an ulp
        info = np.finfo(result.dtype)
        edge = np.clip(result, info.min, info.max) == np.clip(nearest, info.min, info.max)
        return np.where(specials, np.where(same | (edge & (abs(truth) > info.max)), 0, np.inf), error)


def zero_signs_agree(result, truth):
    with np.errstate(over="ignore"):
        nearest = truth.astype(result.dtype)
    zeros = (result == 0) & (nearest == 0)
    return bool((np.signbit(result) == np.signbit(nearest))[zeros].all())


# The largest errors found in millions of operands, rounded up. A float computed in double is all but correctly rounded.
FLOAT_ULPS = {
    "exp": 1.05, "exp2": 1.05, "expm1": 1.6, "log": 0.85, "log1p": 1.6, "sigmoid": 2.4, "softplus": 1.8, "tanh": 2.6,
    "erf": 1.6, "erfinv": 0.6,
}  # fmt: skip
DOUBLE_ULPS = {
    "exp": 1.0, "exp2": 1.2, "expm1": 1.9, "log": 0.9, "log2": 1.8, "log10": 1.9, "log1p": 1.5, "sin": 0.85,
    "cos": 0.85, "tan": 2.4, "asin": 1.7, "acos": 1.2, "atan": 1.9, "sinh": 1.7, "cosh": 1.5, "tanh": 2.6,
    "asinh": 1.9, "acosh": 2.7, "atanh": 2.1, "sigmoid": 2.4, "softplus": 1.7,
}  # fmt: skip


@pytest.mark.parametrize("name", [*NUMPY, *SPECIAL])
def test_float_accuracy(name):
    slow = name in SPECIAL
    x = samples(name, np.float32, 4000 if slow else 60000, 20 if slow else 100)
    with np.errstate(all="ignore"):
        truth = (NUMPY | SPECIAL)[name](x.astype(np.float64))
    result = apply(name, x)
    error = ulps(result, truth)
    worst = error.argmax()
    limit = FLOAT_ULPS.get(name, 0.52)
    assert error[worst] <= limit, f"{name}({x[worst]!r}) = {result[worst]!r}, expected {truth[worst]!r}"
    assert zero_signs_agree(result, truth)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="no format wider than double to compare with")
@pytest.mark.parametrize("name", NUMPY)
def test_double_accuracy(name):
    x = samples(name, np.float64, 20000, 4)
    with np.errstate(all="ignore"):
        truth = NUMPY[name](x.astype(np.longdouble))
    result = apply(name, x)
    error = ulps(result, truth)
    worst = error.argmax()
    limit = DOUBLE_ULPS[name]
    assert error[worst] <= limit, f"{name}({x[worst]!r}) = {result[worst]!r}, expected {truth[worst]!r}"
    assert zero_signs_agree(result, truth)


# True values of doubles where NumPy has none: 50 digits


PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")


def decimal_erfc(x):
    """1 - erf(x) for x >= 0: the series of erf, and from 2 on the continued fraction of erfc."""
    gauss = (-x * x).exp() / PI.sqrt()
    if x < 2:
        term = total = x
        for n in range(1, 120):
            term = term * 2 * x * x / (2 * n + 1)
            total += term
        return 1 - 2 * gauss * total
    fraction = x
    for k in range(400, 0, -1):
        fraction = x + Decimal(k) / 2 / fraction
    return gauss / fraction


def decimal_erf(x):
    return 1 - decimal_erfc(x)


def decimal_lgamma(x):
    """log Gamma(x) for x > 0: Stirling's series, from 60 up."""
    shift = Decimal(1)
    while x < 60:
        shift *= x
        x += 1
    bernoulli = ("1/6", "-1/30", "1/42", "-1/30", "5/66", "-691/2730", "7/6", "-3617/510", "43867/798", "-174611/330")
    total = (x - Decimal("0.5")) * x.ln() - x + (2 * PI).ln() / 2 - shift.ln()
    for k, ratio in enumerate(bernoulli, 1):
        over, under = map(Decimal, ratio.split("/"))
        total += over / under / (2 * k * (2 * k - 1)) / x ** (2 * k - 1)
    return total


def decimal_digamma(x):
    """The derivative of log Gamma(x) for x > 0, by the difference of `decimal_lgamma` at two points close by."""
    step = Decimal("1e-12")
    return (decimal_lgamma(x + step) - decimal_lgamma(x - step)) / (2 * step)


@pytest.mark.parametrize(
    ("name", "truth", "lo", "hi", "limit"),
    [
        ("erf", decimal_erf, 0.0, 6.0, 1.0),
        ("erfc", decimal_erfc, 0.0, 27.0, 2.8),
        ("lgamma", decimal_lgamma, 0.01, 45.0, 2.5),
        ("digamma", decimal_digamma, 0.01, 45.0, 3.5),
    ],
)
def test_double_accuracy_of_special_functions(name, truth, lo, hi, limit):
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.uniform(lo, hi, 60), rng.uniform(lo, min(hi, 3.0), 120), 1 + rng.normal(size=20) * 1e-3])
    result = apply(name, x)
    with localcontext() as context:
        context.prec = 60
        for operand, value in zip(x, result, strict=True):
            expected = truth(Decimal(float(operand)))
            error = abs(Decimal(float(value)) - expected) / Decimal(math.ulp(float(expected)))
            assert error <= limit, f"{name}({operand!r}) = {value!r}, expected {expected}"
    if name == "erf":
        assert (apply(name, -x) == -result).all()
    if name == "erfc":
        assert abs(apply(name, -x) - (2 - result)).max() <= 2.0**-51


def test_double_erfinv():
    x = np.concatenate([np.random.default_rng(3).uniform(0, 1, 100), 1 - np.exp(-np.linspace(1, 36.6, 60)), [1e-300]])
    y = apply("erfinv", x)
    with localcontext() as context:
        context.prec = 60
        for operand, value in zip(x, y, strict=True):
            a, start = Decimal(float(operand)), Decimal(float(value))
            excess = (1 - a) - decimal_erfc(start) if start > Decimal("0.5") else decimal_erf(start) - a
            step = excess * PI.sqrt() / 2 * (start * start).exp()
            if operand > 1e-20:  # the error of a result this good is its Newton step
                assert abs(step) <= 2 * Decimal(math.ulp(float(value))), f"erfinv({operand!r}) = {value!r}"
            else:
                assert value == pytest.approx(operand * math.sqrt(math.pi) / 2, rel=2e-16)
    assert (apply("erfinv", -x) == -y).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lgamma_at_poles_and_below_zero(dtype):
    assert (apply("lgamma", dtype([0, -0.0, -1, -2, -170, -1e10, np.inf, -np.inf])) == np.inf).all()
    x = dtype([-0.5, -1.5, -1e-20, -1e-3, -10.25, -100.5])
    np.testing.assert_allclose(apply("lgamma", x), [math.lgamma(v) for v in x], rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_digamma_at_poles_and_below_zero(dtype):
    np.testing.assert_array_equal(
        apply("digamma", dtype([0.0, -0.0, -1, -170, -1e10, np.inf, -np.inf])),
        dtype([-np.inf, np.inf, np.nan, np.nan, np.nan, np.inf, np.nan]),
    )
    x = dtype([-0.5, -1.25, -1e-20, -1e-3, -10.25, -100.75])
    wanted = [TABLE["digamma"].meaning(np.float64(v)) for v in x]
    np.testing.assert_allclose(apply("digamma", x), wanted, rtol=8 * np.finfo(dtype).eps)


def test_log2_and_exp2_of_powers_of_two_are_exact():
    exponents = np.arange(-1074, 1024.0)
    powers = np.ldexp(1.0, exponents.astype(int))
    assert (apply("log2", powers) == exponents).all()
    assert (apply("exp2", exponents) == powers).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_stay_in_their_range(dtype):
    x = np.sort(np.concatenate([every_exponent(dtype, 8), np.linspace(-10, 10, 4000, dtype=dtype)]))
    assert (abs(apply("tanh", x)) <= 1).all()
    assert (abs(apply("erf", x)) <= 1).all()
    assert (abs(apply("sin", x)) <= 1).all()
    assert (abs(apply("cos", x)) <= 1).all()
    assert ((apply("sigmoid", x) >= 0) & (apply("sigmoid", x) <= 1)).all()
    assert ((apply("erfc", x) >= 0) & (apply("erfc", x) <= 2)).all()
    assert (apply("softplus", x) >= 0).all()


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_an_angle_beside_a_large_one_is_what_it_is_alone(name):
    x = np.random.default_rng(1).normal(size=64).astype(np.float32) * 100
    mixed = x.copy()
    mixed[::7] = 3e30
    mixed[1::16] = np.inf
    alone, beside = apply(name, x, lanes=16), apply(name, mixed, lanes=16)
    kept = mixed == x
    np.testing.assert_array_equal(beside[kept], alone[kept])
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(beside[~kept], getattr(np, name)(mixed[~kept].astype(np.float64)), 1e-6)


# Two operands


def pairs(dtype, each):
    grid = np.array(np.meshgrid(special(dtype), special(dtype))).reshape(2, -1)
    rng = np.random.default_rng(5)
    left, right = (rng.permutation(every_exponent(dtype, each)) for _ in range(2))
    return np.concatenate([grid[0], left, rng.normal(size=20000).astype(dtype)]), np.concatenate(
        [grid[1], right, rng.normal(size=20000).astype(dtype)]
    )


@pytest.mark.parametrize(("name", "truth"), [("atan2", np.arctan2), ("pow", np.power)])
def test_float_accuracy_of_two_operands(name, truth):
    x, y = pairs(np.float32, 40)
    if name == "pow":
        rng = np.random.default_rng(6)
        more_x = np.concatenate([np.exp(rng.uniform(-20, 20, 40000)), rng.uniform(-10, 10, 20000)])
        more_y = np.concatenate([rng.uniform(-4, 4, 40000), rng.integers(-40, 40, 20000)])
        x, y = np.append(x, more_x.astype(np.float32)), np.append(y, more_y.astype(np.float32))
    with np.errstate(all="ignore"):
        expected = truth(x.astype(np.float64), y.astype(np.float64))
    result = apply(name, x, y)
    error = ulps(result, expected)
    worst = error.argmax()
    assert error[worst] <= 0.52, f"{name}({x[worst]!r}, {y[worst]!r}) = {result[worst]!r}, not {expected[worst]!r}"
    assert zero_signs_agree(result, expected)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="no format wider than double to compare with")
@pytest.mark.parametrize(("name", "truth", "limit"), [("atan2", np.arctan2, 2.0), ("pow", np.power, 1.3)])
def test_double_accuracy_of_two_operands(name, truth, limit):
    x, y = pairs(np.float64, 4)
    if name == "pow":
        rng = np.random.default_rng(7)
        x = np.concatenate([x, np.exp(rng.uniform(-30, 30, 10000)), rng.uniform(0.9, 1.1, 10000)])
        y = np.concatenate([y, rng.uniform(-20, 20, 10000), rng.uniform(-6000, 6000, 10000)])
    with np.errstate(all="ignore"):
        expected = truth(x.astype(np.longdouble), y.astype(np.longdouble))
    result = apply(name, x, y)
    error = ulps(result, expected)
    worst = error.argmax()
    assert error[worst] <= limit, f"{name}({x[worst]!r}, {y[worst]!r}) = {result[worst]!r}, not {expected[worst]!r}"
    assert zero_signs_agree(result, expected)


# What the text is


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_bits_do_not_depend_on_the_lane_count(name, dtype):
    x = np.concatenate([special(dtype), every_exponent(dtype, 1), np.linspace(-3, 3, 301, dtype=dtype)])
    operands = (x, np.roll(x, 7)) if name in BINARY else (x,)
    integer = INTEGER_BITS[dtype]
    reference = apply(name, *operands, lanes=1)
    for lanes in (2, 3, 16):
        result = apply(name, *operands, lanes=lanes)
        number = ~np.isnan(reference)
        assert (np.isnan(result) == ~number).all()
        assert (result.view(integer) == reference.view(integer))[number].all()


@pytest.mark.parametrize("element", ["float", "double"])
def test_kernels_call_nothing(element):
    machine = platform.machine().lower()
    x86, arm = r"^\s*callq?\b.*", r"^\s*bl\b.*"
    pattern = {"x86_64": x86, "amd64": x86, "aarch64": arm, "arm64": arm}
    if machine not in pattern:
        pytest.skip(f"calls are not recognised in the assembly of {machine}")
    if machine in ("x86_64", "amd64") and sys.platform == "linux" and " fma " not in Path("/proc/cpuinfo").read_text():
        pytest.skip("without fused multiply-add in hardware, LLVM calls fma")
    module = Module("test_calls")
    for name, function in FUNCTIONS.items():
        for lanes in (1, 4, 16):
            kernel(module, f"{name}_{lanes}", element, lanes, 2 if name in BINARY else 1, function)
    assert re.findall(pattern[machine], jit.assembly(str(module)), re.MULTILINE) == []


def test_wrong_operands_are_refused():
    b = Module("test_errors").function("f", [("float", "x"), ("<4 x double>", "y"), ("i32", "i")])
    x, y, i = b.args
    with pytest.raises(TypeError, match=r"exp: expected 1 float or double operand of one type, got \(i32\)"):
        FUNCTIONS["exp"](b, i)
    with pytest.raises(TypeError, match=r"pow: expected 2 .* operands of one type, got \(float, <4 x double>\)"):
        FUNCTIONS["pow"](b, x, y)
    with pytest.raises(TypeError, match=r"atan2: expected 2 .* got \(float\)"):
        FUNCTIONS["atan2"](b, x)


def test_tables_are_what_the_script_fits():
    pytest.importorskip("mpmath", reason="the fits are redone where mpmath is installed")
    from graphc.runtime import vecmath_tables

    path = Path(__file__).parents[2] / "benchmarks" / "fit_vecmath.py"
    spec = importlib.util.spec_from_file_location("fit_vecmath", path)
    script = importlib.util.module_from_spec(spec)
    sys.modules["fit_vecmath"] = script
    spec.loader.exec_module(script)
    for fit in script.FITS:
        assert len(getattr(vecmath_tables, fit.table)[fit.accuracy]) == fit.degree + 1
        if fit.degree < 6:
            fitted = tuple(script.rounded(c, fit.coefficients) for c in script.minimax(fit))
            assert fitted == getattr(vecmath_tables, fit.table)[fit.accuracy], fit.formula


# Integers


INTEGERS = [np.uint8, np.int32, np.int64]


def of_integers(name, dtype):
    """A function of the loop IR on integers of a type."""
    return lambda b, *values: functions.function(b, name, dtype_of(dtype), values)


def integer_pairs(dtype):
    info, rng = np.iinfo(dtype), np.random.default_rng(8)
    edges = np.array([info.min, info.min + 1, info.max, info.max - 1, 0, 1, 2, 3, 7], dtype)
    edges = np.concatenate([edges, dtype(0) - edges])
    x, y = np.array(np.meshgrid(edges, edges)).reshape(2, -1)
    wide = [rng.integers(info.min, info.max, 3000, dtype, endpoint=True) for _ in range(2)]
    near = rng.integers(0 if info.min == 0 else -9, 10, 3000).astype(dtype)
    return np.concatenate([x, wide[0], wide[0]]), np.concatenate([y, wide[1], near])


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_division_is_numpys(dtype, lanes):
    x, y = integer_pairs(dtype)
    with np.errstate(all="ignore"):
        quotient, rest = np.floor_divide(x, y), np.remainder(x, y)
    np.testing.assert_array_equal(apply_written(of_integers("floor_div", dtype), x, y, lanes=lanes), quotient)
    np.testing.assert_array_equal(apply_written(of_integers("floor_mod", dtype), x, y, lanes=lanes), rest)


def test_integers_that_doubles_hold_are_divided_as_doubles():
    for dtype, element in ((np.int32, "i32"), (np.int64, "i64")):
        module = Module("test_quotients")
        kernel(module, "test_quotients", element, 4, 2, of_integers("floor_div", dtype), 1)
        usual = str(module).split("rare", 1)[0]
        assert "fdiv" in usual and "sdiv" not in usual


@pytest.mark.parametrize("dtype", INTEGERS)
def test_shifts_are_numpys(dtype):
    info = np.iinfo(dtype)
    values = np.array([info.min, info.max, 0, 1, 5, info.max // 3], dtype)
    counts = np.array([0, 1, 3, info.bits - 1, info.bits, info.bits + 1, info.max, info.min], dtype)
    x, by = np.array(np.meshgrid(values, counts)).reshape(2, -1)
    np.testing.assert_array_equal(apply_written(of_integers("shl", dtype), x, by), np.left_shift(x, by))
    np.testing.assert_array_equal(apply_written(of_integers("shr", dtype), x, by), np.right_shift(x, by))


@pytest.mark.parametrize("source", [np.float32, np.float64])
@pytest.mark.parametrize("target", [np.int8, np.int32, np.int64])
def test_float_to_integer_saturates(source, target):
    info = np.iinfo(target)
    x = source([0.0, -0.9, 1.9, -1.9, 100.7, np.nan, np.inf, -np.inf, 1e30, -1e30, 2.0**31, -(2.0**31), 2.0**40])
    expected = [0 if math.isnan(v) else min(max(int(max(min(v, 1e25), -1e25)), info.min), info.max) for v in x.tolist()]
    element = ELEMENT[np.dtype(target)]
    result = apply_written(lambda b, v: vecint.saturating_fptosi(b, v, element), x, dtype=target)
    assert result.tolist() == expected


# Random bits

ANSWERS = [  # Random123, kat_vectors: counter, key, words
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("counter", "key", "words"), ANSWERS)
def test_philox_known_answers(counter, key, words):
    result = philox4x32_numpy(key, counter)
    assert tuple(int(w) for w in result) == words
    assert all(w.dtype == np.uint32 for w in result)


@pytest.mark.parametrize("lanes", [1, 8, 16])
def test_philox_kernel_is_the_numpy_one(lanes):
    words = np.random.default_rng(9).integers(0, 1 << 32, (6, 403), dtype=np.uint32)
    known = np.array([key + counter for counter, key, _ in ANSWERS], dtype=np.uint32).T
    k0, k1, *counter = np.concatenate([words, known], axis=1)
    result = apply_written(
        lambda b, *w: vecint.philox4x32(b, (w[0], w[1]), w[2:]), *(w.view(np.int32) for w in (k0, k1, *counter)),
        lanes=lanes, dtype=np.uint32, results=4,
    )
    np.testing.assert_array_equal(result, philox4x32_numpy((k0, k1), tuple(counter)))


def test_philox_broadcasts_and_refuses_what_is_no_word():
    grid = philox4x32_numpy((1, 2), (np.arange(5), np.arange(3)[:, None], 0, 0))
    assert all(w.shape == (3, 5) for w in grid)
    assert int(grid[2][2, 4]) == int(philox4x32_numpy((1, 2), (4, 2, 0, 0))[2])
    with pytest.raises(ValueError, match="a key of 2 words and a counter of 4, got 1 and 4"):
        philox4x32_numpy((1,), (0, 0, 0, 0))
    for word in (-1, 1 << 32, 0.5):
        with pytest.raises(ValueError, match=r"expected words in \[0, 2\*\*32\)"):
            philox4x32_numpy((word, 0), (0, 0, 0, 0))


def float_pairs(dtype):
    """Operands of a division with remainder: of all sizes, near multiples, and special ones."""
    rng, count = np.random.default_rng(9), 4000
    word = f"u{np.dtype(dtype).itemsize}"
    words = rng.integers(0, np.iinfo(word).max, 2 * count, word)
    any_x, any_y = words.view(dtype).reshape(2, -1)
    near_y = rng.uniform(0.5, 2, count).astype(dtype)
    near_x = np.nextafter((rng.integers(1, 2**22, count) * near_y).astype(dtype), dtype(0))
    edges = np.array([0, np.inf, np.nan, 1.5, np.finfo(dtype).tiny / 8, np.finfo(dtype).max], dtype)
    edge_x, edge_y = np.array(np.meshgrid([edges, -edges], [edges, -edges])).reshape(2, -1)
    tenths = (rng.integers(-1000, 1000, count) * 0.1).astype(dtype)
    x, y = [any_x, near_x, edge_x, tenths], [any_y, near_y, edge_y, near_y - 1]
    return np.concatenate(x), np.concatenate(y)


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "name, meaning", [("fmod", np.fmod), ("floor_mod", np.remainder), ("floor_div", np.floor_divide)]
)
def test_float_division_with_remainder_is_numpys(name, meaning, dtype, lanes):
    x, y = float_pairs(dtype)
    with np.errstate(all="ignore"):
        wanted = meaning(x, y)
    found = apply_written(of_integers(name, dtype), x, y, lanes=lanes)
    np.testing.assert_array_equal(found, wanted)
    numbers = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(wanted[numbers]))


def test_small_quotients_need_no_library_call():
    module = Module("test_rest")
    kernel(module, "test_rest", "float", 4, 2, of_integers("fmod", np.float32), 1)
    usual, rare = str(module).split("rare", 1)
    assert "fdiv" in usual and "frem" not in usual
    assert "frem" in rare


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_common_divisors_are_numpys_and_found_by_a_loop(dtype, lanes):
    x, y = integer_pairs(dtype)
    np.testing.assert_array_equal(apply_written(of_integers("gcd", dtype), x, y, lanes=lanes), np.gcd(x, y))
    module = Module("test_gcd")
    kernel(module, "test_gcd", ELEMENT[np.dtype(dtype)], 4, 2, of_integers("gcd", dtype), 1)
    assert str(module).count("fdiv") == 1
