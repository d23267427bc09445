"""`vmap`: a function of samples as a function of batches.

The function is recorded for one sample, and each op it called is then done for all of them (`graphc.ops.batch_rules`).
What can be recorded so is what a graph can hold; other functions are called for each sample.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from graphc import ops
from graphc.dispatch import perform
from graphc.eager import in_one_piece
from graphc.ir import Node, TensorType, postorder
from graphc.nested import flatten
from graphc.op import TABLE
from graphc.ops.batch_rules import on_batch
from graphc.ops.coerce import broadcast, scalar
from graphc.parameter import Parameter
from graphc.place import located
from graphc.state import state
from graphc.tensor import Tensor, TracedValueError
from graphc.trace import InnerTrace

__all__ = ["vmap"]


def vmap(fn: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """A function of batches that does to each sample what `fn` does, and stacks the results.

        per_sample = ms.vmap(ms.grad(loss_fn), in_axes=(0, 0))

    `fn` is called once, and its ops run on all samples together. It is called for each sample in turn if it asks for
    values (`if` on a tensor), assigns to Parameters, or draws random numbers.

    Args:
        fn: takes tensors, and returns one or nested tuples of them.
        in_axes: along which axis the samples of each argument lie: an int for all, or a tuple with an int for each
            argument, None where it is the same for all samples, or a tuple again for a tuple of tensors.
        out_axes: along which axis the results are stacked: an int, or nested tuples of them as `fn` returns.
    Raises:
        TypeError, ValueError: axes that do not fit the arguments, or extents that differ, when it is called.
        TraceError: `fn` keeps a tensor, or changes a list or the like from outside, when it is called.
    """
    if not callable(fn):
        raise TypeError(f"vmap: fn must be callable, got {type(fn).__name__}")

    def batched(*args: Any) -> Any:
        axes = in_axes if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise located(ValueError(f"vmap: in_axes has {len(axes)} entries for {len(args)} arguments"))
        extents = {n for value, axis in zip(args, axes, strict=True) for n in _extents(value, axis)}
        if len(extents) != 1:
            shown = "none" if not extents else ", ".join(map(str, sorted(extents)))
            raise located(ValueError(f"vmap: the mapped axes must have one extent, got {shown}"))
        count = extents.pop()
        if not count:
            raise located(ValueError("vmap: a batch of no samples has no result"))
        now = state.now
        if now.trace is not None or now.piece is not None or now.tapes:
            return _mapped(fn, args, axes, count, out_axes)
        with in_one_piece(fn, args):
            return _mapped(fn, args, axes, count, out_axes)

    return batched


def _mapped(fn: Callable[..., Any], args: tuple[Any, ...], axes: Any, count: int, out_axes: Any) -> Any:
    try:
        return _together(fn, args, axes, count, out_axes)
    except (TracedValueError, _NotAlikeError):
        pass
    results = [fn(*(_sample(value, axis, i) for value, axis in zip(args, axes, strict=True))) for i in range(count)]
    return _stacked(results, out_axes)


class _NotAlikeError(Exception):
    """The function does what is not the same whether it is done for one sample or for many."""


class _Sample(InnerTrace):
    """What a function does to one sample, while it is recorded.

    Attributes:
        outside: of each input the tensor behind it, with the samples along its first axis, or the same for all.
        mapped: the inputs that have samples.
    """

    def __init__(self) -> None:
        super().__init__()
        self.outside: dict[Node, Tensor] = {}
        self.mapped: set[Node] = set()

    def sample(self, batch: Tensor) -> Tensor:
        """A stand-in for one sample of a batch, which has them along its first axis."""
        one = self._read(batch, TensorType(batch.shape[1:], batch.dtype))
        assert one._node is not None
        self.mapped.add(one._node)
        return one

    def _read(self, tensor: Tensor, type_: TensorType) -> Tensor:
        node = self.add_input(f"x{len(self.inputs)}", type_, None)
        self.outside[node] = tensor
        return self.stand_in(node)

    def from_outside(self, tensor: Tensor) -> Tensor:
        return self._read(tensor, tensor.spec)

    def put(self, instead: Mapping[int, Tensor]) -> None:
        self.outside = {node: instead.get(id(x), x) for node, x in self.outside.items()}

    def write(self, target: Parameter, value: Tensor) -> None:
        """Raises: what a Parameter becomes depends on how many samples there are."""
        raise _NotAlikeError

    def refuse_own_derivative(self, name: str) -> None:
        """Raises: each sample's must be asked for."""
        raise _NotAlikeError

    def forget(self) -> None:
        """Lets go of stand-ins, so that those that are left are the function's."""
        self._outside.clear()


