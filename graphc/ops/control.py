"""What programs do around ops: assignment, mapping over structures, dispatch on types, printing, clipping gradients."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

from graphc.dispatch import assign as assign_to
from graphc.dtype import DType
from graphc.nested import flatten, kind_of, map_leaves
from graphc.ops.coerce import as_dtype, as_tensor, cast
from graphc.ops.complex_parts import squares
from graphc.ops.elementwise import add, div, isfinite, minimum, mul, select, sqrt, sub
from graphc.ops.functions import addn, greater, identity
from graphc.ops.recurrence import scan
from graphc.ops.reduce import norm, sum_over
from graphc.ops.shape import reshape, stack
from graphc.ops.sparse_tensors import COOTensor, CSRTensor, RowTensor
from graphc.place import located
from graphc.state import state
from graphc.tensor import Tensor, TracedValueError

__all__ = [
    "ForiLoop", "HyperMap", "Map", "MultitypeFuncGraph", "Print", "Scan", "WhileLoop", "add_flags", "assign",
    "assign_add", "assign_sub", "clip_by_global_norm", "clip_by_norm", "constexpr", "depend", "dtype", "make_range",
    "mixed_precision_cast", "partial", "print_", "tuple_len",
]  # fmt: skip


# Assignment


def assign(variable: Tensor, value: Any) -> Tensor:
    """Makes `value`, cast to its dtype, what a Parameter or Tensor holds from here on.

    Args:
        value: of the same shape; a number for a scalar.
    Returns:
        The value that it holds now, a tensor that later assignments do not change.
    Raises:
        TypeError: `variable` is no Tensor. ValueError: the shapes differ.
    """
    own = Tensor(value, variable.dtype) if isinstance(value, (int, float)) else identity(value)
    return own if value is variable else held(variable, own)


def assign_add(variable: Tensor, value: Any) -> Tensor:
    """Adds `value` to what the Parameter or Tensor holds; returns the sum."""
    return held(variable, add(variable, value))


def assign_sub(variable: Tensor, value: Any) -> Tensor:
    """Subtracts `value` from what the Parameter or Tensor holds; returns the difference."""
    return held(variable, sub(variable, value))


def held(variable: Tensor, value: Tensor) -> Tensor:
    """Assigns a value that nobody else holds, and returns it with the variable's dtype."""
    assign_to(variable, value)
    return cast(value, variable.dtype)


# Order and constants


def depend(value: Any, expr: Any) -> Any:
    """`value`; what `expr` computes happens anyway, since assignments keep the order of the program."""
    return value


def partial(*args: Any) -> Callable[..., Any]:
    """The function `args[0]` with its first arguments given."""
    function, *given = args
    return functools.partial(function, *given)


def constexpr(
    fn: Callable[..., Any] | None = None, get_instance: bool = True, name: str | None = None, reuse_result: bool = True,
    check: bool = True,
) -> Any:
    """Marks a function that is computed while a graph is traced, as every Python function is: it stays as it is.

    The options tell MindSpore's parser how to treat it; a trace needs none of them.
    """
    return fn if fn is not None else lambda function: function


_primexpr = constexpr  # by which MindSpore's own layers call it, and layers made after them


def add_flags(fn: Callable[..., Any] | None = None, **flags: Any) -> Any:
    """Marks a function for MindSpore's compiler: it stays as it is, and holds the flags.

    Args:
        flags: names and values; graphc goes by none of them.
    """

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        vars(function).setdefault("_mindspore_flags", {}).update(flags)
        return function

    return mark if fn is None else mark(fn)


def make_range(*args: int) -> tuple[int, ...]:
    """`tuple(range(*args))`."""
    return tuple(range(*args))


def tuple_len(*args: Any) -> int:
    """The length of a tuple or list."""
    return len(*args)


def dtype(x: Any) -> DType:
    """The element type of a tensor."""
    return as_tensor("dtype", x).dtype


