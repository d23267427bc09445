"""A step in one piece: in graph mode a gradient waits for the optimizer that uses it.

A program in graph mode says `(loss, logits), grads = grad_fn(x, y)` and then `optimizer(grads)`. The first call returns
tensors whose values are not computed yet. If the optimizer is the next to ask for the gradients, both are traced and
compiled as one graph, in which updates are epilogues of the gradients' kernels. If anything else asks first (a value is
read, a Parameter is looked at or written, other compiled code runs), the gradient function runs by itself.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.jit import Jitted, signature
from graphc.nested import flatten
from graphc.state import state
from graphc.tensor import Tensor, TracedValueError, from_numpy, promised, settle

if TYPE_CHECKING:
    from graphc.gradients import GradientFunction
    from graphc.ir import TensorType
    from graphc.jit import Compiled
    from graphc.nn.optimizer import Optimizer
    from graphc.trace import Traced


class Results:
    """What promises the tensors that a call returns, and where they find their values.

    A tensor takes its value when it is asked for it. Most gradients never are: the optimizer's step used them, nobody
    looked, and the next call returns the same objects.

    Attributes:
        call: that computes the values; None once it has.
    """

    __slots__ = ("_memory", "_places", "_types", "_values", "call", "lock", "taken")

    def __init__(self, types: Sequence[TensorType]) -> None:
        from graphc.runtime.executable import places_of

        self._types, self._places = types, places_of(types, together=True)[1]
        self.lock = threading.Lock()  # held while the values are computed or taken
        self.forget()

    def forget(self) -> None:
        """No values, and nobody has taken one."""
        self.call: Deferred | None = None
        self._memory: list[bytearray] | None = None
        self._values: list[Tensor] | None = None
        self.taken: set[int] = set()

    def promised(self, place: int) -> Tensor:
        """A tensor that will be the result with that number."""
        return promised(self._types[place], self, place)

    def arrive(self, memory: list[bytearray] | None, values: list[Tensor] | None) -> None:
        """The call has run: the values are in this memory (of `Compiled.attempt`), or are those of these tensors."""
        self._memory, self._values, self.call = memory, values, None

    @property
    def has_values(self) -> bool:
        """Whether it keeps the values."""
        return self._memory is not None or self._values is not None

    def release(self) -> None:
        """Frees the values, which nobody can ask for any more."""
        self._memory = self._values = None

    def fulfil(self, tensor: Tensor) -> None:
        """Gives a promised tensor its value, which is computed now if need be."""
        call = self.call
        if call is not None:
            call.run()
        with self.lock:  # several threads may ask
            if tensor._promise is self:
                self._give(tensor)

    def _give(self, tensor: Tensor) -> None:
        number = tensor._place
        self.taken.add(number)
        if self._values is not None:
            tensor.keep(self._values[number])
            return
        assert self._memory is not None
        memory, offset = self._places[number]
        held = self._memory[memory]
        if memory == 0:  # a copy, or it would keep the memory of all
            held = held[offset : offset + max(self._types[number].nbytes, 1)]
        tensor.hold(held)


FEW, MOST_SETS = 8, 3
"""A set is used again if somebody still holds at most so many of its tensors; and how many sets are kept."""


class PromisedSet:
    """Promised tensors, which a call returns, and a later call again if nobody holds them.

    The gradients, which may be many, are returned as one tuple, the same one each time: so a call does not touch them.
    """

    def __init__(self, types: Sequence[TensorType], rebuild: Callable[[list[Tensor]], Any]) -> None:
        from graphc.runtime.entry import held

        self.results, self._held_in = Results(types), held
        self._all = list(map(self.results.promised, range(len(types))))
        self._rebuild = rebuild
        self._first = len(types)  # of the gradients, from where on each has a second reference, by the tuple
        self._tuple: list[tuple[Tensor, ...]] = []
        self._find_tuple(rebuild(self._all))

    def _find_tuple(self, value: Any) -> None:
        """Finds gradients that are returned as (something, gradients)."""
        if type(value) is not tuple or len(value) != 2 or type(value[1]) is not tuple:
            return
        leaves: list[Tensor] = []
        rebuild = flatten(value[0], leaves)[1]
        if [*map(id, (*leaves, *value[1]))] == [*map(id, self._all)]:
            self._rebuild, self._first, self._tuple = rebuild, len(leaves), [value[1]]

    def value(self) -> Any:
        """What a call returns."""
        value = self._rebuild(self._all)
        return (value, self._tuple[0]) if self._tuple else value

    def free(self) -> bool:
        """Whether nobody holds any of the tensors."""
        return self._held(0) == []

    def take(self) -> bool:
        """Makes it promise nothing yet, and hold tensors that nobody else does, if that takes little."""
        results = self.results
        if results.call is not None or len(results.taken) > FEW:
            return False
        places = self._held(FEW)
        if places is None:
            return False
        if places or results.taken:
            self._replace(results.taken.union(places))
        results.forget()
        return True

    def _held(self, most: int) -> list[int] | None:
        """Which of the tensors somebody holds, by number; None if more than so many, or the tuple."""
        if self._tuple and self._held_in(self._tuple, (0, 1), 0) is None:
            return None
        some = self._held_in(self._all, (0, self._first), most)
        if not self._tuple:
            return some
        others = self._held_in(self._all, (self._first, len(self._all)), most, references=2)
        return None if some is None or others is None else some + others

    def _replace(self, places: set[int]) -> None:
        """Puts new tensors in these places: those that are held keep their values, and take them now if need be."""
        tensors, results = self._all, self.results
        for place in places:
            tensor = tensors[place]
            if tensor._promise is results:
                results.fulfil(tensor)
            tensors[place] = results.promised(place)
        if max(places) >= self._first:
            self._tuple = [tuple(tensors[self._first :])]


class Promises:
    """The sets of tensors that calls of one compiled function have returned.

    A loop has two in use: it holds the gradients of one step while it asks for those of the next.
    """

    def __init__(self, types: Sequence[TensorType]) -> None:
        self._types = types
        self._sets: list[PromisedSet] = []
        self._lock = threading.Lock()

    def take(self, call: Deferred, traced: Traced) -> tuple[Results, Any]:
        """What a call will compute, around tensors without values that nobody else holds; and who promises them."""
        with self._lock:
            for tensors in self._sets:
                if tensors.take():
                    break
            else:
                tensors = PromisedSet(self._types, traced.rebuild)
                if not traced.changed:
                    self._sets.insert(0, tensors)
                    del self._sets[MOST_SETS:]
            tensors.results.call = call
            return tensors.results, tensors.value()

    def release(self) -> None:
        """Frees the memory of all sets of which nobody holds a tensor."""
        if len(self._sets) < 2:
            return  # which a call has taken
        with self._lock:
            for tensors in self._sets:
                if tensors.results.has_values and tensors.free():
                    tensors.results.release()


class Deferred:
    """A call of a gradient function that has not run.

    Attributes:
        compiled: what was compiled for its arguments.
        value: what the call returned, around tensors without a value.
    """

    __slots__ = ("_args", "_kwargs", "_results", "compiled", "done", "gradient", "value")

    def __init__(
        self, gradient: GradientFunction, compiled: Compiled, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.gradient, self.compiled, self._args, self._kwargs = gradient, compiled, args, kwargs
        self._results, self.value = compiled.promises.take(self, compiled.traced)
        self.done = False

    def run(self) -> None:
        """Computes the values, without an optimizer; if that has failed, once more."""
        with self._results.lock:
            if not self.done:
                memory, values, compiled = None, None, self.compiled
                if not self._kwargs and compiled.prepare(self._args, together=True):
                    memory = compiled.attempt(self._args)
                if memory is None:
                    values = compiled.run(signature(self._args, self._kwargs)[1])
                self._arrive(memory, values)

    def run_with(self, optimizer: Optimizer) -> bool:
        """Computes the values and makes the optimizer's step, as one executable; False if the values exist already."""
        with self._results.lock:
            if self.done:
                return False
            step = self.gradient.with_update(optimizer)
            memory, values = step.quickly(self._args, self._kwargs), None
            if memory is None:
                values = step.slowly(self._args, self._kwargs)[1]
            self._arrive(memory, values)
            return True

    def _arrive(self, memory: list[bytearray] | None, values: list[Tensor] | None) -> None:
        self.compiled.promises.release()  # of earlier calls
        self._results.arrive(memory, values)
        self.done = True


