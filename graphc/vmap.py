"""`vmap`: a function of samples as a function of batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc import ops
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["vmap"]


def vmap(fn: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """A function that calls `fn` for each sample of a batch and stacks the results.

        per_sample = ms.vmap(ms.grad(loss_fn), in_axes=(0, 0))

    The samples are computed one after the other; in graph mode all are in one graph.

    Args:
        fn: takes tensors, and returns one or nested tuples of them.
        in_axes: along which axis the samples of each argument lie: an int for all, or a tuple with an int for each
            argument, None where it is the same for all samples, or a tuple again for a tuple of tensors.
        out_axes: along which axis the results are stacked: an int, or nested tuples of them as `fn` returns.
    Raises:
        TypeError, ValueError: axes that do not fit the arguments, or extents that differ, when it is called.
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
        results = [fn(*(_sample(value, axis, i) for value, axis in zip(args, axes, strict=True))) for i in range(count)]
        return _stacked(results, out_axes)

    return batched


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