def mixed_precision_cast(dst_dtype: Any, x: Any) -> Any:
    """The float tensors in nested tuples, lists and dicts cast to a dtype; everything else as it is."""
    wanted = as_dtype(dst_dtype)
    return map_leaves(lambda t: cast(t, wanted) if isinstance(t, Tensor) and t.dtype.is_float else t, x)


# Mapping and dispatch


class HyperMap:
    """Applies a function to the leaves of tuples and lists of one structure: `HyperMap()(fn, xs, ys)`.

    Args:
        ops: the function, if it is not given with the call.
        reverse: go through the items from the last to the first.
    """

    deep = True

    def __init__(self, ops: Callable[..., Any] | None = None, reverse: bool = False) -> None:
        if ops is not None and not callable(ops):
            raise TypeError(f"{type(self).__name__}: ops must be callable, got {type(ops).__name__}")
        self.ops, self.reverse = ops, bool(reverse)

    def __call__(self, *args: Any) -> Any:
        function, *columns = args if self.ops is None else (self.ops, *args)
        if not callable(function) or not columns:
            raise located(TypeError(f"{type(self).__name__}: expected a function and at least one tuple or list"))
        return self._map(function, columns, top=True)

    def _map(self, function: Callable[..., Any], columns: list[Any], top: bool) -> Any:
        first = columns[0]
        if not isinstance(first, (tuple, list)) or not (top or self.deep):
            return function(*columns)
        if any(not isinstance(c, (tuple, list)) or len(c) != len(first) for c in columns):
            raise located(ValueError(f"{type(self).__name__}: the tuples differ in structure or length"))
        rows = [list(row) for row in zip(*columns, strict=True)]
        if self.reverse:
            return kind_of(first)([self._map(function, row, False) for row in reversed(rows)][::-1])
        return kind_of(first)([self._map(function, row, False) for row in rows])


class Map(HyperMap):
    """Applies a function to the items of tuples and lists, which may be tuples themselves: one level of `HyperMap`."""

    deep = False


_TYPE_NAMES: dict[str, type | tuple[type, ...]] = {
    "Tensor": Tensor, "Number": (int, float), "Bool": bool, "Int": int, "Float": float, "String": str,
    "Int32": int, "Int64": int, "Float32": float, "Float64": float, "Tuple": tuple, "List": list, "Dict": dict,
    "Dictionary": dict, "Slice": slice, "Ellipsis": type(...), "Function": type(lambda: None), "None": type(None),
    "COOTensor": COOTensor, "CSRTensor": CSRTensor, "RowTensor": RowTensor,
}  # fmt: skip