def _together(fn: Callable[..., Any], args: tuple[Any, ...], axes: Any, count: int, out_axes: Any) -> Any:
    """What the function makes of all samples, by one call of it.

    Raises:
        TracedValueError, _NotAlikeError: it must be called for each.
        TraceError: it has side effects.
    """
    recording = _Sample()
    given = tuple(_stand_in(recording, value, axis) for value, axis in zip(args, axes, strict=True))
    returned = recording.run(functools.partial(fn, *given))
    leaves: list[Tensor] = []
    rebuild = flatten(returned, leaves)[1]
    roots = [recording.node_of(leaf, "vmap") for leaf in leaves]
    del given, returned, leaves
    recording.forget()
    recording.check_pure(getattr(fn, "__name__", type(fn).__name__))
    values = _values(recording, roots, count)
    results = []
    for root in roots:
        value = ops.identity(values[root]) if root.op == "input" else values[root]  # a tensor of its own
        results.append(value if root in recording.mapped else broadcast(value, (count, *root.type.shape)))
    return _moved(rebuild(results), out_axes)


def _stand_in(recording: _Sample, value: Any, axis: Any) -> Any:
    """An argument of one sample."""
    if axis is None:
        return value
    if isinstance(value, (tuple, list)):
        axes = axis if isinstance(axis, (tuple, list)) else (axis,) * len(value)
        return tuple(_stand_in(recording, item, each) for item, each in zip(value, axes, strict=True))
    return recording.sample(ops.moveaxis(value, axis, 0) if axis % value.ndim else value)


def _values(recording: _Sample, roots: list[Node], count: int) -> dict[Node, Tensor]:
    """The value of every node below the roots, for all samples where it depends on them: `recording.mapped` tells."""
    values, mapped, now = dict(recording.outside), recording.mapped, state.now
    place = now.place
    try:
        for node in postorder(roots):
            if node in values:
                continue
            if node.op == "constant":
                values[node] = scalar(node.attrs["value"], node.dtype)
                continue
            op, operands = TABLE[node.op], [values[operand] for operand in node.operands]
            depends = [operand in mapped for operand in node.operands]
            now.place = node.loc
            if any(depends):
                mapped.add(node)
                values[node] = on_batch(op, operands, depends, node.attrs, count, node.type)
            else:
                values[node] = perform(op, tuple(operands), node.attrs)
    finally:
        now.place = place
    return values


def _moved(value: Any, axis: Any) -> Any:
    """Results that have the samples along their first axis, with these along others."""
    if isinstance(value, (tuple, list)):
        axes = axis if isinstance(axis, (tuple, list)) else (axis,) * len(value)
        if len(axes) != len(value):
            raise located(ValueError(f"vmap: out_axes has {len(axes)} entries for {len(value)} results"))
        return tuple(_moved(item, each) for item, each in zip(value, axes, strict=True))
    if not isinstance(value, Tensor):
        raise located(TypeError(f"vmap: fn must return Tensors, got {type(value).__name__}"))
    return ops.moveaxis(value, 0, axis) if axis % value.ndim else value


def _extents(value: Any, axis: Any) -> list[int]:
    """The extents along the mapped axes of an argument."""
    if axis is None:
        return []
    if isinstance(value, (tuple, list)):
        axes = axis if isinstance(axis, (tuple, list)) else (axis,) * len(value)
        return [n for item, each in zip(value, axes, strict=True) for n in _extents(item, each)]
    if not isinstance(value, Tensor) or isinstance(axis, bool) or not isinstance(axis, int):
        raise located(TypeError(f"vmap: expected a Tensor and an axis, got {type(value).__name__} and {axis!r}"))
    if not -value.ndim <= axis < value.ndim:
        raise located(ValueError(f"vmap: axis {axis} is out of range for {value.spec}"))
    return [value.shape[axis]]


def _sample(value: Any, axis: Any, i: int) -> Any:
    if axis is None:
        return value
    if isinstance(value, (tuple, list)):
        axes = axis if isinstance(axis, (tuple, list)) else (axis,) * len(value)
        return tuple(_sample(item, each, i) for item, each in zip(value, axes, strict=True))
    return ops.squeeze(ops.narrow(value, axis % value.ndim, i, 1), axis % value.ndim)


def _stacked(results: list[Any], axis: Any) -> Any:
    if isinstance(results[0], (tuple, list)):
        axes = axis if isinstance(axis, (tuple, list)) else (axis,) * len(results[0])
        if len(axes) != len(results[0]):
            raise located(ValueError(f"vmap: out_axes has {len(axes)} entries for {len(results[0])} results"))
        return tuple(_stacked(list(items), each) for items, each in zip(zip(*results, strict=True), axes, strict=True))
    if not isinstance(results[0], Tensor):
        raise located(TypeError(f"vmap: fn must return Tensors, got {type(results[0]).__name__}"))
    return ops.stack(results, axis)
