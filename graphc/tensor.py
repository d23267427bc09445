"""`Tensor`: a value now, or a stand-in for one while a Cell is being traced.

No op changes a Tensor; `x[i] = value` makes the object `x` stand for another value. What training changes is a
`Parameter` (`graphc.parameter`).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc import context
from graphc.arrays import address_of, copy_of, known_type, type_of
from graphc.dtype import DType, dtype_of, float32
from graphc.ir import Node, TensorType
from graphc.op import TABLE
from graphc.place import located
from graphc.printing import tensor_repr
from graphc.state import state

if TYPE_CHECKING:
    from graphc.trace import Trace


def settle() -> None:
    """Runs the call and the ops that wait, if any: whatever looks at state or changes it comes after."""
    now = state.now
    call, piece = now.call, now.piece
    if call is not None:
        now.call = None
        call.run()
    if piece is not None:
        piece.run()


class TracedValueError(TypeError):
    """The value of a tensor was asked for while it is only a stand-in in a graph being traced."""


class TracedAttributeError(TracedValueError, AttributeError):
    """An attribute of a Cell was set while it is traced into a graph, which cannot hold that."""


def as_array(data: Any, dtype: DType | None = None) -> np.ndarray:
    """A contiguous array of one of graphc's dtypes: Python floats become float32, ints int64, arrays keep theirs."""
    if isinstance(data, Tensor):
        array = data.numpy_view()
    elif isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
    else:
        if isinstance(data, (list, tuple)):
            data = [d.numpy_view() if isinstance(d, Tensor) else d for d in data]
        try:
            array = np.asarray(data)
        except ValueError:
            raise located(ValueError(f"Tensor: the rows differ in length or shape: {data!r:.80}")) from None
        if array.dtype == np.float64 and dtype is None:
            array = array.astype(np.float32)
    if array.dtype == object or array.dtype.kind in "USMm":
        got = f"{type(data).__name__}: {data!r:.80}"
        raise located(TypeError(f"Tensor: expected numbers (array, list, scalar), got {got}"))
    wanted = dtype.np if dtype else dtype_of(array.dtype).np
    if array.dtype.kind == "c" != wanted.kind:
        raise located(TypeError(f"Tensor: complex numbers are none of {dtype}; take their real part first"))
    return np.ascontiguousarray(array, wanted).reshape(array.shape)


_BLOCKS = frozenset((int, slice, type(None), type(Ellipsis), np.int32, np.int64))


def _is_block(index: Any) -> bool:
    """Whether an index means a block of the tensor, which NumPy would give as a view."""
    return _BLOCKS.issuperset(map(type, index)) if type(index) is tuple else type(index) in _BLOCKS


_getitem: Callable[[Tensor, Any], Tensor]


def set_getitem(function: Callable[[Tensor, Any], Tensor]) -> None:
    """Registers what `x[index]` calls: it is built on this module."""
    global _getitem
    _getitem = function


def _within(tensor: Tensor, path: tuple[Any, ...], value: Any) -> Tensor:
    """The tensor with `value` written to the elements at `tensor[path[0]][path[1]]...`."""
    from graphc.ops.indexing import setitem

    first, *rest = path
    return setitem(tensor, first, _within(_getitem(tensor, first), tuple(rest), value) if rest else value)