class MultitypeFuncGraph:
    """A function with one implementation for each list of argument types.

        scale = MultitypeFuncGraph("scale")

        @scale.register("Tensor", "Tensor")
        def _scale(factor, grad): ...

    Args:
        name: its name in errors.
        read_value: accepted for Parameters as arguments; they are always passed themselves.
    """

    def __init__(self, name: str, read_value: bool = False) -> None:
        self.name, self.read_value = name, read_value
        self.entries: list[tuple[tuple[type | tuple[type, ...], ...], Callable[..., Any]]] = []

    def register(self, *type_names: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Registers the decorated function for arguments of these types (names such as "Tensor", or types)."""
        types = []
        for name in type_names:
            if not isinstance(name, type) and name not in _TYPE_NAMES:
                known = ", ".join(_TYPE_NAMES)
                raise TypeError(f"{self.name}: unknown type {name!r}; expected a type or one of {known}")
            types.append(name if isinstance(name, type) else _TYPE_NAMES[name])

        def enter(function: Callable[..., Any]) -> Callable[..., Any]:
            self.entries.append((tuple(types), function))
            return function

        return enter

    def __call__(self, *args: Any) -> Any:
        for types, function in reversed(self.entries):
            if len(types) == len(args) and all(_is(a, t) for a, t in zip(args, types, strict=True)):
                return function(*args)
        shown = ", ".join(type(a).__name__ for a in args)
        raise located(TypeError(f"{self.name}: no implementation is registered for ({shown})"))


def _is(value: Any, wanted: type | tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return wanted is bool
    return isinstance(value, wanted)


# Loops


def _carried(name: str, before: Any, after: Any) -> Any:
    """What a step of a loop hands to the next.

    Raises:
        ValueError: a tensor that comes out of a step has another type than the one that went in.
    """
    if isinstance(before, Tensor) and isinstance(after, Tensor) and before.spec != after.spec:
        raise located(ValueError(f"{name}: the loop function was given {before.spec} and returned {after.spec}"))
    return after


class WhileLoop:
    """`while cond_func(value): value = loop_func(value)`; a graph holds its steps one after the other.

    Raises:
        TracedValueError: the condition is a tensor that is being traced; a graph's loops do not depend on data.
        ValueError: `loop_func` returns a tensor of another type than it was given.
    """

    def __call__(self, cond_func: Callable[[Any], Any], loop_func: Callable[[Any], Any], init_val: Any) -> Any:
        value = init_val
        while cond_func(value):
            value = _carried("WhileLoop", value, loop_func(value))
        return value


class ForiLoop:
    """`for i in range(lower, upper): value = loop_func(i, value)`; a graph holds its steps one after the other.

    Args:
        unroll: a graph holds the steps either way.
    Raises:
        ValueError: `loop_func` returns a tensor of another type than it was given.
    """

    def __call__(
        self, lower: Any, upper: Any, loop_func: Callable[[int, Any], Any], init_val: Any, unroll: bool = True
    ) -> Any:
        value = init_val
        for i in range(int(lower), int(upper)):
            value = _carried("ForiLoop", value, loop_func(i, value))
        return value


class Scan:
    """A loop over items: each step makes of what is carried and an item what is carried on, and a result.

    Args:
        loop_func: `(carry, item) -> (carry, result)`.
        init: what is carried at first.
        xs: the items, a list or tuple; None for `length` times None.
        unroll: whether a graph holds the steps one after the other. If not, and the items are tensors of one type and
            what is carried are floats, it holds `loop_func` once, as a loop: many steps then compile as fast as one.
    Returns:
        What is carried at last, and the list of results.
    Raises:
        TypeError: `xs` is neither list, tuple nor None; a loop's results are not floats of one type.
        ValueError: `loop_func` returns no pair, or carries on a tensor of another type than it was given; in a loop, it
            assigns to a Parameter, reads at places that are data, or has a derivative of its own (`bprop`, a hook) that
            is asked for.
        AttributeError: in a loop, it sets an attribute of a Cell.
    """

    def __call__(
        self, loop_func: Callable[[Any, Any], Any], init: Any, xs: Any, length: int | None = None, unroll: bool = True
    ) -> tuple[Any, list[Any]]:
        if xs is not None and not isinstance(xs, (list, tuple)):
            raise located(TypeError(f"Scan: expected xs to be a list, a tuple or None, got {type(xs).__name__}"))
        if xs is None and length is None:
            raise located(ValueError("Scan: expected a length where xs is None, got None for both"))
        if xs is not None and not unroll and _loops(init, xs):
            return self._looped(loop_func, init, xs[:length])
        carry, results = init, []
        for item in [None] * (length or 0) if xs is None else xs[:length]:
            after, result = self._step(loop_func, carry, item)
            carry = _carried("Scan", carry, after)
            results.append(result)
        return carry, results

    @staticmethod
    def _step(loop_func: Callable[[Any, Any], Any], carry: Any, item: Any) -> tuple[Any, Any]:
        step = loop_func(carry, item)
        if not isinstance(step, tuple) or len(step) != 2:
            raise located(ValueError(f"Scan: the loop function must return a pair, got {step!r:.60}"))
        return step

    def _looped(
        self, loop_func: Callable[[Any, Any], Any], init: Any, xs: Sequence[Tensor]
    ) -> tuple[Any, list[Any]]:
        """The same as one node of a graph."""
        starts: list[Tensor] = []
        _, carry_of = flatten(init, starts)
        result_of: Callable[[list[Tensor]], Any] = list

        def step(carried: tuple[Tensor, ...], items: tuple[Tensor, ...], shared: Any) -> Any:
            nonlocal result_of
            after, results = list[Tensor](), list[Tensor]()
            carry, result = self._step(loop_func, carry_of(list(carried)), items[0])
            flatten(carry, after)
            _, result_of = flatten(result, results)
            return after, results

        last, results = scan(step, starts, (stack(list(xs)),))
        return carry_of(list(last)), [result_of([y[t] for y in results]) for t in range(len(xs))]


def _loops(init: Any, xs: Any) -> bool:
    """Whether a loop of a graph can go through the items, and carry on what is carried at first."""
    starts: list[Tensor] = []
    flatten(init, starts)
    alike = bool(xs) and all(type(x) is Tensor and x.spec == xs[0].spec for x in xs)
    return alike and bool(starts) and all(x.dtype.is_float and x.dtype is starts[0].dtype for x in starts)


# Printing


class Print:
    """Prints its arguments, each in a line, tensors with shape, dtype and values.

    A graph cannot print: a function that does runs op by op, and a warning says so.

    Raises:
        TracedValueError: within `jit(fullgraph=True)`, or where the context's `jit_syntax_level` is STRICT.
    """

    def __call__(self, *args: Any) -> None:
        if state.now.trace is not None:
            raise located(TracedValueError("Print: a graph cannot print; return the value and print that"))
        sys.stdout.write("\n".join(repr(a) if isinstance(a, Tensor) else str(a) for a in args) + "\n")

    def __repr__(self) -> str:
        return "Prim[Print]"


def print_(*args: Any) -> None:
    """As `Print`."""
    Print()(*args)


# Clipping of gradients


def clip_by_global_norm(x: Any, clip_norm: float = 1.0, use_norm: Any = None) -> Any:
    """Tensors scaled by `clip_norm / max(norm, clip_norm)`, where `norm` is the 2-norm of all of them together.

    Args:
        x: a tensor, or a tuple or list of tensors.
        clip_norm: the greatest norm the result may have, above 0: a number or a scalar tensor.
        use_norm: only None; the norm is always computed.
    Raises:
        ValueError: a number that is not above 0, which would turn gradients round.
    """
    if use_norm is not None:
        raise located(ValueError("clip_by_global_norm: use_norm is not supported; it must be None"))
    if isinstance(clip_norm, (int, float)) and not clip_norm > 0:
        raise located(ValueError(f"clip_by_global_norm: clip_norm must be above 0, got {clip_norm!r}"))
    if isinstance(x, Tensor):
        return clip_by_global_norm((x,), clip_norm)[0]
    tensors = [as_tensor("clip_by_global_norm", t) for t in x]
    total = sqrt(addn([sum_over(squares(t), tuple(range(t.ndim))) for t in tensors]))
    above = select(greater(total, clip_norm), total, clip_norm)
    return kind_of(x)([div(mul(t, clip_norm), above) for t in tensors])


def clip_by_norm(x: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Any:
    """A tensor, or each in a tuple or list, scaled so that the norm of all together is at most `max_norm`.

    Args:
        norm_type: which norm (see `ops.norm` of a vector).
        error_if_nonfinite: raise RuntimeError if the norm is not finite; eager mode only.
    """
    tensors = [as_tensor("clip_by_norm", t) for t in (x if isinstance(x, (tuple, list)) else (x,))]
    total = norm(stack([norm(reshape(t, -1), norm_type, 0) for t in tensors]), norm_type, 0)
    if error_if_nonfinite and not bool(isfinite(total)):
        raise located(RuntimeError(f"clip_by_norm: the norm is {total.item()}"))
    factor = minimum(div(max_norm, add(total, 1e-6)), 1.0)
    scaled = [mul(t, factor) for t in tensors]
    return kind_of(x)(scaled) if isinstance(x, (tuple, list)) else scaled[0]
