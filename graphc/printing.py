"""How a Tensor prints itself: `repr` in MindSpore's form (`str` is NumPy's).

    Tensor(shape=[2], dtype=Float32, value= [ 1.00000000e+00,  2.50000000e+00])

The rules are those of MindSpore 2.10. Floats take 15 places (float16 11), bools 5, integers and bfloat16 as many as the
widest one shown, each complex number as many as it needs. From rank 2 on, an axis longer than 6 shows three items at
each end; a vector does so from 1001 items on, and breaks its line after every 12 floats, complex numbers or bools, or
24 integers or bfloat16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.dtype import bfloat16, dtype_of, float16

if TYPE_CHECKING:
    from graphc.tensor import Tensor

EDGE = 3  # items shown at each end of a shortened axis
LONGEST_AXIS = 2 * EDGE
LONGEST_VECTOR = 1000
PER_LINE = {"f": 12, "b": 12, "c": 12, "i": 24, "u": 24}  # items of a vector before its line breaks, by kind


def tensor_repr(tensor: Tensor) -> str:
    """The text of `repr(tensor)`; of a stand-in in a graph, its type: `Tensor(traced f32[2,3])`."""
    if tensor.is_traced:
        return f"Tensor(traced {tensor.spec})"
    opening = f"Tensor(shape={list(tensor.shape)}, dtype={tensor.dtype}, value="
    if min(tensor.shape, default=0) < 0:  # it only describes others
        return f"{opening}\n)"
    array = tensor.numpy_view()
    return opening + (" " if array.ndim < 2 else "\n") + _value(array) + ")"


def _value(array: np.ndarray) -> str:
    if not array.size:
        return ""
    if not array.ndim:
        return f"{array.item():g}" if dtype_of(array.dtype).is_inexact else str(array.item())
    if array.ndim == 1:
        return _vector(array)
    texts = _texts(_ends(array))
    return _nested(texts, array.shape, depth=0)


def _vector(array: np.ndarray) -> str:
    if len(array) > LONGEST_VECTOR:
        return _row(_texts(np.concatenate([array[:EDGE], array[-EDGE:]])), len(array))
    dtype = dtype_of(array.dtype)
    text, per_line = "", PER_LINE["i" if dtype is bfloat16 else dtype.kind]
    for count, item in enumerate(_texts(array), 1):
        text += item + (", " if count < len(array) else "")
        text += "\n " if count % per_line == 0 else ""
    return f"[{text}]"


def _ends(array: np.ndarray) -> np.ndarray:
    """The items that are shown: of every long axis its two ends."""
    for axis, length in enumerate(array.shape):
        if length > LONGEST_AXIS:
            shown = [*range(EDGE), *range(length - EDGE, length)]
            array = array.take(shown, axis=axis)
    return array


def _texts(array: np.ndarray) -> np.ndarray:
    """Every item as text, all of one width."""
    dtype = dtype_of(array.dtype)
    form = {float16: "11.4e", bfloat16: "g"}.get(dtype, {"f": "15.8e", "c": "g"}.get(dtype.kind, ""))
    items = [f"{value:{form}}" if form else str(value) for value in array.ravel().tolist()]
    width = len("False") if dtype.is_bool else 0 if dtype.is_complex else max(map(len, items))
    items = [item.rjust(width) for item in items]
    return np.array(items, dtype=object).reshape(array.shape)


def _nested(texts: np.ndarray, shape: tuple[int, ...], depth: int) -> str:
    if len(shape) == 1:
        return _row(texts, shape[0])
    blocks = [_nested(block, shape[1:], depth + 1) for block in texts]
    indent = "\n" + " " * (depth + 1)
    if shape[0] <= LONGEST_AXIS:
        return "[" + f",{indent}".join(blocks) + "]"
    return "[" + f",{indent}".join([*blocks[:EDGE], f"...{indent}{blocks[EDGE]}", *blocks[EDGE + 1 :]]) + "]"


def _row(texts: Any, length: int) -> str:
    if len(texts) == length:
        return "[" + ", ".join(texts) + "]"
    return "[" + ", ".join(texts[:EDGE]) + " ... " + ", ".join(texts[EDGE:]) + "]"
