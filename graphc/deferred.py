"""A step in one piece: in graph mode a gradient waits for the optimizer that uses it.

A program in graph mode says `(loss, logits), grads = grad_fn(x, y)` and then `optimizer(grads)`. The first call returns
tensors whose values are not computed yet. If the optimizer is the next to ask for the gradients, both are traced and
compiled as one graph, in which updates are epilogues of the gradients' kernels. If anything else asks first (a value is
read, a Parameter is looked at or written, other compiled code runs), the gradient function runs by itself.
"""

from __future__ import annotations

import threading
import weakref
from itertools import count, repeat
from typing import TYPE_CHECKING, Any

from graphc.jit import Jitted, signature
from graphc.state import state
from graphc.tensor import Tensor, settle

if TYPE_CHECKING:
    from graphc.gradients import GradientFunction
    from graphc.jit import Compiled
    from graphc.nn.optim import Optimizer


class Deferred:
    """A call of a gradient function that has not run.

    Attributes:
        value: what the call returned, around tensors without a value.
    """

    def __init__(self, gradient: GradientFunction, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.gradient = gradient
        self.key, self.leaves, self.args, self.kwargs = signature(args, kwargs, copy=True)
        self.compiled = gradient.jitted.entry(self.key, self.args, self.kwargs)
        self.placeholders = list(map(Tensor.promised, self.compiled.results, repeat(self), count()))
        self.value = self.compiled.traced.rebuild(self.placeholders)
        self.done = False
        self._lock = threading.Lock()

    def run(self) -> None:
        """Computes the values, without an optimizer; if that has failed, once more."""
        with self._lock:
            if not self.done:
                self._finish(self.compiled)

    def run_with(self, optimizer: Optimizer) -> bool:
        """Computes the values and makes the optimizer's step, as one executable; False if the values exist already."""
        with self._lock:
            if self.done:
                return False
            self._finish(self.gradient.with_update(optimizer).entry(self.key, self.args, self.kwargs))
            return True

    def _finish(self, compiled: Compiled) -> None:
        compiled.run(self.leaves, self.placeholders)
        self.done = True


def defer(gradient: GradientFunction, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the gradient function returns, to be computed when it is asked for."""
    settle()
    call = Deferred(gradient, args, kwargs)
    state.call = call
    if call.compiled.traced.changed:
        settle()  # what it does to its arguments can be seen without asking for a value
    return call.value


def join(optimizer: Optimizer, gradients: Any) -> bool:
    """Runs a waiting gradient together with the optimizer's step, if these are its gradients, all and in order."""
    waiting = state.call
    if waiting is None or not isinstance(gradients, (tuple, list)):
        return False
    own = waiting.gradient.weight_gradients(waiting.value)
    same = own is gradients or (len(own) == len(gradients) and all(x is y for x, y in zip(own, gradients)))
    if not same or not waiting.compiled.still_valid():
        return False
    state.call = None
    return waiting.run_with(optimizer)


class Updates:
    """The jitted functions that a gradient function and each optimizer make together."""

    def __init__(self) -> None:
        self._by_optimizer: dict[int, tuple[weakref.ref[Optimizer], Jitted]] = {}  # by id: hashing a Cell takes longer

    def get(self, gradient: GradientFunction, optimizer: Optimizer) -> Jitted:
        found = self._by_optimizer.get(id(optimizer))
        return found[1] if found is not None else self._new(gradient, optimizer)

    def _new(self, gradient: GradientFunction, optimizer: Optimizer) -> Jitted:
        chosen, known, key = weakref.proxy(optimizer), self._by_optimizer, id(optimizer)

        def step(*args: Any, **kwargs: Any) -> Any:
            value = gradient.differentiate(*args, **kwargs)
            chosen(gradient.weight_gradients(value))
            return value

        jitted = Jitted(step, f"{gradient.__name__}_step")
        known[key] = weakref.ref(optimizer, lambda _: known.pop(key, None)), jitted
        return jitted
