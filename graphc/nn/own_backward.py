"""The derivative that a Cell's `bprop`, or hooks on its backward pass, give it: entries of the tape that call them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from graphc.autograd import with_vjp
from graphc.nested import leaves_of, with_leaves
from graphc.parameter import Parameter
from graphc.place import located
from graphc.tensor import Tensor

if TYPE_CHECKING:
    from graphc.nn.cell import Cell


def with_own_backward(cell: Cell, construct: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What `construct` computes, with the derivative that the Cell's `bprop` and hooks give it.

    Args:
        construct: is called with `args` as one tuple and `kwargs` as one dict.
    """
    name, hooks, grad_outputs = type(cell).__name__, cell._hooks, list[tuple[Tensor, ...]]()

    def entering(*cts: Tensor) -> tuple[Tensor, ...]:
        for hook in hooks.backward_pre:
            cts = _replaced(cts, hook(cell, cts))
        grad_outputs.append(cts)
        return cts

    def leaving(*cts: Tensor) -> tuple[Tensor, ...]:
        for hook in hooks.backward:
            cts = _replaced(cts, hook(cell, cts, grad_outputs[-1]))
        return cts

    given = [a for a in args if _is_inexact(a)]
    if hooks.backward and given:
        fresh = iter(with_vjp(name, tuple(given), given, leaving))
        args = tuple(next(fresh) if _is_inexact(a) else a for a in args)
    value = construct(args, kwargs)
    if getattr(type(cell), "bprop", None):
        value = _with_bprop(cell, value, args)
    if hooks.backward_pre or hooks.backward:
        value = with_vjp(name, value, [v for v in leaves_of(value) if _is_inexact(v)], entering)
    return value


def _with_bprop(cell: Any, value: Any, args: tuple[Any, ...]) -> Any:
    """A value of the Cell whose gradients are those that `bprop(*args, value, gradient of the value)` returns."""
    name, weights = f"{type(cell).__name__}.bprop", cell.trainable_params()
    floats = [i for i, a in enumerate(args) if _is_inexact(a)]

    def backward(*cts: Tensor) -> list[Any]:
        each = iter(cts)
        dout = with_leaves(result, iter([_cotangent(each, output) for output in leaves_of(result)]))
        given = cell.bprop(*args, result, dout)
        by_weight: dict[Parameter, Tensor] = {}
        if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], dict):
            given, by_weight = given
        grads = given if isinstance(given, (tuple, list)) else (given,)
        if len(grads) != len(args):
            got = f"expected a gradient for each of {len(args)} inputs, got {len(grads)}"
            raise located(ValueError(f"{name}: {got}"))
        of_weights = (by_weight[w] if w in by_weight else functools.partial(_missing, name, w) for w in weights)
        return [*(grads[i] for i in floats), *of_weights]

    result = with_vjp(name, value, [*(args[i] for i in floats), *weights], backward)
    return result


def _is_inexact(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype.is_inexact


def _cotangent(cts: Iterator[Tensor], output: Any) -> Any:
    """What `bprop` gets for one output: the next cotangent, zeros for one that is not differentiable."""
    if not isinstance(output, Tensor):
        return None
    return next(cts) if output.dtype.is_inexact else output * 0


def _missing(name: str, weight: Parameter) -> Tensor:
    """Is called where a weight's gradient is asked for that `bprop` has not returned."""
    wanted = f"returns no gradient of {weight.name}: return (gradients, {{parameter: gradient}})"
    raise located(ValueError(f"{name}: {wanted}, or have it not require one"))


def _replaced(cts: tuple[Tensor, ...], changed: Any) -> tuple[Tensor, ...]:
    """Gradients, or what a hook returned instead."""
    if changed is None:
        return cts
    return tuple(changed) if isinstance(changed, (tuple, list)) else (changed,)
