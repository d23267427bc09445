"""A graph, or a function, run in each of the ways graphc has: op by op, and compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from reference import assert_same

import graphc as ms
from graphc import Parameter, Tensor
from graphc.dispatch import perform
from graphc.ir import Graph, Node
from graphc.op import TABLE
from graphc.programs import _compiled
from graphc.runtime import executable

Result = tuple[list[np.ndarray], dict[str, np.ndarray]]


def eagerly(graph: Graph, inputs: Sequence[np.ndarray]) -> Result:
    """The outputs, and by name what updated inputs hold: op by op, as in PYNATIVE_MODE."""
    values = _values(graph, [Tensor(array) for array in inputs])
    updates = {target.attrs["name"]: values[value].asnumpy() for target, value in graph.updates}
    return [values[o].asnumpy() for o in graph.outputs], updates


def tensors_of(graph: Graph, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The outputs by calling ops: now, into a graph being traced, onto a tape."""
    values = _values(graph, inputs)
    return [values[o] for o in graph.outputs]


def _values(graph: Graph, inputs: Sequence[Tensor]) -> dict[Node, Tensor]:
    values: dict[Node, Tensor] = dict(zip(graph.inputs, inputs, strict=True))
    for node in graph.nodes:
        if node.op == "constant":
            values[node] = Tensor(np.asarray(node.attrs["value"], node.dtype.np))
        elif node.op != "input":
            values[node] = perform(TABLE[node.op], tuple(values[o] for o in node.operands), node.attrs)
    return values


class Compiled:
    """A graph's executable, its inputs that are no arguments bound to Parameters of their own."""

    def __init__(self, graph: Graph, inputs: Sequence[np.ndarray]) -> None:
        self.graph = graph
        names = [node.attrs["name"] for node in graph.inputs[graph.arguments :]]
        arrays = inputs[graph.arguments :]
        self.bound = {name: Parameter(array, name) for name, array in zip(names, arrays, strict=True)}
        self.executable = _compiled(None, graph, list(self.bound.values()))  # anew, whatever is on disk

    def __call__(self, inputs: Sequence[np.ndarray]) -> Result:
        """Runs it from these values; what is not updated must keep its value."""
        for parameter, array in zip(self.bound.values(), inputs[self.graph.arguments :], strict=True):
            parameter.set_data(Tensor(array))
        given = [Tensor(array) for array in inputs[: self.graph.arguments]]
        outputs = [o.asnumpy() for o in self.executable(given)]
        for tensor, array in zip(given, inputs, strict=False):
            assert_same(tensor.asnumpy(), array)
        updated = {target.attrs["name"] for target, _ in self.graph.updates}
        for (name, parameter), array in zip(self.bound.items(), inputs[self.graph.arguments :], strict=True):
            if name not in updated:
                assert_same(parameter.asnumpy(), array)
        return outputs, {name: self.bound[name].asnumpy() for name in updated}


def compiled(graph: Graph, inputs: Sequence[np.ndarray]) -> Result:
    return Compiled(graph, inputs)(inputs)


def in_both_modes(
    function: Callable[..., Any], arrays: Sequence[Any], wanted: Any
) -> Iterator[tuple[Tensor, np.ndarray]]:
    """What a function makes of the arrays, each beside what is wanted; compiled it must make the same, to the bit."""
    tensors = [Tensor(a) for a in arrays]
    eager, compiled = function(*tensors), ms.jit(function)(*tensors)
    if isinstance(eager, Tensor):
        eager, compiled, wanted = [eager], [compiled], [wanted]
    for one, other, array in zip(eager, compiled, wanted, strict=True):
        assert one.spec == other.spec and one.shape == np.shape(array)
        np.testing.assert_array_equal(one.asnumpy(), other.asnumpy())
        yield one, np.asarray(array)


def each_of(gradients: Any) -> tuple[Tensor, ...]:
    """Gradients of inputs, of which one comes alone."""
    return gradients if isinstance(gradients, tuple) else (gradients,)


class Counted:
    """A function that counts its calls, behind what may do without them: `jit`, `of_ops`."""

    def __init__(self, function: Callable[..., Any], behind: Callable[..., Any]) -> None:
        self.calls = 0

        def counting(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            return function(*args, **kwargs)

        self.function = behind(counting)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


@contextmanager
def threads(count: int, split_everything: bool = True) -> Iterator[None]:
    """Within, native code runs on `count` threads; kernels made within are split however small they are."""
    before = ms.get_context("runtime_num_threads")
    with pytest.MonkeyPatch.context() as patch:
        if split_everything:
            patch.setattr(executable, "KERNEL_NS", 0)
            patch.setattr(executable, "STEP_NS", 0)
        ms.set_context(runtime_num_threads=count)
        try:
            yield
        finally:
            ms.set_context(runtime_num_threads=before)


@contextmanager
def mode(value: int) -> Iterator[int]:
    """Within, GRAPH_MODE or PYNATIVE_MODE."""
    before = ms.get_context("mode")
    ms.set_context(mode=value)
    try:
        yield value
    finally:
        ms.set_context(mode=before)
