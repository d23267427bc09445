"""More rows for the table of `graphc.ops.primitives`: complex numbers and Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ops.axes import as_ints
from graphc.ops.coerce import as_tensor
from graphc.ops.complex_parts import conjugate
from graphc.ops.primitive_classes import REQUIRED, enter, function
from graphc.place import located
from graphc.tensor import Tensor

_PLAIN = {
    "Angle": "angle", "Complex": "complex", "ComplexAbs": "abs", "Conj": "conj", "Imag": "imag", "Polar": "polar",
    "Real": "real",
}  # fmt: skip


def _conjugate_transpose(self: Any, x: Any, perm: Any) -> Tensor:
    result: Tensor = function("transpose")(conjugate(as_tensor(self.name, x)), as_ints(self.name, perm, "perm"))
    return result


def _fft_with_size(self: Any, x: Any) -> Tensor:
    """A transform over the last axes, as many as `signal_ndim` says."""
    count = self.signal_ndim
    operand = as_tensor(self.name, x)
    if count not in (1, 2, 3) or operand.ndim < count:
        got = f"{operand.spec} and signal_ndim {count!r}"
        raise located(ValueError(f"{self.name}: expected signals of 1, 2 or 3 axes, got {got}"))
    axes = tuple(range(-count, 0))
    sizes = as_ints(self.name, self.signal_sizes, "signal_sizes") or None
    halved = self.real and self.onesided
    name = ("i" if self.inverse else "") + ("rfftn" if halved else "fftn")
    found: Tensor = function(name)(operand, sizes if halved and self.inverse else None, axes, self.norm)
    return function("real")(found) if self.real and self.inverse else found  # type: ignore[no-any-return]


def _stft(self: Any, x: Any, window: Any) -> Tensor:
    result: Tensor = function("stft")(
        x, self.n_fft, self.hop_length, self.win_length, window, False, normalized=self.normalized,
        onesided=self.onesided, return_complex=self.return_complex,
    )  # fmt: skip
    return result


_ROWS: dict[str, tuple[dict[str, Any], Callable[..., Any]]] = {
    "ConjugateTranspose": ({}, _conjugate_transpose),
    "FFTWithSize": (
        {
            "signal_ndim": REQUIRED, "inverse": REQUIRED, "real": REQUIRED, "norm": "backward", "onesided": True,
            "signal_sizes": (),
        },
        _fft_with_size,
    ),
    "STFT": (
        {
            "n_fft": REQUIRED, "hop_length": REQUIRED, "win_length": REQUIRED, "normalized": REQUIRED,
            "onesided": REQUIRED, "return_complex": REQUIRED,
        },
        _stft,
    ),
}  # fmt: skip

enter(_PLAIN, _ROWS)
