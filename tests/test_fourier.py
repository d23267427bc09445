"""Fourier transforms: NumPy's, of every kind of size, with gradients, and in networks that train."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from modes import in_both_modes, threads
from test_complex import planar, slopes, weighted

import graphc as ms
import graphc.numpy as mnp
from graphc import Parameter, Tensor, nn, ops
from graphc.ops.dft import BEST_FACTOR, LARGEST_PRIME, MOST_AT_ONCE

SMALL = (1, 2, 3, 5, 8, 31, MOST_AT_ONCE)
SPLIT = (MOST_AT_ONCE + 2, 64, 68, 75, 96, 256, 17 * 17, 1000)
"""Of two and more factors, odd and even; the ones of 68 and 289 are above the best."""
PRIME = (37, 131, LARGEST_PRIME + 1, 509, 2 * 509)
ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
REAL = ("rfft", "ihfft", "rfftn", "rfft2", "ihfft2", "ihfftn")


def operand(name: str, *shape: int) -> np.ndarray:
    return planar(*shape).real if name in REAL else planar(*shape)


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("n", [*SMALL, *SPLIT, *PRIME])
def test_transforms_of_every_size(name: str, n: int) -> None:
    """Along the last axis and along one before it, where matrices are multiplied from the right and from the left."""
    assert BEST_FACTOR <= MOST_AT_ONCE
    for shape, axis in (((2, n), -1), ((2, n, 3), 1)):
        x = operand(name, *shape)
        wanted = getattr(np.fft, name)(x, n, axis)
        for got, array in in_both_modes(lambda x, axis=axis: getattr(ops, name)(x, n, axis), [x], wanted):
            np.testing.assert_allclose(got.asnumpy(), array, rtol=1e-12, atol=1e-12 * np.abs(array).max())
        single = getattr(ops, name)(Tensor(x.astype(np.complex64 if np.iscomplexobj(x) else np.float32)), n, axis)
        assert single.dtype in (ms.complex64, ms.float32)
        np.testing.assert_allclose(single.asnumpy(), wanted, atol=2e-6 * np.abs(wanted).max())


@pytest.mark.parametrize("norm", [None, "backward", "ortho", "forward"])
@pytest.mark.parametrize("name", ONE)
def test_sizes_norms_and_axes(name: str, norm: str | None) -> None:
    x = operand(name, 3, 5, 4)
    for n, axis in ((None, -1), (3, 0), (8, 1), (2, -2)):
        wanted = getattr(np.fft, name)(x, n, axis, norm)
        got = getattr(ops, name)(Tensor(x), n, axis, norm)
        np.testing.assert_allclose(got.asnumpy(), wanted, rtol=1e-11, atol=1e-12)
        numpys = getattr(mnp.fft, name)(Tensor(x), n=n, axis=axis, norm=norm)
        np.testing.assert_array_equal(numpys.asnumpy(), got.asnumpy())


SEVERAL = [(None, None), ((3, 8), (0, 2)), ((7, 3, 4), None), (None, (1, 0)), ((3, 6), (-1, -3))]


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize("s, dim", SEVERAL)
@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn"])
def test_several_axes(name: str, s: Any, dim: Any, norm: str | None) -> None:
    x = operand(name, 3, 5, 4)
    wanted = getattr(np.fft, name)(x, s, range(3) if dim is None else dim, norm)
    for got, array in in_both_modes(lambda x: getattr(ops, name)(x, s, dim, norm), [x], wanted):
        np.testing.assert_allclose(got.asnumpy(), array, rtol=1e-11, atol=1e-12)


def test_two_axes_are_the_last_ones() -> None:
    for name in ("fft2", "ifft2", "rfft2", "irfft2"):
        x = operand(name, 2, 6, 5)
        np.testing.assert_allclose(getattr(ops, name)(Tensor(x)).asnumpy(), getattr(np.fft, name)(x), atol=1e-12)
        several = getattr(ops, name.replace("2", "n"))(Tensor(x), (4, 3), (1, 2))
        np.testing.assert_array_equal(getattr(ops, name)(Tensor(x), (4, 3)).asnumpy(), several.asnumpy())


def test_fft_of_what_has_a_real_spectrum_over_several_axes() -> None:
    """As PyTorch defines it: the inverses of one another, and sums over a spectrum whose other half is conjugate."""
    x = planar(2, 6, 5).real
    for inverse, transform in ((ops.ihfft2, ops.hfft2), (ops.ihfftn, ops.hfftn)):
        half = inverse(Tensor(x), (6, 5), (1, 2))
        np.testing.assert_allclose(half.asnumpy(), np.fft.ifft2(x)[..., :3], atol=1e-12)
        np.testing.assert_allclose(transform(half, (6, 5), (1, 2)).asnumpy(), x, atol=1e-12)
    got = ops.hfftn(Tensor(x), (6, 8), (1, 2)).asnumpy()
    np.testing.assert_allclose(got, np.fft.irfft2(x, (6, 8), norm="forward"), atol=1e-11)


def test_parts_that_must_be_real_count_for_nothing() -> None:
    """The imaginary parts of the first and last numbers of half a spectrum."""
    for n in (8, 64, 100, 514):
        x = planar(n // 2 + 1)
        np.testing.assert_allclose(ops.irfft(Tensor(x), n).asnumpy(), np.fft.irfft(x, n), atol=1e-12)


def test_integers_and_narrow_floats_are_transformed_in_float32() -> None:
    for dtype in (ms.int32, ms.bool_, ms.float16, ms.bfloat16):
        assert ops.fft(Tensor([1, 0, 1], dtype)).dtype is ops.rfft(Tensor([1, 0, 1], dtype)).dtype is ms.complex64
    assert ops.rfft(Tensor([1.0, 2.0], ms.float64)).dtype is ms.complex128


@pytest.mark.parametrize(
    "wrong, error, said",
    [
        (lambda: ops.rfft(Tensor([1j])), TypeError, r"rfft: expected real numbers, got c128\[1\]"),
        (lambda: ops.fft(Tensor([1.0]), 0), ValueError, "fft: expected at least one point"),
        (lambda: ops.fft(Tensor([1.0]), 1.5), TypeError, "fft: n or s must be an int"),
        (lambda: ops.fft(Tensor([1.0]), dim=1), ValueError, "fft: "),
        (lambda: ops.fft(Tensor([1.0]), norm="half"), ValueError, "norm must be one of"),
        (lambda: ops.irfft(Tensor([1.0])), ValueError, "irfft: expected at least one point"),
        (lambda: ops.fftn(Tensor([[1.0]]), dim=(0, 0)), ValueError, "fftn: expected different axes"),
        (lambda: ops.fftn(Tensor([[1.0]]), (1,), (0, 1)), ValueError, "fftn: expected different axes, and a size"),
        (lambda: ops.fft(Tensor(1.0)), ValueError, "fft: "),
        (lambda: ops.stft(Tensor([1.0, 2.0]), 8, center=False), ValueError, "stft: expected at least 8 points"),
        (lambda: ops.stft(Tensor([1.0] * 9), 8, pad_mode="wrap"), ValueError, "pad_mode must be one of"),
        (lambda: ops.stft(Tensor([1.0] * 9), 4, win_length=5), ValueError, "a window of at most 4 points"),
        (lambda: ops.FFTWithSize(4, False, False)(Tensor([1.0])), ValueError, "signals of 1, 2 or 3 axes"),
    ],
)
def test_mistakes(wrong: Callable[[], Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        wrong()


# Gradients


def numpys(name: str, z: np.ndarray, n: Any) -> np.ndarray:
    found: np.ndarray = getattr(np.fft, name)(z.real if name in REAL else z, n)
    return found


@pytest.mark.parametrize("n", [4, 7, 34, 40, 257])
@pytest.mark.parametrize("name", ONE)
def test_gradients(name: str, n: int) -> None:
    x = operand(name, 2, 6)
    weights = planar(*getattr(np.fft, name)(x, n).shape)
    found = ms.grad(lambda x: weighted(getattr(ops, name)(x, n), weights))
    eager, compiled = found(Tensor(x)), ms.jit(found)(Tensor(x))
    np.testing.assert_array_equal(eager.asnumpy(), compiled.asnumpy())
    wanted = slopes(lambda z: weighted(numpys(name, z, n), weights), x.astype(complex))
    np.testing.assert_allclose(eager.asnumpy(), wanted if eager.dtype.is_complex else wanted.real, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["fft2", "ifft2", "rfft2", "irfft2"])
def test_gradients_over_two_axes(name: str) -> None:
    x = operand(name, 3, 4)
    weights = planar(*getattr(np.fft, name)(x, (4, 6)).shape)
    found = ms.grad(lambda x: weighted(getattr(ops, name)(x, (4, 6)), weights))(Tensor(x))
    wanted = slopes(lambda z: weighted(numpys(name, z, (4, 6)), weights), x.astype(complex))
    np.testing.assert_allclose(found.asnumpy(), wanted if found.dtype.is_complex else wanted.real, rtol=1e-5, atol=1e-6)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    x = Tensor(planar(64, 260).astype(np.complex64))
    with threads(1):
        alone = ms.jit(lambda x: ops.fft(x))(x).asnumpy()
    with threads(3):
        np.testing.assert_array_equal(ms.jit(lambda x: ops.fft(x) + 0)(x).asnumpy(), alone + 0)


# Short stretches


def stretches(x: np.ndarray, n: int, hop: int, window: np.ndarray) -> np.ndarray:
    starts = range(0, x.shape[-1] - n + 1, hop)
    return np.stack([np.fft.fft(x[..., s : s + n] * window) for s in starts], -1)


def test_stft() -> None:
    x, window = planar(2, 30).real, planar(5).real
    around = np.pad(window, (1, 2))
    for mode in ("REFLECT", "SYMMETRIC", "CONSTANT"):
        wide = np.pad(x, ((0, 0), (4, 4)), mode.lower())  # type: ignore[call-overload]
        wanted = stretches(wide, 8, 3, around)
        got = ops.stft(Tensor(x), 8, 3, 5, Tensor(window), pad_mode=mode, return_complex=True)
        np.testing.assert_allclose(got.asnumpy(), wanted[:, :5], atol=1e-12)
    plain = ops.stft(Tensor(x[0]), 8, center=False, normalized=True, onesided=False)
    wanted = stretches(x[0], 8, 2, np.ones(8)) / np.sqrt(8)
    np.testing.assert_allclose(plain.asnumpy(), np.stack([wanted.real, wanted.imag], -1), atol=1e-12)
    assert ops.stft(Tensor(planar(20)), 8).shape == (8, 11)


def test_primitives() -> None:
    z, x = planar(2, 4, 6), planar(2, 4, 6).real
    for (count, inverse, real), wanted in {
        (2, False, False): np.fft.fft2(z), (1, True, False): np.fft.ifft(z), (2, False, True): np.fft.rfft2(x),
    }.items():  # fmt: skip
        got = ops.FFTWithSize(count, inverse, real)(Tensor(x if real else z))
        np.testing.assert_allclose(got.asnumpy(), wanted, atol=1e-12)
    back = ops.FFTWithSize(2, True, True, "ortho", signal_sizes=(4, 11))(Tensor(z))
    np.testing.assert_allclose(back.asnumpy(), np.fft.irfft2(z, (4, 11), norm="ortho"), atol=1e-12)
    whole = ops.FFTWithSize(1, False, True, onesided=False)(Tensor(x))
    np.testing.assert_allclose(whole.asnumpy(), np.fft.fft(x), atol=1e-12)
    np.testing.assert_allclose(ops.FFTWithSize(1, True, True, onesided=False)(whole).asnumpy(), x, atol=1e-12)
    taken = ops.STFT(4, 2, 4, False, True, True)(Tensor(x[0]), Tensor(np.ones(4)))
    np.testing.assert_allclose(taken.asnumpy(), stretches(x[0], 4, 2, np.ones(4))[:, :3], atol=1e-12)
    assert (ops.ConjugateTranspose()(Tensor(z), (0, 2, 1)) == Tensor(z).adjoint()).all()
    assert (ops.Complex()(Tensor(z.real), Tensor(z.imag)) == Tensor(z)).all()
    assert (ops.ComplexAbs()(Tensor(z)) == abs(Tensor(z))).all() and (ops.Real()(Tensor(z)) == Tensor(z.real)).all()


# Networks


class Spectral(nn.Cell):
    """A layer of a Fourier neural operator (Li et al. 2021): the lowest frequencies of images are mixed over channels.

    Its weights are complex, or the parts of complex numbers.
    """

    def __init__(self, channels: int, modes: int, paired: bool) -> None:
        super().__init__()
        weights = np.random.default_rng(5).normal(size=(2, channels, channels, modes, modes, 2)) / channels
        weights = weights.astype(np.float32)
        self.modes, self.paired = modes, paired
        self.weight = Parameter(weights if paired else weights[..., 0] + 1j * weights[..., 1], name="weight")
        self.beside = nn.Conv2d(channels, channels, 1, weight_init="ones", has_bias=True, bias_init="zeros")

    def construct(self, x: Tensor) -> Tensor:
        m = self.modes
        w = ops.complex(self.weight[..., 0], self.weight[..., 1]) if self.paired else self.weight
        seen = ops.rfft2(x)
        mixed = ops.zeros_like(seen)
        mixed[:, :, :m, :m] = ops.einsum("bixy,ioxy->boxy", seen[:, :, :m, :m], w[0])
        mixed[:, :, -m:, :m] = ops.einsum("bixy,ioxy->boxy", seen[:, :, -m:, :m], w[1])
        return ops.gelu(ops.irfft2(mixed, x.shape[-2:]) + self.beside(x))


class Mixed(nn.Cell):
    """A layer of FNet (Lee-Thorp et al. 2022): tokens and features are mixed by a Fourier transform."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm([width])
        self.dense = nn.Dense(width, width, weight_init="ones", bias_init="zeros")

    def construct(self, x: Tensor) -> Tensor:
        x = self.norm(x + ops.real(ops.fft2(x)))
        return x + self.dense(x) * 0.01


