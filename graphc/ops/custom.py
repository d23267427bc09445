"""`ops.Custom`: an operation that is a program's own function of NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from graphc.autograd import is_differentiated, with_vjp
from graphc.nested import leaves_of
from graphc.ops.coerce import as_dtype
from graphc.ops.primitive_classes import Primitive
from graphc.place import located
from graphc.tensor import Tensor


class Custom(Primitive):
    """A function of NumPy arrays, called with the values of tensors. A function that uses it is no graph, see `jit`.

    Args:
        func: takes an array for each Tensor, and other arguments as they are; returns an array, or a tuple of them.
        out_shape: the shape of the result, or a function of the operands' shapes that tells it; of several results a
            tuple of shapes. None: whatever it is.
        out_dtype: the same for the element type.
        func_type: "pyfunc".
        bprop: `bprop(*operands, result, ct)`, of Tensors, returns the operands' gradients; None: there are none.
        reg_info: only None.
    Raises:
        ValueError: another `func_type`, or a `reg_info`; when it is called, results of other shapes than was said.
    """

    attributes = ("func_type",)

    def __init__(
        self, func: Callable[..., Any], out_shape: Any = None, out_dtype: Any = None, func_type: str = "hybrid",
        bprop: Callable[..., Any] | None = None, reg_info: Any = None,
    ) -> None:
        super().__init__("Custom")
        if func_type != "pyfunc" or reg_info is not None:
            got = f"{func_type!r} and {reg_info!r}"
            raise ValueError(f"Custom: func_type must be 'pyfunc' and reg_info None, got {got}")
        if not callable(func):
            raise TypeError(f"Custom: expected a function, got {type(func).__name__}")
        self.func, self.out_shape, self.out_dtype, self.func_type, self.bprop = (
            func, out_shape, out_dtype, func_type, bprop
        )  # fmt: skip

    def __call__(self, *operands: Any) -> Any:
        arrays = [x.asnumpy() if isinstance(x, Tensor) else x for x in operands]
        made = self.func(*arrays)
        results = list(made) if isinstance(made, (tuple, list)) else [made]
        given = [x for x in operands if isinstance(x, Tensor)]
        shapes = self._said(self.out_shape, [x.shape for x in given], len(results))
        dtypes = self._said(self.out_dtype, [x.dtype for x in given], len(results))
        tensors = []
        for array, shape, dtype in zip(map(np.asarray, results), shapes, dtypes, strict=True):
            if shape is not None and tuple(shape) != array.shape:
                raise located(ValueError(f"Custom: out_shape says {tuple(shape)}, the result has shape {array.shape}"))
            tensors.append(Tensor(array, None if dtype is None else as_dtype(dtype)))
        value = tuple(tensors) if isinstance(made, (tuple, list)) else tensors[0]
        if self.bprop is None or not is_differentiated():
            return value
        return self._differentiable(operands, value)

    @staticmethod
    def _said(what: Any, of: list[Any], count: int) -> list[Any]:
        """What was said of each result."""
        found = what(*of) if callable(what) and not isinstance(what, type) else what
        if found is None:
            return [None] * count
        of_one = not isinstance(found, (tuple, list)) or all(isinstance(extent, int) for extent in found)
        each = [found] if of_one else list(found)
        if len(each) != count:
            raise located(ValueError(f"Custom: there are {count} results, out_shape or out_dtype tells of {len(each)}"))
        return each

    def _differentiable(self, operands: tuple[Any, ...], value: Any) -> Any:
        floats = [i for i, x in enumerate(operands) if isinstance(x, Tensor) and x.dtype.is_inexact]

        def backward(*cts: Tensor) -> list[Any]:
            each: Iterator[Tensor] = iter(cts)
            outputs = [next(each) if x.dtype.is_inexact else x * 0 for x in leaves_of(value)]
            ct = tuple(outputs) if isinstance(value, tuple) else outputs[0]
            assert self.bprop is not None
            grads = self.bprop(*operands, value, ct)
            grads = grads if isinstance(grads, (tuple, list)) else (grads,)
            if len(grads) != len(operands):
                got = f"expected a gradient for each of {len(operands)} operands, got {len(grads)}"
                raise located(ValueError(f"Custom: bprop: {got}"))
            return [grads[i] for i in floats]

        return with_vjp("Custom", value, [operands[i] for i in floats], backward)

