"""What calling an op does: run it, now or with others, or record it into the graph being traced; and on open tapes.

`apply` is the one road from the op table to a value. It makes the operands agree and asks the op's rule for the
result's type. Then it records a node (`graphc.trace`), or notes the op to run it with others (`graphc.noting`), or runs
it: its NumPy meaning where that is exact to the bit and fast, otherwise its own compiled kernel (`set_kernel_runner`,
called by the compiler).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from graphc.ir import TensorType
from graphc.op import TABLE, Op, set_apply
from graphc.parameter import Parameter, Parts
from graphc.place import located
from graphc.state import look, state
from graphc.tensor import Tensor

KernelRunner = Callable[[Op, tuple[Tensor, ...], dict[str, Any], TensorType], Tensor]
InParts = Callable[[Op, tuple[Tensor, ...], dict[str, Any]], Tensor]


_kernel_runner: KernelRunner | None = None


def set_kernel_runner(runner: KernelRunner) -> None:
    """Registers what runs an op whose NumPy result is not exact to the bit."""
    global _kernel_runner
    _kernel_runner = runner


_in_parts: InParts


_of_parts: Callable[[Tensor], Tensor]


def set_in_parts(rule: InParts, of_parts: Callable[[Tensor], Tensor]) -> None:
    """Registers what an op on complex operands is: ops on their parts; and what makes complex numbers of parts that lie
    side by side (`graphc.ops.complex_rules`)."""
    global _in_parts, _of_parts
    _in_parts, _of_parts = rule, of_parts


Shortcut = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]


def _no_shortcut(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return None


_shortcut: Shortcut = _no_shortcut


def set_shortcut(shortcut: Shortcut) -> None:
    """Registers what may run a function of ops as one, for calls that come often (`graphc.often`)."""
    global _shortcut
    _shortcut = shortcut


def by_shortcut(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a function of ops that is called by itself returns, if that can be had at once; None, and nothing is done,
    where it cannot, or where somebody takes note of ops."""
    now = state.now
    if now.trace is not None or now.piece is not None or now.tapes or now.call is not None:
        return None
    return _shortcut(function, args, kwargs)


def apply(op: Op, operands: tuple[Any, ...], attrs: dict[str, Any]) -> Tensor:
    """The result of `op`, now, later or as a stand-in.

    Raises:
        TypeError, ValueError: from the op's rule; the message gains the user's file and line.
    """
    now = state.now
    piece = now.piece
    if not op.broadcasts or now.trace is not None:
        return _applied(op, operands, attrs)
    if piece is None:
        quick = by_shortcut(_applications[op], operands, attrs)
        if quick is not None:
            return quick  # type: ignore[no-any-return]
    else:
        type_ = getattr(operands[0], "spec", None) if operands else None
        for operand in operands:
            if not isinstance(operand, Tensor) or (operand.spec is not type_ and operand.spec != type_):
                found: Tensor = piece.call(_applications[op], operands, attrs)  # what makes them agree are ops too
                return found
    return _applied(op, operands, attrs)


class _Applications(dict[Op, Callable[..., Tensor]]):
    """For each op one function that applies it."""

    def __missing__(self, op: Op) -> Callable[..., Tensor]:
        made = self[op] = lambda *operands, **attrs: _applied(op, operands, attrs)
        return made


_applications = _Applications()


def _applied(op: Op, operands: tuple[Any, ...], attrs: dict[str, Any]) -> Tensor:
    if op.defaults:
        attrs = {**op.defaults, **attrs}
    try:
        if op.coerce is not None:
            operands = op.coerce(*operands)
        else:
            _check_tensors(op, operands)
    except (TypeError, ValueError) as error:
        raise located(error) from None
    for operand in operands:
        if operand.spec.dtype.wide is not None and not op.traits & MOVING:
            return _widely(op, operands, attrs)
    return perform(op, operands, attrs)


def perform(op: Op, operands: tuple[Tensor, ...], attrs: dict[str, Any]) -> Tensor:
    """The result of an op on operands that agree and that it takes as they are, like those of a node of a graph."""
    now = state.now
    trace, piece = now.trace, now.piece
    if trace is not None:
        result = trace.record(op, operands, attrs, inferred(op, operands, attrs))
    elif piece is not None:
        result = piece.note(op, operands, attrs)
    else:
        result = run(op, operands, attrs, inferred(op, operands, attrs))
    for tape in now.tapes:
        tape.record(op, operands, attrs, result)
    return result


def _widely(op: Op, operands: tuple[Tensor, ...], attrs: dict[str, Any]) -> Tensor:
    """The result of an op on elements that are no type to compute in: that of wider ones, in the type of its rule; or
    that of the parts of complex ones. What multiplies narrow numbers as they are makes wide ones, which are rounded."""
    if any(operand.spec.dtype.is_complex for operand in operands):
        return _in_parts(op, operands, attrs)
    cast, type_ = TABLE["cast"], inferred(op, operands, attrs)
    if "contraction" in op.traits and type_.dtype is not operands[0].spec.dtype:
        return cast(perform(op, operands, attrs), dtype=operands[0].spec.dtype)
    wide = [o if o.spec.dtype.wide is None else cast(o, dtype=o.spec.dtype.wide) for o in operands]
    result = _applied(op, tuple(wide), attrs)
    return result if result.spec.dtype is type_.dtype else cast(result, dtype=type_.dtype)


