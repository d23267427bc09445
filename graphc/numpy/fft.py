"""NumPy's names for discrete Fourier transforms and their arguments: `mnp.fft.rfft(a, n, axis, norm)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc import ops
from graphc.place import named
from graphc.tensor import Tensor

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "hfft2", "hfftn", "ifft", "ifft2", "ifftn", "ifftshift",
    "ihfft", "ihfft2", "ihfftn", "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip


def _along_one(name: str) -> Callable[..., Tensor]:
    function: Callable[..., Tensor] = getattr(ops, name)

    def transformed(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Tensor:
        return function(a, n, axis, norm)

    return named(transformed, name, f"As `ops.{name}`, with NumPy's names of arguments.")


def _along_several(name: str, default: tuple[int, int] | None) -> Callable[..., Tensor]:
    function: Callable[..., Tensor] = getattr(ops, name)

    def transformed(a: Any, s: Any = None, axes: Any = default, norm: str | None = None) -> Tensor:
        return function(a, s, axes, norm)

    return named(transformed, name, f"As `ops.{name}`, with NumPy's names of arguments.")


fft, ifft, rfft, irfft, hfft, ihfft = map(_along_one, ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"))
fft2, ifft2, rfft2, irfft2, hfft2, ihfft2 = (
    _along_several(name, (-2, -1)) for name in ("fft2", "ifft2", "rfft2", "irfft2", "hfft2", "ihfft2")
)
fftn, ifftn, rfftn, irfftn, hfftn, ihfftn = (
    _along_several(name, None) for name in ("fftn", "ifftn", "rfftn", "irfftn", "hfftn", "ihfftn")
)


def fftshift(x: Any, axes: Any = None) -> Tensor:
    """As `ops.fftshift`, with NumPy's names of arguments."""
    return ops.fftshift(x, axes)


def ifftshift(x: Any, axes: Any = None) -> Tensor:
    """As `ops.ifftshift`, with NumPy's names of arguments."""
    return ops.ifftshift(x, axes)


def fftfreq(n: int, d: float = 1.0, dtype: Any = None) -> Tensor:
    """As `ops.fftfreq`."""
    return ops.fftfreq(n, d, dtype)


def rfftfreq(n: int, d: float = 1.0, dtype: Any = None) -> Tensor:
    """As `ops.rfftfreq`."""
    return ops.rfftfreq(n, d, dtype)