class Tensor:
    """An n-dimensional array, or a stand-in for one in a traced graph.

    Args:
        input_data: array, nested list, scalar or Tensor; copied.
        dtype: element type; by default that of an array, float32 for Python floats, int64 for ints, bool for bools.
        shape, init: instead of data, a shape and an initializer (`Tensor(shape=(2, 3), init="normal")`). A shape alone
            gives zeros; one with None for extents that are not known describes inputs for `Cell.set_inputs`, and has -1
            in their place and no values.
        const_arg: accepted: a Tensor is never compiled in as a constant.
    Raises:
        TypeError: data that are no numbers, or of an element type graphc does not have.
    """

    __slots__ = (
        "__dict__", "__weakref__", "_address", "_array", "_buffer", "_captured", "_node", "_origin", "_place",
        "_promise", "_trace", "spec",
    )  # fmt: skip; `__dict__` is for attributes that programs set
    __array_priority__ = 100  # ndarray * Tensor asks the Tensor
    __hash__ = object.__hash__

    spec: TensorType  # `type` is MindSpore's method that casts
    _origin: tuple[weakref.ref[Tensor], tuple[Any, ...]]
    _captured: bool  # there if a trace may have captured the value
    _array: np.ndarray | None
    _buffer: Any
    _address: int  # where the elements lie; 0 while nobody has asked
    _promise: Any
    _place: int  # which of the values of the promise this is
    _node: Node | None
    _trace: Trace | None

    def __init__(
        self, input_data: Any = None, dtype: Any = None, shape: Any = None, init: Any = None, const_arg: bool = False
    ) -> None:
        wanted = dtype_of(dtype) if dtype is not None else None
        if input_data is None:
            if shape is None:
                raise TypeError("Tensor: expected input_data, or a shape, got neither")
            each = shape if isinstance(shape, (tuple, list)) else (shape,)
            extents = tuple(-1 if n is None else int(n) for n in each)
            if min(extents, default=0) < 0:
                if init is not None:
                    raise ValueError(f"Tensor: init needs all extents, got shape {shape}")
                self._take(promised(TensorType(extents, wanted or float32), NoValues(), 0))
                return
            from graphc.initializer import initializer  # initializers make Tensors

            input_data = initializer("zeros" if init is None else init, extents, wanted or float32)
        elif init is not None:
            raise TypeError("Tensor: input_data and init exclude each other")
        if isinstance(input_data, Tensor) and input_data._node is not None:
            made = input_data if wanted in (None, input_data.dtype) else TABLE["cast"](input_data, dtype=wanted)
            self._take(made)
            return
        array = as_array(input_data, wanted)
        if shape is not None and init is None and tuple(np.atleast_1d(shape)) != array.shape:
            raise ValueError(f"Tensor: shape {shape} expected, got data of shape {array.shape}")
        self._set_array(copy_of(array) if array is input_data or array.base is not None else array)

    def _set_array(self, array: np.ndarray, type_: TensorType | None = None) -> None:
        self._array, self.spec = array, type_ or type_of(array)
        self._buffer = self._promise = self._node = self._trace = None
        self._address = self._place = 0

    @classmethod
    def wrap(cls, array: np.ndarray, type_: TensorType | None = None) -> Tensor:
        """A Tensor on `array` itself (C-contiguous, of one of graphc's dtypes), not on a copy."""
        tensor = cls.__new__(cls)
        tensor._set_array(array, type_)
        return tensor

    def hold(self, buffer: Any) -> None:
        """Makes a promised tensor hold raw bytes that native code filled."""
        self._buffer = buffer
        self._promise = None

    def keep(self, result: Tensor) -> None:
        """Makes a promised tensor hold the result."""
        self._array, self._buffer, self._address = result._array, result._buffer, result._address
        self._promise = None

    @classmethod
    def traced(cls, node: Node, trace: Trace) -> Tensor:
        """The stand-in for what `node` will compute."""
        tensor = cls.__new__(cls)
        tensor._array = tensor._buffer = tensor._promise = None
        tensor._address = tensor._place = 0
        tensor._node, tensor._trace, tensor.spec = node, trace, node.type
        return tensor

    # What it is

    @property
    def shape(self) -> tuple[int, ...]:
        return self.spec.shape

    @property
    def dtype(self) -> DType:
        return self.spec.dtype

    @property
    def ndim(self) -> int:
        return self.spec.ndim

    @property
    def size(self) -> int:
        return self.spec.size

    @property
    def itemsize(self) -> int:
        return self.spec.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.spec.nbytes

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from one element to the next along each axis (tensors are C-contiguous)."""
        return _strides(self.spec)

    @property
    def is_traced(self) -> bool:
        """Whether this is a stand-in in a graph, without a value."""
        return self._node is not None

    # Its value

    def numpy_view(self) -> np.ndarray:
        """The array itself, not a copy: for graphc's own code, which does not write to it."""
        piece = state.now.piece
        if piece is not None:
            piece.looked += 1
        if self._array is None:
            if self._node is not None:
                raise TracedValueError(
                    f"Tensor: the value of {self.spec} was asked for while it is being traced into a graph "
                    f"(numpy, printing, float(), int()); made at {self._node.loc or 'an unknown place'}"
                )
            self._fulfil()
            if self._array is None:
                self._array = np.frombuffer(self._buffer, self.dtype.np, self.size).reshape(self.shape)
        return self._array

    def _fulfil(self) -> None:
        if self._promise is not None:
            settle()
        promise = self._promise
        if promise is not None:  # the call of another thread, one that failed and fails again, or values not taken yet
            promise.fulfil(self)

    def address(self) -> int:
        """Where the elements lie in memory: for native code, while the tensor lives."""
        if not self._address:
            self._fulfil()
            if not self._address:
                self._address = address_of(self.numpy_view() if self._buffer is None else self._buffer)
        return self._address

    def asnumpy(self) -> np.ndarray:
        """The value as a NumPy array of the caller's own."""
        return self.numpy_view().copy()

    numpy = asnumpy

    def item(self, *index: int) -> Any:
        """The one element (or the one at `index`) as a Python number of its kind: a float, int, bool or complex."""
        view = self.numpy_view()
        if not index and view.size != 1:
            raise located(ValueError(f"Tensor.item: expected one element or an index, got shape {self.shape}"))
        return view.item(*index)

    def tolist(self) -> Any:
        return self.numpy_view().tolist()

    def __float__(self) -> float:
        return float(self._real_item())

    def __int__(self) -> int:
        return int(self._real_item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def _real_item(self) -> float | int | bool:
        element: float | int | bool | complex = self.item()
        if isinstance(element, complex):
            raise located(TypeError(f"Tensor: expected a real number, got {element} of {self.spec}"))
        return element

    def __index__(self) -> int:
        if self.dtype.is_inexact:
            raise located(TypeError(f"Tensor: an index must be an integer, got {self.spec}"))
        return int(self._real_item())

    def __bool__(self) -> bool:
        if self._node is not None:
            raise located(
                TracedValueError(
                    f"Tensor: `if`, `while`, `and`, `or` and `not` need a value, but {self.spec} is being traced into "
                    "a graph and has none; use ops.where / ops.select, or eager mode"
                )
            )
        if self.size != 1:
            expected = "`if`, `while`, `and`, `or`, `not` expected one element"
            raise located(ValueError(f"Tensor: {expected}, got {self.spec}; use .any() or .all()"))
        return bool(self.item())

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("Tensor: a scalar has no len()")
        return self.shape[0]

    def __contains__(self, item: Any) -> bool:
        """Whether any element equals `item`."""
        return bool((self == item).any())

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("Tensor: a scalar has no elements to iterate over")
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        view = self.numpy_view()
        if dtype is not None and dtype != view.dtype:
            return view.astype(dtype)
        return view if copy is False else view.copy()

    def __dlpack__(self, **options: Any) -> Any:
        """The tensor's memory, shared, for other libraries: `torch.from_dlpack(tensor)`."""
        return self.numpy_view().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0  # the CPU

    def __reduce__(self) -> tuple[Any, ...]:
        return Tensor, (self.asnumpy(),)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return Tensor.wrap(self.asnumpy())

    def __repr__(self) -> str:
        return tensor_repr(self)

    def __str__(self) -> str:
        if self._node is not None:
            return repr(self)
        return str(self.numpy_view())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    # Operators: the ops of the same name. The named methods (`x.sum()`, ...) are attached by graphc.ops.methods.

    def __getitem__(self, index: Any) -> Tensor:
        from graphc.dispatch import by_shortcut

        now = state.now
        piece = now.piece
        found: Tensor
        if now.trace is not None:
            found = _getitem(self, index)
        elif piece is not None:
            found = piece.call(_getitem, (self, index), {})
        else:
            quick = by_shortcut(_getitem, (self, index), {})
            found = _getitem(self, index) if quick is None else quick
        if found is not self and _is_block(index):
            root, path = getattr(self, "_origin", (weakref.ref(self), ()))
            found._origin = root, (*path, index)
        return found

    def __setitem__(self, index: Any, value: Any) -> None:
        """Writes elements: of this tensor, and, if it was taken by ints and slices from another, also of that one, so
        that `x[0][1] = value` does what `x[0, 1] = value` does."""
        from graphc.ops.indexing import setitem

        now = state.now
        if now.piece is not None and now.trace is None:
            changed = now.piece.call(setitem, (self, index, value), {})
        else:
            settle()
            changed = setitem(self, index, value)
        self._put(changed)
        self.written(index, value)

    def origin(self) -> Tensor:
        """The tensor that this one was taken from by ints and slices, if that still lives; else itself."""
        root = self._origin[0]() if hasattr(self, "_origin") else None
        return self if root is None else root

    def written(self, index: Any, value: Any) -> None:
        """Writes elements that this tensor got also to the one that it was taken from."""
        if hasattr(self, "_origin") and (root := self.origin()) is not self:
            root._put(_within(root, (*self._origin[1], index), value))

    def _put(self, changed: Tensor) -> None:
        """Makes the tensor hold what it is after some of its elements were written."""
        self._become(changed)

    def _become(self, changed: Tensor) -> None:
        """Makes this object stand for another value; what was noted of it before keeps the value it had."""
        now = state.now
        piece = now.piece if now.trace is None else None
        if piece is None or now.tapes or not piece.turned(self, changed):
            before = piece.renamed(self, changed) if piece is not None else None
            if before is None:
                settle()  # ops that wait read the value that it has now
                self._fulfil()
                before = Tensor.__new__(Tensor)
                before._take(self)
                self._take(changed)
            for tape in now.tapes:
                tape.rename(((self, before), (changed, self)))
            if now.trace is not None and before._trace is not now.trace:
                now.trace.overwritten(self, before)
        if hasattr(self, "_captured"):
            context.structure_changed()

    def _take(self, source: Tensor) -> None:
        self._array, self._buffer, self._address = source._array, source._buffer, source._address
        self._promise, self._place = source._promise, source._place
        self._node, self._trace, self.spec = source._node, source._trace, source.spec

    def __neg__(self) -> Tensor:
        return TABLE["neg"](self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return TABLE["abs"](self)

    def __invert__(self) -> Tensor:
        """Whether each element is zero, of every type: `ops.bitwise_not` is the other meaning."""
        return TABLE["logical_not"](self)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __eq__(self, other: Any) -> Tensor: ...  # type: ignore[override]  # element by element, as all of these
        def __ne__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...


def _strides(type_: TensorType) -> tuple[int, ...]:
    strides, step = [], type_.dtype.itemsize
    for extent in reversed(type_.shape):
        strides.append(step)
        step *= extent
    return tuple(reversed(strides))


def _operator(name: str, reflected: bool = False) -> Any:
    def forward(self: Tensor, other: Any) -> Tensor:
        return TABLE[name](self, other)

    def backward(self: Tensor, other: Any) -> Tensor:
        return TABLE[name](other, self)

    return backward if reflected else forward


_OPERATORS = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "floordiv": "floor_div", "mod": "floor_mod",
    "pow": "pow",
}  # fmt: skip
for _python, _op in _OPERATORS.items():
    setattr(Tensor, f"__{_python}__", _operator(_op))
    setattr(Tensor, f"__r{_python}__", _operator(_op, reflected=True))
for _python, _op in {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}.items():
    setattr(Tensor, f"__{_python}__", _operator(_op))


def _equality(name: str, unlike: bool) -> Any:
    def compare(self: Tensor, other: Any) -> Tensor | bool:
        return unlike if other is None or isinstance(other, str) else TABLE[name](self, other)

    return compare


Tensor.__eq__ = _equality("equal", unlike=False)  # type: ignore[method-assign]  # as the operators above
Tensor.__ne__ = _equality("not_equal", unlike=True)  # type: ignore[method-assign]


def _bitwise(name: str) -> Any:
    def forward(self: Tensor, other: Any) -> Tensor:
        return TABLE[f"{'logical' if self.dtype.is_bool else 'bitwise'}_{name}"](self, other)

    return forward


for _python in ("and", "or", "xor"):
    setattr(Tensor, f"__{_python}__", _bitwise(_python))
    setattr(Tensor, f"__r{_python}__", _bitwise(_python))


class NoValues:
    """What stands in for the values of a tensor that only describes others."""

    def fulfil(self, tensor: Tensor) -> None:
        raise TypeError(f"Tensor: the shape {tensor.shape} describes inputs, there are no values")


class Shared(Tensor):
    """A Tensor on an array that the program goes on writing to: ops on it run at once."""

    __slots__ = ()


class Number(Tensor):
    """A 0-d tensor made of a Python number: where ops are compiled it may be a constant."""

    __slots__ = ()

    @classmethod
    def of(cls, value: float | int | bool | complex, dtype: DType) -> Number:
        """The number in `dtype`; equal numbers share an array.

        Raises:
            ValueError: an integer dtype that cannot hold it.
        """
        key = (value if value and type(value) is not complex else repr(value), dtype)  # 0.0 and -0.0 are equal
        known = _elements.get(key)
        if known is None:
            if len(_elements) >= MOST_ELEMENTS:
                _elements.clear()
            known = _elements[key] = cls.wrap(_element(value, dtype))
        number = cls.__new__(cls)  # its own object: `number[()] = x` may make something else of it
        number._take(known)
        return number


_elements: dict[tuple[Any, DType], Tensor] = {}

MOST_ELEMENTS = 10_000
"""How many numbers' arrays are kept."""


def _element(value: float | int | bool | complex, dtype: DType) -> np.ndarray:
    if isinstance(value, complex) and not dtype.is_complex:
        raise ValueError(f"Tensor: the complex number {value} does not fit {dtype.name}")
    try:
        with np.errstate(over="ignore"):  # a float beyond the dtype is infinite there
            return np.array(value, dtype.np)
    except (OverflowError, ValueError):
        raise ValueError(f"Tensor: the number {value} does not fit {dtype.name}") from None


_new = object.__new__


def promised(type_: TensorType, call: Any, place: int) -> Tensor:
    """A Tensor whose value `call` will compute when it is asked for: of its values the one numbered `place`."""
    tensor = _new(Tensor)
    tensor._array = tensor._buffer = tensor._node = tensor._trace = None
    tensor._promise, tensor._place, tensor._address, tensor.spec = call, place, 0, type_
    return tensor


def filled(buffer: Any, type_: TensorType) -> Tensor:
    """A Tensor on raw bytes that native code filled; the array over them is made when asked for."""
    tensor = _new(Tensor)
    tensor._array = tensor._promise = tensor._node = tensor._trace = None
    tensor._address = tensor._place = 0
    tensor._buffer, tensor.spec = buffer, type_
    return tensor


def tensor(
    input_data: Any = None, dtype: Any = None, shape: Any = None, init: Any = None, const_arg: bool = False
) -> Tensor:
    """`Tensor(...)` as a function."""
    return Tensor(input_data, dtype, shape, init, const_arg)


def from_numpy(array: np.ndarray) -> Tensor:
    """A Tensor that shares the array's memory (a copy where it is not C-contiguous)."""
    kind = Tensor if state.now.piece is None else Shared
    if type(array) is np.ndarray and array.flags.c_contiguous:
        known = known_type(array)
        if known is not None:
            return kind.wrap(array, known)
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected a numpy.ndarray, got {type(array).__name__}")
    return kind.wrap(as_array(array))


def is_tensor(obj: Any) -> bool:
    """Whether an object is a `Tensor` (a `Parameter` is one)."""
    return isinstance(obj, Tensor)
