"""What programs ask of a tensor's memory: its bytes, its address, its device, its elements as they lie there.

These are methods of Tensor (`METHODS`), `frombuffer`, and DLPack's two functions.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from graphc.dtype import DType, float32
from graphc.ops.axes import as_ints
from graphc.ops.coerce import as_dtype, cast
from graphc.ops.elementwise import identity
from graphc.ops.selection import with_value
from graphc.ops.shape import narrow, pad, reshape
from graphc.parameter import Parameter
from graphc.place import located
from graphc.tensor import Tensor, from_numpy


def one_tuple(sizes: tuple[Any, ...]) -> Any:
    """A shape given as ints, or as one tuple of them."""
    return sizes[0] if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes


def check_device(name: str, device: Any) -> None:
    """Raises ValueError unless the device is the CPU."""
    if not isinstance(device, str) or device.partition(":")[0].upper() != "CPU":
        raise located(ValueError(f"{name}: tensors live on the CPU, got the device {device!r}"))


def move_to(self: Tensor, to: str, blocking: bool = True) -> Tensor:
    """The same value on a device: "CPU", as there is no other.

    Raises:
        ValueError: another device.
    """
    check_device("Tensor.move_to", to)
    return identity(self)


def get_bytes(self: Tensor) -> bytes:
    """The bytes of all elements, the last axis first."""
    return with_value("Tensor.get_bytes", self).tobytes()


def convert_bytes_to_tensor(bytes_data: bytes, shape: Any, dtype: DType) -> Tensor:
    """The tensor of a shape whose bytes these are: what `get_bytes` gave.

    Raises:
        ValueError: there are more or fewer bytes than such a tensor has.
    """
    sizes, elements = as_ints("convert_bytes_to_tensor", shape), as_dtype(dtype)
    if len(bytes_data) != prod(sizes) * elements.itemsize:
        wanted = f"{elements.name} {sizes}"
        raise located(ValueError(f"convert_bytes_to_tensor: {len(bytes_data)} bytes are no tensor {wanted}"))
    return Tensor(np.frombuffer(bytes_data, elements.np).reshape(sizes))


def data_ptr(self: Tensor) -> int:
    """Where the elements lie in memory, while the tensor keeps its value."""
    return self.address()


def itemset(self: Tensor, *args: Any) -> Tensor:
    """A copy in which one element is another number: `itemset(number)` of one element, `itemset(index, number)`, where
    `index` counts the elements or has an int for each axis.

    Raises:
        ValueError: no number, or more than one element without an index.
    """
    *where, number = args or (None,)
    index = where[0] if len(where) == 1 else tuple(where)
    if number is None or (not where and self.size != 1):
        raise located(ValueError(f"Tensor.itemset: expected an index and a number for {self.spec}, got {args!r}"))
    by_axes = isinstance(index, tuple) and len(index) == self.ndim
    result: Tensor = identity(self if by_axes else reshape(self, (-1,)))
    result[index if where else 0] = number
    return reshape(result, self.shape)


def resize(self: Tensor, *new_shape: Any) -> Tensor:
    """The elements in another shape, row by row: the first ones of them, or all and then zeros."""
    sizes = as_ints("Tensor.resize", one_tuple(new_shape))
    flat, count = reshape(self, (-1,)), prod(sizes)
    more = count - self.size
    filled = pad(flat, (0, more)) if more > 0 else narrow(flat, 0, 0, count)
    return reshape(filled, sizes)


def set_dtype(self: Tensor, dtype: DType) -> DType:
    """Makes the tensor stand for its value in another element type, which is returned."""
    wanted = as_dtype(dtype)
    self._become(cast(self, wanted))
    return wanted


def requires_grad_(self: Tensor, requires_grad: bool = True) -> Tensor:
    """Sets whether a Parameter is trained; of another tensor nothing, as any may be differentiated by."""
    if isinstance(self, Parameter):
        self.requires_grad = requires_grad
    return self


def view(self: Tensor, *shape: Any) -> Tensor:
    """As `reshape`; or, for a dtype, what the bytes of the last axis are as elements of that: a constant.

    Raises:
        ValueError: the bytes of the last axis are no whole number of such elements.
    """
    if len(shape) != 1 or not isinstance(shape[0], DType):
        return reshape(self, one_tuple(shape))
    array, dtype = with_value("Tensor.view", self), shape[0]
    last = (self.shape[-1] if self.ndim else 1) * self.itemsize
    if last % dtype.itemsize or (not self.ndim and last != dtype.itemsize):
        raise located(ValueError(f"Tensor.view: the last axis of {self.spec} is no whole number of {dtype.name}"))
    return Tensor(np.ascontiguousarray(array).view(dtype.np))


def frombuffer(buffer: Any, *, dtype: Any = float32, count: int = -1, offset: int = 0) -> Tensor:
    """The elements that lie in a buffer (bytes, a bytearray, an array), as a vector of its own.

    Args:
        dtype: of the elements.
        count: how many; -1: as many as there are.
        offset: the bytes before the first.
    Raises:
        ValueError: the buffer has fewer.
    """
    try:
        return Tensor(np.frombuffer(buffer, as_dtype(dtype).np, count, offset))
    except ValueError as error:
        raise located(ValueError(f"frombuffer: {error}")) from None


class _Capsule:
    """A DLPack capsule as what NumPy reads: an object with memory of the CPU that gives it away once."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


def to_dlpack(tensor: Tensor) -> Any:
    """A DLPack capsule of the tensor's memory, for one `from_dlpack` of any library.

    Raises:
        TypeError: no Tensor. BufferError: a type that DLPack, or NumPy, does not have (bfloat16).
    """
    if not isinstance(tensor, Tensor):
        raise located(TypeError(f"to_dlpack: expected a Tensor, got {type(tensor).__name__}"))
    return tensor.__dlpack__()


def from_dlpack(dlpack: Any) -> Tensor:
    """A Tensor on the memory of a DLPack capsule, or of an object that gives one; a copy if its rows are not in order.

    Raises:
        TypeError: neither, or of an element type that graphc does not have.
    """
    source = dlpack if hasattr(dlpack, "__dlpack__") else _Capsule(dlpack)
    if isinstance(source, _Capsule) and type(dlpack).__name__ != "PyCapsule":
        raise located(TypeError(f"from_dlpack: expected a DLPack capsule, got {type(dlpack).__name__}"))
    return from_numpy(np.from_dlpack(source))


METHODS: dict[str, Any] = {
    "get_bytes": get_bytes, "convert_bytes_to_tensor": staticmethod(convert_bytes_to_tensor), "data_ptr": data_ptr,
    "itemset": itemset, "resize": resize, "set_dtype": set_dtype, "move_to": move_to, "requires_grad_": requires_grad_,
    "view": view,
}  # fmt: skip