def defer(gradient: GradientFunction, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the gradient function returns, to be computed when it is asked for."""
    settle()
    args = _own(args)
    compiled = gradient.jitted.fitting(args, kwargs)
    if compiled is None:
        key, _, args, kwargs = signature(args, kwargs, copy=True)
        compiled = gradient.jitted.entry(key, args, kwargs)
        gradient.jitted.expect(compiled, args, kwargs)
    call = Deferred(gradient, compiled, args, kwargs)
    state.now.call = call
    if compiled.traced.changed:
        settle()  # what it does to its arguments can be seen without asking for a value
    return call.value


def _own(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments, with Tensors in the place of arrays, which the program may change before the call runs."""
    for value in args:
        if type(value) is np.ndarray:
            return tuple([from_numpy(value.copy()) if type(value) is np.ndarray else value for value in args])
    return args


def join(optimizer: Optimizer, gradients: Any) -> bool:
    """Runs a waiting gradient together with the optimizer's step, if these are its gradients, all and in order.

    But not where it runs op by op: the optimizer's step alone is the same for all arguments, and is compiled already.
    """
    waiting = state.now.call
    if waiting is None or not isinstance(gradients, (tuple, list)):
        return False
    own = waiting.gradient.weight_gradients(waiting.value)
    same = own is gradients or (len(own) == len(gradients) and all(x is y for x, y in zip(own, gradients)))
    if not same or not waiting.compiled.still_valid() or waiting.compiled.runs_op_by_op:
        return False
    state.now.call = None
    try:
        return waiting.run_with(optimizer)
    except TracedValueError as error:  # of the optimizer
        waiting.gradient.jitted.check_tolerated(error)
        waiting.run()
        return False


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

        jitted = Jitted(step, f"{gradient.__name__}_step", joins=gradient.jitted)
        known[key] = weakref.ref(optimizer, lambda _: known.pop(key, None)), jitted
        return jitted
