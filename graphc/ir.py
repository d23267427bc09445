"""The graph: `TensorType`, `Node`, `Graph`, its verifier and its one way of being rewritten.

A graph is pure and its values are immutable. A node is one operation with one result; its operands are nodes. A graph
lists its nodes in an order in which operands come first, its inputs (leaves that are bound when it runs), its outputs,
and its updates: pairs (input, value) that say what the input's buffer holds after a run.

    x = input_node("x", TensorType((2, 3), float32))
    y = Node("tanh", (x,), {}, x.type)
    print(Graph("f", (x,), (y,)))
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any

from graphc.dtype import DType, part_of


class GraphError(ValueError):
    """A graph that breaks a rule of the IR: a defect of a pass or of a hand-written graph."""


class TensorType:
    """Shape and element type: all that is known of a tensor before it exists.

    Equal types are one object, for passes compare and look up more of them than anything else.
    """

    __slots__ = ("__weakref__", "dtype", "shape")

    shape: tuple[int, ...]
    dtype: DType

    def __new__(cls, shape: tuple[int, ...], dtype: DType) -> TensorType:
        reference = _types.get((shape, dtype))
        found = reference() if reference is not None else None
        return found if found is not None else _new_type(tuple(map(int, shape)), dtype)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"TensorType: {name} cannot be set, types do not change")

    def __reduce__(self) -> tuple[Any, ...]:
        return TensorType, (self.shape, self.dtype)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.dtype.short}[{','.join(map(str, self.shape))}]"

    def __repr__(self) -> str:
        return f"TensorType(shape={self.shape!r}, dtype={self.dtype!r})"


_types: dict[tuple[tuple[int, ...], DType], weakref.ref[TensorType]] = {}
_types_lock = threading.Lock()


def _new_type(shape: tuple[int, ...], dtype: DType) -> TensorType:
    """The type, made now, unless another thread was faster."""
    key = shape, dtype

    def forget(reference: weakref.ref[TensorType]) -> None:
        if _types.get(key) is reference:
            del _types[key]

    with _types_lock:
        reference = _types.get(key)
        found = reference() if reference is not None else None
        if found is None:
            found = object.__new__(TensorType)
            object.__setattr__(found, "shape", shape)
            object.__setattr__(found, "dtype", dtype)
            _types[key] = weakref.ref(found, forget)
        return found


@dataclass(frozen=True, slots=True)
class Location:
    """Where the user's program asked for a node: the Cell's path and the source line."""

    scope: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file.rsplit('/', 1)[-1]}:{self.line}" if self.file else ""
        return " ".join(part for part in (self.scope, place) if part)


NOWHERE = Location()


LEAVES = ("input", "constant")
"""The ops of nodes that are no op of the table."""


class Node:
    """One operation: an op's name, operands, attributes and the type of its result.

    Leaves are the ops `input` (attribute `name`) and `constant` (attribute `value`, a Python scalar).
    `forward` is the node whose derivative this one helps to compute, if any.
    """

    __slots__ = ("__weakref__", "attrs", "forward", "loc", "op", "operands", "type")

    def __init__(
        self,
        op: str,
        operands: Iterable[Node],
        attrs: Mapping[str, Any],
        type_: TensorType,
        loc: Location = NOWHERE,
        forward: Node | None = None,
    ) -> None:
        self.op = op
        self.operands = tuple(operands)
        self.attrs = dict(attrs)
        self.type = type_
        self.loc = loc
        self.forward = forward

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape

    @property
    def dtype(self) -> DType:
        return self.type.dtype

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for nodes that compute the same thing. Leaves other than constants are only equal to themselves."""
        if self.op == "input":
            return ("input", id(self))
        attrs = repr(sorted(self.attrs.items())) if self.attrs else ""
        if self.operands:  # which, with the attributes, decide the type
            return (self.op, attrs, *map(id, self.operands))
        return (self.op, attrs, self.type)

    def with_operands(self, operands: Iterable[Node], forward: Node | None = None) -> Node:
        """The same operation on other operands of the same types; itself if they are the same."""
        operands, forward = tuple(operands), forward or self.forward
        if len(operands) != len(self.operands):
            raise ValueError(f"{self.op}: expected {len(self.operands)} operands, got {len(operands)}")
        if forward is self.forward and operands == self.operands:  # nodes are equal only to themselves
            return self
        return Node(self.op, operands, self.attrs, self.type, self.loc, forward)

    def __repr__(self) -> str:
        return f"<{self.op}: {self.type}>"


def input_node(name: str, type_: TensorType, loc: Location = NOWHERE) -> Node:
    return Node("input", (), {"name": name}, type_, loc)


def constant_node(value: float | int | bool | complex, dtype: DType, loc: Location = NOWHERE) -> Node:
    """A scalar known at compile time (a Python number, exact in `dtype`); of a complex type the op of two such."""
    if dtype.is_complex:
        parts = [constant_node(part, part_of(dtype), loc) for part in (value.real, value.imag)]
        return Node("complex", parts, {}, TensorType((), dtype), loc)
    return Node("constant", (), {"value": dtype.np.type(value).item()}, TensorType((), dtype), loc)