set_apply(apply)

MOVING = frozenset(("view", "moves"))
"""The traits of ops that take elements of any type, because they compute nothing with them."""

MANY = 10_000
"""From this many elements on NumPy is at best as fast as a kernel, and 10 to 40 times slower where it selects."""

MOST_KNOWN = 1_000
"""For how many types of operands, and attributes, an op keeps the type of its result."""


def inferred(op: Op, operands: tuple[Tensor, ...], attrs: dict[str, Any]) -> TensorType:
    """The type of the op's result.

    Raises:
        TypeError, ValueError: from the op's rule; the message gains the user's file and line.
    """
    types = tuple([o.spec for o in operands])
    key = (types, *attrs.items(), *map(type, attrs.values())) if attrs else types  # 1, 1.0 and True are equal
    known = op.known.get(key)
    if known is not None:
        return known
    try:
        found = op.infer(*types, **attrs)
    except (TypeError, ValueError) as error:
        raise located(error) from None
    if len(op.known) < MOST_KNOWN:
        op.known[key] = found
    return found


def _check_tensors(op: Op, operands: tuple[Any, ...]) -> None:
    for operand in operands:
        if not isinstance(operand, Tensor):
            raise TypeError(f"{op.name}: expected a Tensor, got {type(operand).__name__} {operand!r:.60}")


def runs_compiled(op: Op, type_: TensorType, operands: Iterable[TensorType]) -> bool:
    """Whether the op by itself runs as its own kernel, rather than by NumPy.

    Args:
        type_: of the result.
        operands: the types of the operands.
    """
    if not op.exact:
        return True
    if op.kernel is not None:  # it may look at all of its operands for the sake of a few results
        return type_.size >= MANY or any(operand.size >= MANY for operand in operands)
    return type_.size >= MANY and "elementwise" in op.traits and not op.is_view


def run(op: Op, operands: tuple[Tensor, ...], attrs: dict[str, Any], type_: TensorType) -> Tensor:
    """Runs the op now on values."""
    if runs_compiled(op, type_, (o.spec for o in operands)):
        for operand in operands:
            if type(operand) is not Tensor or operand._node is not None:
                operand.numpy_view()  # a stand-in left over from a trace fails here, a Parameter comes after what waits
        assert _kernel_runner is not None, "graphc.compiler registers the kernel runner"
        return _kernel_runner(op, operands, attrs, type_)
    arrays = [o.numpy_view() for o in operands]
    if op.is_view:
        result = op.meaning(*arrays, **attrs)
    else:
        with np.errstate(all="ignore"):  # takes as long as three small additions
            result = op.meaning(*arrays, **attrs)
    if type(result) is not np.ndarray or result.dtype is not type_.dtype.np or not result.flags.c_contiguous:
        result = np.ascontiguousarray(result, type_.dtype.np)
    if result.shape != type_.shape:
        result = result.reshape(type_.shape)
    for operand, array in zip(operands, arrays):
        if isinstance(operand, Parameter) and np.may_share_memory(result, array):
            result = result.copy()  # a Parameter's buffer changes later; the result must not
    made = Tensor.wrap(result, type_)
    if look.op is not None:
        look.op(op, operands, made)
    return made


def assign(target: Tensor | Parts, value: Tensor) -> Tensor:
    """Makes `value` what `target` holds from here on: now, or as an update of the traced graph.

    A Tensor that is no Parameter comes to stand for a copy of the value, as after `target[...] = value`.

    Raises:
        TypeError: `target` is no Tensor.
        ValueError: the shapes differ. Nothing is changed then.
    """
    if isinstance(target, Parts):
        target._take(value)
        return assign(target.parameter, _of_parts(value))
    if not isinstance(target, Tensor):
        raise located(TypeError(f"assign: expected a Parameter or Tensor to assign to, got {type(target).__name__}"))
    if value.shape != target.shape:
        named = target.name if isinstance(target, Parameter) else "the Tensor"
        raise located(ValueError(f"assign: shapes differ, {named} is {target.spec}, the value is {value.spec}"))
    if value.dtype is not target.dtype:
        value = TABLE["cast"](value, dtype=target.dtype)
    if not isinstance(target, Parameter):
        target._become(TABLE["identity"](value))
        target.written(..., target)
        return target
    now = state.now
    readers = [tape for tape in now.tapes if tape.reads(target)]
    if readers:
        recorder = now.trace or now.piece
        before = recorder.value_of(target) if recorder is not None else Tensor.wrap(target.asnumpy())
        for tape in readers:
            tape.assigned(target, before)
    if now.trace is not None:
        now.trace.write(target, value)
    elif now.piece is not None:
        now.piece.write(target, value)
    else:
        np.copyto(target.numpy_view(), value.numpy_view())
    return target
