"""Tracing: running a Python function on stand-ins, so that the ops it calls become a graph.

What the function reads from outside becomes inputs of the graph: Parameters by name (their buffers are shared, never
copied), other tensors as captured inputs, scalars as constants. What it assigns to Parameters becomes updates. Any
other side effect (setting attributes, appending to lists) cannot be in a graph and is an error.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import pickle
import random
import re
import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from graphc.autograd import is_differentiated
from graphc.dtype import DType
from graphc.ir import Graph, Location, Node, TensorType, constant_node, input_node
from graphc.nested import flatten
from graphc.op import Op
from graphc.parameter import Parameter
from graphc.place import located, user_location, warn
from graphc.state import state
from graphc.surroundings import Surroundings, outer_variables
from graphc.tensor import Number, Tensor, TracedValueError

if TYPE_CHECKING:
    from graphc.nn.cell import Cell

Result = TypeVar("Result")


class TraceError(RuntimeError):
    """The traced function did what a graph cannot hold."""


class Trace:
    """The graph being recorded in this thread.

    Attributes:
        taped: whether tapes that are not open within, but around it, will differentiate what is recorded.
    """

    taped = False

    def __init__(self) -> None:
        self.inputs: list[Node] = []
        self.bound: list[Tensor] = []  # what stands behind each input: an argument's stand-in has no entry
        self.forward: Node | None = None
        self.visited: dict[Cell, tuple[int, bool]] = {}
        self.captured: list[tuple[weakref.ref[Tensor], Any]] = []  # tensors that are no arguments, and their arrays
        self.weights: dict[Parameter, tuple[bool, tuple[Any, ...]]] = {}  # of derivatives, as they were
        self.filled: dict[Hashable, Node] = {}  # numbers in every element of a shape
        self._constants: dict[tuple[str, DType], Node] = {}
        self._names: set[str] = set()
        self._current: dict[int, Node] = {}  # id of a tensor from outside -> the node that holds its value now
        self._first: dict[int, Node] = {}  # id of a Parameter -> its input
        self._written: dict[int, Parameter] = {}
        self._alive: list[Tensor] = []
        self._made: list[tuple[weakref.ref[Tensor], Location]] = []
        self._containers: dict[int, tuple[Any, int, str]] = {}
        self.surroundings = Surroundings()
        self._overwritten: list[tuple[weakref.ref[Tensor], Tensor, Location]] = []

    # Recording

    def record(self, op: Op, operands: tuple[Tensor, ...], attrs: dict[str, Any], type_: TensorType) -> Tensor:
        nodes = [self.node_of(operand, op.name) for operand in operands]
        return self.stand_in(Node(op.name, nodes, attrs, type_, user_location(), self.forward))

    def stand_in(self, node: Node) -> Tensor:
        tensor = Tensor.traced(node, self)
        self._made.append((weakref.ref(tensor), node.loc))
        return tensor

    def node_of(self, tensor: Tensor, reader: str) -> Node:
        """The node that holds the tensor's value at this point of the program."""
        if tensor._node is not None:
            if tensor._trace is not self:
                raise located(
                    TracedValueError(
                        f"{reader}: operand {tensor.spec} belongs to another graph, whose tracing is over or is not "
                        f"this one (it was made at {tensor._node.loc}); return it from the traced function instead"
                    )
                )
            return tensor._node
        node = self._current.get(id(tensor))
        if node is None:
            node = self._current[id(tensor)] = self._capture(tensor)
            self._alive.append(tensor)  # an id is only a name while its tensor lives
        return node

    def _capture(self, tensor: Tensor) -> Node:
        if not isinstance(tensor, Parameter):
            tensor._captured = True
            if tensor.ndim == 0:
                self.captured.append((weakref.ref(tensor), tensor.numpy_view()))
                return self.constant(tensor.item(), tensor.dtype)
            held = Tensor.wrap(tensor.numpy_view())  # keeps the value though `tensor[i] = v` may give it another
            self.captured.append((weakref.ref(tensor), held.numpy_view()))
            return self.add_input("const", tensor.spec, held)
        node = self._first[id(tensor)] = self.add_input(tensor.name, tensor.spec, tensor)
        return node

    def constant(self, value: float | int | bool | complex, dtype: DType) -> Node:
        """The node of a number; one for all that are alike."""
        node = self._constants.get((repr(value), dtype))
        if node is None:
            node = self._constants[repr(value), dtype] = constant_node(value, dtype, user_location())
        return node

    def value_of(self, parameter: Parameter) -> Tensor:
        """A stand-in for the value that the Parameter has at this point of the program."""
        return self.stand_in(self.node_of(parameter, "assign"))

    def write(self, target: Parameter, value: Tensor) -> None:
        """Makes `value` what reads of `target` see from here on."""
        node = self.node_of(value, "assign")
        if id(target) not in self._first:
            self._current[id(target)] = self._capture(target)
        self._current[id(target)] = node
        self._written[id(target)] = target

    def add_input(self, name: str, type_: TensorType, bound: Tensor | None) -> Node:
        word = re.sub(r"[^\w.]", "_", name)  # a name of the graph's text, where a number means a node
        word = f"_{word}" if not word or word.isdigit() else word
        unique, count = word, 0
        while unique in self._names:
            count += 1
            unique = f"{word}.{count}"
        self._names.add(unique)
        node = input_node(unique, type_, user_location())
        self.inputs.append(node)
        if bound is not None:
            self.bound.append(bound)
        return node

    # Side effects

    def visit(self, cell: Cell) -> None:
        """Notes that the graph depends on the cell as it is now."""
        if cell not in self.visited:
            self.visited[cell] = cell.changes_made, cell.training
            self.watch(vars(cell), f"{type(cell).__name__}.")
            self.surroundings.note_cell(cell)

    def enter(self, function: Callable[..., Any]) -> None:
        """Notes that the graph depends on what the function reads from outside: Cells as they are now, containers."""
        variables = {name: value for _, name, value in outer_variables(function)}
        for value in (getattr(function, "__self__", None), *variables.values()):
            if hasattr(type(value), "construct"):
                self.visit(value)
        self.watch(variables, "")
        self.surroundings.note_function(function)

    def differentiated(self, weights: Sequence[Parameter]) -> None:
        """Notes that the graph holds derivatives by Parameters as they are now: trained or not, with hooks or not."""
        for weight in weights:
            self.weights[weight] = weight.requires_grad, weight.gradient_hooks

    def refuse_own_derivative(self, name: str) -> None:
        """Raises where it is `taped`: only ops are recorded, so what a program says of its derivative would be lost."""
        raise NotImplementedError

    def watch(self, variables: dict[str, Any], prefix: str) -> None:
        """Remembers how long lists, dicts and sets among the variables are, but for those that the function made."""
        for name, value in variables.items():
            if isinstance(value, (list, dict, set)) and not name.startswith("_") and not _has_stand_ins(value):
                self._containers.setdefault(id(value), (value, len(value), prefix + name))

    def overwritten(self, tensor: Tensor, before: Tensor) -> None:
        """Notes that `tensor[i] = v` made a stand-in of a tensor that had the value `before`."""
        self._overwritten.append((weakref.ref(tensor), before, user_location()))

    def restore(self) -> list[Location]:
        """Gives overwritten tensors that still live their values back; returns where they were overwritten."""
        self._alive.clear()
        found = [(tensor, before, loc) for ref, before, loc in self._overwritten if (tensor := ref()) is not None]
        for tensor, before, _ in reversed(found):
            tensor._take(before)
        return [loc for _, _, loc in found]

    def check_pure(self, where: str) -> None:
        """Raises if the function kept a stand-in, or changed a tensor or a container that was there before it ran.

        Raises:
            TraceError: names the container, or where the stand-in was made.
        """
        if places := self.restore():  # tensors that the function itself made are gone by now
            raise TraceError(
                f"trace: {where} assigns to elements of a tensor from outside at {places[0]}: a graph cannot hold that "
                "side effect; use a Parameter, or return the value instead"
            )
        for container, length, name in self._containers.values():
            if len(container) != length:
                raise TraceError(
                    f"trace: {name} had {length} items before {where} was traced and has {len(container)} now: "
                    "a graph cannot hold that side effect; return the value instead"
                )
        leaked = self._kept()
        for generation in (0, 2):  # cycles that the trace made are among the youngest, as nothing was collected since
            if leaked:
                gc.collect(generation)
                leaked = self._kept()
        if leaked:
            raise TraceError(
                f"trace: {where} keeps a traced tensor made at {leaked[0]} (in an attribute, a list, a global?): "
                "a graph cannot hold that side effect; return the value instead"
            )

    def _kept(self) -> list[Location]:
        """Where the stand-ins were made that somebody holds."""
        return [loc for ref, loc in self._made if ref() is not None]

    def updates(self) -> tuple[tuple[Node, Node], ...]:
        pairs = ((self._first[key], self._current[key]) for key in self._written)
        return tuple((target, value) for target, value in pairs if target is not value)