@dataclass(frozen=True, eq=False)
class Graph:
    """A pure function of tensors.

    Attributes:
        name: for text and dumps.
        inputs: `input` nodes, in the order in which they are bound.
        outputs: nodes whose values a run returns.
        updates: (input, value) pairs of equal type: what an input's buffer holds after the run.
        arguments: how many of the inputs, from the first, are given anew for each run; the others (parameters,
            captured tensors) keep their buffers. All, by default.
        nodes: every node that outputs and updates need, operands first (leaves are listed too).
    """

    name: str
    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    updates: tuple[tuple[Node, Node], ...] = ()
    arguments: int = -1
    nodes: tuple[Node, ...] = field(init=False)

    def __post_init__(self) -> None:
        if self.arguments < 0:
            object.__setattr__(self, "arguments", len(self.inputs))
        roots = (*self.outputs, *(value for _, value in self.updates))
        object.__setattr__(self, "nodes", tuple(postorder(roots)))

    def __str__(self) -> str:
        from graphc.irtext import graph_text  # the printer reads what this module defines

        return graph_text(self)

    @cached_property
    def kept(self) -> frozenset[Node]:
        """The nodes whose values outlive a run: outputs, and what inputs are updated to."""
        return frozenset((*self.outputs, *(value for _, value in self.updates)))

    @cached_property
    def number(self) -> dict[Node, int]:
        """Where each node stands in `nodes`."""
        return {node: at for at, node in enumerate(self.nodes)}

    def users(self) -> dict[Node, list[Node]]:
        """For every node, the nodes that read it (once per operand slot)."""
        users: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for operand in node.operands:
                users[operand].append(node)
        return users


def postorder(roots: Iterable[Node]) -> Iterator[Node]:
    """Every node below the roots, operands first, each once; in the order the roots ask for them."""
    done: set[Node] = set()
    for root in roots:
        stack = [root] if root not in done else []
        while stack:
            for operand in stack[-1].operands:
                if operand not in done:
                    stack.append(operand)
                    break
            else:
                done.add(stack[-1])
                yield stack.pop()


def rewrite(graph: Graph, rule: Callable[[Node], Node]) -> Graph:
    """The graph with every node replaced by `rule(node)`.

    The rule sees each node once, its operands already rewritten, and returns the node itself, an earlier node, or a new
    one of the same type. Inputs are never replaced.
    """
    new: dict[Node, Node] = {}
    for node in graph.nodes:
        if node.op == "input":
            new[node] = node
            continue
        operands, forward = tuple([new[o] for o in node.operands]), node.forward
        if forward is not None:
            forward = new.get(forward, forward)
        same = operands == node.operands and forward is node.forward  # nodes are equal only to themselves
        replacement = rule(node if same else node.with_operands(operands, forward))
        if replacement.type is not node.type and replacement.type != node.type:
            raise GraphError(f"rewrite: {node.op} of type {node.type} replaced by {replacement!r}")
        new[node] = replacement
    outputs = tuple(new[o] for o in graph.outputs)
    updates = tuple((target, new[value]) for target, value in graph.updates)
    return with_results(graph, outputs, updates)


def with_results(graph: Graph, outputs: tuple[Node, ...], updates: tuple[tuple[Node, Node], ...]) -> Graph:
    """The graph with other results; itself if they are the same."""
    if (outputs, updates) == (graph.outputs, graph.updates):
        return graph
    return replace(graph, outputs=outputs, updates=updates)


def verify(graph: Graph, infer: Callable[[Node], TensorType], known: set[Node] | None = None) -> Graph:
    """Checks every rule of the IR and returns the graph.

    Args:
        infer: the op table's type rule, for a node that is no leaf.
        known: nodes that were checked before, whose types are not inferred again; those of the graph are added.
    Raises:
        GraphError: names the node and the rule it breaks.
    """
    inputs = set(graph.inputs)
    if len(inputs) != len(graph.inputs):
        raise GraphError(f"graph {graph.name}: an input is listed twice")
    names = [node.attrs["name"] for node in graph.inputs]
    if len(set(names)) != len(names):
        raise GraphError(f"graph {graph.name}: input names repeat: {sorted(n for n in names if names.count(n) > 1)}")
    known = set() if known is None else known
    for node in graph.nodes:
        if node.op == "input":
            if node not in inputs:
                raise GraphError(f"graph {graph.name}: reads input %{node.attrs['name']} of another graph")
        elif node.op == "constant":
            if node.operands or node.shape:
                raise GraphError(f"graph {graph.name}: constant with operands or a shape")
        elif node not in known and (expected := infer(node)) != node.type:
            raise GraphError(f"graph {graph.name}: {node.op} has type {node.type}, its rule says {expected}")
    known.update(graph.nodes)
    targets = [target for target, _ in graph.updates]
    if len(set(targets)) != len(targets):
        raise GraphError(f"graph {graph.name}: an input is updated twice")
    for target, value in graph.updates:
        if target not in inputs or target.type != value.type:
            raise GraphError(f"graph {graph.name}: update of {target!r} with {value!r}")
    return graph