NETWORKS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "neural operator": (lambda: nn.SequentialCell(Spectral(3, 4, False), Spectral(3, 4, False)), (2, 3, 36, 34)),
    "with paired weights": (lambda: nn.SequentialCell(Spectral(3, 4, True), Spectral(3, 4, True)), (2, 3, 36, 34)),
    "fnet": (lambda: nn.SequentialCell(Mixed(40), Mixed(40)), (3, 12, 40)),
}


def losses(name: str, mode: int) -> tuple[list[float], list[np.ndarray]]:
    ms.set_context(mode=mode)
    make, shape = NETWORKS[name]
    net = make()
    optimizer = nn.Adam(net.trainable_params(), 1e-2)
    x = Tensor(np.random.default_rng(3).normal(size=shape).astype(np.float32))
    step = ms.value_and_grad(lambda x: ops.square(net(x) - x * 0.5).mean(), None, optimizer.parameters)
    found = []
    for _ in range(4):
        loss, grads = step(x)
        optimizer(grads)
        found.append(float(loss))
    return found, [p.asnumpy() for p in net.trainable_params()]


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_train_in_both_modes_alike(name: str) -> None:
    eager, graph = losses(name, ms.PYNATIVE_MODE), losses(name, ms.GRAPH_MODE)
    assert eager[0] == graph[0] and eager[0][-1] < eager[0][0]
    for one, other in zip(eager[1], graph[1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_complex_weights_train_as_their_parts_do() -> None:
    assert losses("neural operator", ms.GRAPH_MODE)[0] == losses("with paired weights", ms.GRAPH_MODE)[0]