class InnerTrace(Trace):
    """What is recorded once, within another graph or none, and done for many: a step of a loop, a sample of a batch.

    What it depends on is noted in the graph around it, too.
    """

    def __init__(self) -> None:
        super().__init__()
        self._around = state.now.trace
        self.taped = is_differentiated()
        self._outside: dict[int, Tensor] = {}  # id of a tensor from outside -> the stand-in for it

    def from_outside(self, tensor: Tensor) -> Tensor:
        """A stand-in for a tensor that is the same for all."""
        raise NotImplementedError

    def put(self, instead: Mapping[int, Tensor]) -> None:
        """Makes other tensors those from outside, by the ids of those that they take the place of."""
        raise NotImplementedError

    def restore(self) -> list[Location]:
        """As of any trace; what was read of a tensor before it was overwritten is read of what it was."""
        first = {id(ref()): before for ref, before, _ in reversed(self._overwritten)}
        self.put(first)  # a tensor that the function itself made is gone then
        return super().restore()

    def node_of(self, tensor: Tensor, reader: str) -> Node:
        """As of any trace; a tensor from outside becomes an input."""
        if isinstance(tensor, Number):
            assert tensor._array is not None
            return self.constant(tensor._array.item(), tensor.dtype)
        if tensor._trace is not self:
            if id(tensor) not in self._outside:
                self._outside[id(tensor)] = self.from_outside(tensor)
            tensor = self._outside[id(tensor)]
        return super().node_of(tensor, reader)

    def visit(self, cell: Cell) -> None:
        self.visited.setdefault(cell, (cell.changes_made, cell.training))
        if self._around is not None:
            self._around.visit(cell)

    def enter(self, function: Callable[..., Any]) -> None:
        if self._around is not None:
            self._around.enter(function)

    def run(self, function: Callable[[], Result]) -> Result:
        """What the function returns, which is recorded here."""
        now = state.now
        outer = now.trace, now.tapes
        now.trace, now.tapes = self, ()
        try:
            return function()
        except BaseException:
            self.restore()
            raise
        finally:
            now.trace, now.tapes = outer


@dataclass(frozen=True)
class Traced:
    """A function as a graph.

    Attributes:
        graph: its arguments are the function's tensors, its other inputs are bound to `bound`.
        rebuild: makes what the function returned from the graph's outputs.
        visited: the Cells called, with the version and the mode (training or not) each had.
        captured: tensors from outside that are no arguments, with the array each had.
        changed: the arguments to whose elements the function assigns; the graph's last outputs are what they become.
        returned: which outputs are arguments that it changes, and which these are.
        surroundings: the plain values around the function that it may have read.
        weights: Parameters that it differentiates by, with whether they are trained, and the hooks on their gradients.
    """

    graph: Graph
    bound: tuple[Tensor, ...]
    rebuild: Callable[[list[Tensor]], Any]
    visited: tuple[tuple[weakref.ref[Cell], tuple[int, bool]], ...]
    captured: tuple[tuple[weakref.ref[Tensor], Any], ...]
    changed: tuple[int, ...] = ()
    returned: tuple[tuple[int, int], ...] = ()
    surroundings: Surroundings = field(default_factory=Surroundings)
    weights: tuple[tuple[weakref.ref[Parameter], tuple[bool, tuple[Any, ...]]], ...] = ()

    def assign(self, leaves: Sequence[Tensor], results: list[Tensor]) -> None:
        """Gives the arguments that the function changes their new values; those that it returns become results."""
        for position, value in zip(self.changed, results[len(results) - len(self.changed) :], strict=True):
            leaves[position]._become(value)
            leaves[position].written(..., leaves[position])
        for output, position in self.returned:
            results[output] = leaves[position]

    def check_apart(self, leaves: Sequence[Tensor]) -> None:
        """Raises where an argument that the function changes has elements in common with another, or with a tensor that
        it reads from outside: to the graph they are apart.

        Raises:
            TracedValueError: so the function runs without a graph.
        """
        outside = [tensor for ref, _ in self.captured if (tensor := ref()) is not None]
        origins = [id(tensor.origin()) for tensor in (*leaves, *self.bound, *outside)]
        for position in self.changed:
            if origins.count(origins[position]) > 1:
                raise located(
                    TracedValueError(
                        f"{self.graph.name} changes {self.graph.inputs[position].attrs['name']} in place, which has "
                        "elements in common with another tensor that it reads"
                    )
                )

    def still_valid(self) -> bool:
        """Whether every Cell that was called, and every tensor captured, still is as it was."""
        cells = all(
            (cell := ref()) is not None and (cell.changes_made, cell.training) == seen for ref, seen in self.visited
        )
        tensors = all((tensor := ref()) is None or tensor._array is array for ref, array in self.captured)
        return cells and tensors and all(
            (p := ref()) is None or (p.requires_grad, p.gradient_hooks) == seen for ref, seen in self.weights
        )


def _has_stand_ins(container: Any) -> bool:
    items = container.values() if isinstance(container, dict) else container
    return any(isinstance(item, Tensor) and item.is_traced for item in items)


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Within, Python looks for no cycles: what a trace or a compile makes lives to its end.

    To look took a third of a trace and a tenth of a compile.
    """
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def trace(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> Traced:
    """Records `function(*args, **kwargs)`, whose tensors are replaced by stand-ins.

    Raises:
        TraceError: the function had a side effect that a graph cannot hold.
    """
    with no_collection():
        return _traced(function, args, kwargs, name)


def _traced(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> Traced:
    recording = Trace()
    names = _argument_names(function, args, kwargs)
    leaves: list[Tensor] = []
    key_rebuild = flatten((args, kwargs), leaves)[1]
    stand_ins: list[Tensor] = []
    for index, leaf in enumerate(leaves):
        label = names[index] if index < len(names) else f"arg{index}"
        stand_ins.append(recording.stand_in(recording.add_input(label, leaf.spec, None)))
    outer, state.now.trace = state.now.trace, recording
    drawn = _generators()
    try:
        recording.enter(function)
        for given in (*args, *kwargs.values()):
            recording.surroundings.note_argument(given, function)
        inner_args, inner_kwargs = key_rebuild(stand_ins)
        value = function(*inner_args, **inner_kwargs)
        outputs: list[Tensor] = []
        rebuild = flatten(value, outputs)[1]
        changed = tuple(k for k, t in enumerate(stand_ins) if t._node is not recording.inputs[k])
        returned = tuple((i, k) for i, o in enumerate(outputs) for k in changed if o is stand_ins[k])
        outputs += [stand_ins[k] for k in changed]
        out_nodes = tuple(recording.node_of(o, "return") for o in outputs)
    except BaseException:
        recording.restore()
        raise
    finally:
        state.now.trace = outer
    arguments = len(leaves)
    del stand_ins, inner_args, inner_kwargs, value, outputs
    recording.check_pure(name)
    _warn_of_draws(name, drawn)
    recording.surroundings.settle()
    graph = Graph(name, tuple(recording.inputs), out_nodes, recording.updates(), arguments)
    visited = tuple((weakref.ref(cell), seen) for cell, seen in recording.visited.items())
    weights = tuple((weakref.ref(weight), seen) for weight, seen in recording.weights.items())
    return Traced(
        graph, tuple(recording.bound), rebuild, visited, tuple(recording.captured), changed, returned,
        recording.surroundings, weights,
    )  # fmt: skip


def _generators() -> dict[str, object]:
    """The states of the generators that programs draw from without naming one."""
    return {"Python's random": random.getstate(), "np.random": pickle.dumps(np.random.get_state(legacy=False))}


def _warn_of_draws(where: str, before: Mapping[str, object]) -> None:
    """Warns where a function drew numbers, which its graph holds as constants."""
    for generator, state_now in _generators().items():
        if state_now != before[generator]:
            warn(
                f"{where} draws from {generator} while it is traced: every call of its graph has the numbers that were "
                "drawn then; draw with graphc.ops, or give the numbers as arguments"
            )


def _argument_names(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    """A name for each tensor among the arguments: the parameter's, numbered where it holds several."""
    owner = getattr(function, "__self__", function)
    described = getattr(owner, "construct", None) or getattr(owner, "fn", None) or function
    try:
        bound = inspect.signature(getattr(described, "construct", described)).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return []
    names: list[str] = []
    for name, value in bound.items():
        leaves: list[Tensor] = []
        flatten(value, leaves)
        names += [name] if isinstance(value, Tensor) else [f"{name}{i}" for i in range(len(leaves))]
    return names
