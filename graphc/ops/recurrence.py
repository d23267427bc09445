"""`scan`: a loop over the items of tensors as one node, whose body is a graph of its own.

    def step(state, item, shared):
        (h,), (x,), (w,) = state, item, shared
        h = ops.tanh(x + ops.matmul(h, w))
        return (h,), (h,)

    (last,), (outputs,) = scan(step, carried=(h0,), items=(xs,), shared=(w,))     # xs: [T, N, H], outputs: [T, N, H]

An op has one result, so all that the steps compute lies in one vector. Each output of the body has a place there for
every step; or two slots, used in turn, if only the next step reads it. Each input of the body is read from an operand,
or from the vector itself (what the step before has written):

    reads   for each input (operand, offset, slots, shift, edge): at step t, item (t + shift) % slots of the elements of
            the operand from offset on; all steps read the same if there are no slots; where t + shift is no step, the
            whole operand `edge` is read
    writes  for each output (offset, slots): step t writes item t % slots of the vector's elements from offset on

The derivative is a scan in the other direction. Its body is the derivative of the body, which reads what the forward
loop wrote: `scan` lets it write what a derivative will need, if a tape is open. The gradient of a weight that all steps
share is one product of the factors of all steps (`Later.over_steps`), or is summed step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from math import prod
from typing import Any

import numpy as np

from graphc.autograd import Contributions, Tape, contributions, is_differentiated, total
from graphc.dtype import DType
from graphc.ir import Graph, Node, TensorType, postorder, verify
from graphc.irtext import parse
from graphc.op import TABLE, Later, define_op, infer_node, traits_of
from graphc.ops.coerce import cast, scalar
from graphc.ops.elementwise import add
from graphc.ops.loop_body import OWN, Body, Loop, Read, Write, last_step, taken
from graphc.ops.shape import reshape
from graphc.ops.views import broadcast_to_, pad_, surrounded
from graphc.place import located
from graphc.tensor import Number, Tensor

__all__: list[str] = []


@lru_cache(256)
def body_of(text: str) -> Graph:
    """The graph of a body.

    Raises:
        GraphError: the text is none of a graph, or the graph is not sound.
    """
    return verify(parse(text), infer_node)


# The op


def _vector_type(
    *operands: TensorType, body: str, count: int, backwards: bool, reads: tuple[Any, ...], writes: tuple[Any, ...]
) -> TensorType:
    """The vector's type; nothing is read or written outside of the operands and of it.

    Raises:
        ValueError: the body, the operands and the places do not fit each other.
    """
    graph = body_of(body)
    dtypes = {node.dtype for node in graph.outputs}
    if count < 1 or len(dtypes) != 1 or len(reads) != len(graph.inputs) or len(writes) != len(graph.outputs):
        raise ValueError(f"scan: the body does not fit {count} steps, {len(reads)} reads and {len(writes)} writes")
    if graph.updates or any(_may_fail(node) for node in graph.nodes):
        raise ValueError("scan: the body assigns to an input, or reads at places that are data")
    ends = [at + slots * node.type.size for node, (at, slots) in zip(graph.outputs, writes, strict=True)]
    vector = TensorType((max(ends),), dtypes.pop())
    for node, (at, slots) in zip(graph.outputs, writes, strict=True):
        if at < 0 or slots not in (count, min(count, 2)):
            raise ValueError(f"scan: {node.type} cannot be written from {at} on to {slots} slots, with {count} steps")
    for node, read in zip(graph.inputs, map(Read._make, reads), strict=True):
        if not _readable(node.type, read, (*operands, vector), count) or (
            read.operand == OWN and (read.shift != (1 if backwards else -1) or read[1:3] not in writes)
        ):
            raise ValueError(f"scan: {node.type} cannot be read at {tuple(read)} of {count} steps")
    return vector


def _may_fail(node: Node) -> bool:
    return "checks" in traits_of(node)


def _readable(type_: TensorType, read: Read, operands: Sequence[TensorType], count: int) -> bool:
    """Whether all that a read takes is there: the loop's own vector is the last of the operands."""
    own = len(operands) - 1
    if not OWN <= read.operand < own or not OWN <= read.edge < own or read.offset < 0:
        return False
    whole = operands[read.operand]
    inside = whole.dtype is type_.dtype and read.offset + max(read.slots, 1) * type_.size <= whole.size
    if not read.shift:
        return inside and read.operand != OWN and read.slots in (0, count) and read.edge == OWN
    start = operands[read.edge] if read.edge != OWN else None
    begins = start is not None and start.dtype is type_.dtype and start.size == type_.size
    return inside and begins and read.shift in (-1, 1) and read.slots in (count, min(count, 2))


@define_op(infer=_vector_type, exact=False, traits="several moves", name="scan")
def scan_(
    *operands: np.ndarray, body: str, count: int, backwards: bool, reads: tuple[Any, ...], writes: tuple[Any, ...]
) -> np.ndarray:
    """What `count` steps of a loop compute, from the last to the first if `backwards`; see the module."""
    graph = body_of(body)
    size = max(at + slots * node.type.size for node, (at, slots) in zip(graph.outputs, writes, strict=True))
    result = np.zeros(size, graph.outputs[0].dtype.np)
    flat = [*(operand.reshape(-1) for operand in operands), result]
    for t in reversed(range(count)) if backwards else range(count):
        given = []
        for node, read in zip(graph.inputs, map(Read._make, reads), strict=True):
            found, length = read.item(t, count), node.type.size
            if found is None:
                given.append(flat[read.edge].reshape(node.shape))
            else:
                at = read.offset + found[1] * length
                given.append(flat[found[0]][at : at + length].reshape(node.shape))
        for value, (at, slots) in zip(_computed(graph, given), writes, strict=True):
            at += t % slots * value.size
            result[at : at + value.size] = value.reshape(-1)
    return result


def _computed(graph: Graph, given: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The graph's outputs, each node by its NumPy meaning."""
    values = dict(zip(graph.inputs, given, strict=True))
    for node in graph.nodes:
        if node.op == "constant":
            values[node] = np.array(node.attrs["value"], node.dtype.np)
        elif node.op != "input":
            found = TABLE[node.op].meaning(*(values[o] for o in node.operands), **node.attrs)
            values[node] = np.asarray(found, node.dtype.np)
    return [values[node].copy() for node in graph.outputs]


scan_.def_kernel("scan")


def scan(
    step: Callable[[tuple[Tensor, ...], tuple[Tensor, ...], tuple[Tensor, ...]], Any], carried: Sequence[Tensor],
    items: Sequence[Tensor], shared: Sequence[Tensor] = (), backwards: bool = False,
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:  # fmt: skip
    """A loop over items: each step makes of what is carried and of its items what is carried on, and results.

    Args:
        step: `(carried, items of this step, shared)` to a tuple of what is carried on and a tuple of results, floats of
            one dtype. It is called once, with stand-ins, and does nothing but compute. What it takes from outside is
            the same for all steps.
        carried: what the first step is given.
        items: tensors `[T, ...]`, of which step t is given `[t]`.
        shared: what every step is given.
        backwards: whether the last items come first.
    Returns:
        What is carried at last, and the results `[T, ...]`, those of step t at t.
    Raises:
        ValueError: there are no items, or of one tensor more than of another; the step carries on another type than it
            was given, assigns to a Parameter or to elements of a tensor from outside, reads at places that are data, or
            has a derivative of its own (`bprop`, a hook) that is asked for.
        TypeError: what the step returns is not of one float type.
    """
    counts = {x.shape[0] if x.ndim else 0 for x in items}
    if len(counts) != 1 or not max(counts):
        raise located(ValueError(f"scan: expected as many items of each tensor, got {_listed(counts)} items"))
    (count,) = counts
    body = Body(count, backwards)
    before = [body.read_before(x) for x in map(_wide, carried)]
    each = [body.read(TensorType(x.shape[1:], x.dtype), Read(body.operand(x), 0, count)) for x in map(_wide, items)]
    same = [body.read(x.spec, Read(body.operand(x))) for x in map(_wide, shared)]
    body.enter(step)
    kept = is_differentiated()
    dtype, *numbers = _written(body, step, ((before, carried), (each, items), (same, shared)), kept)
    if places := body.restore():  # what the step itself made is gone by now
        raise located(ValueError(f"scan: a step cannot assign to elements of a tensor from outside, at {places[0]}"))
    if kept:
        for node in _needed(body.loop()):
            body.writes.setdefault(node, count)
    loop = body.loop()
    vector = loop.run()
    final, made = (loop.last(vector, n) for n in numbers[0]), (loop.all(vector, n) for n in numbers[1])
    return tuple(cast(x, dtype) for x in final), tuple(cast(x, dtype) for x in made)


def _written(
    body: Body, step: Callable[..., Any], sides: Sequence[tuple[Sequence[Tensor], Sequence[Tensor]]], kept: bool
) -> tuple[DType, list[int], list[int]]:
    """Records the step.

    Args:
        sides: stand-ins, and what they stand for: what is carried, items, what is shared.
        kept: whether what is carried is written for all steps.
    Returns:
        The dtype of what it returns, and the numbers of the outputs that are carried on, and that are results.
    """
    given = body.run(lambda: [tuple(cast(b, x.dtype) for b, x in zip(*side, strict=True)) for side in sides])
    after, results = body.run(lambda: step(*given))
    _check_step(body, sides[0][1], after, results)
    dtype = (*after, *results)[0].dtype
    after, results = body.run(lambda: (tuple(map(_wide, after)), tuple(map(_wide, results))))
    return dtype, [body.carry(x, kept) for x in after], [body.output(x) for x in results]


def _wide(x: Tensor) -> Tensor:
    """The tensor in a type that is computed in, as all steps' values are written."""
    return cast(x, x.dtype.wide or x.dtype)


def _listed(counts: set[int]) -> str:
    return " and ".join(map(str, sorted(counts, reverse=True))) if any(counts) else "no"


def _check_step(
    body: Body, carried: Sequence[Tensor], after: Sequence[Tensor], results: Sequence[Tensor]
) -> None:  # fmt: skip
    """Raises what `scan` says of a step."""
    if len(after) != len(carried):
        raise located(ValueError(f"scan: the step was given {len(carried)} tensors and carries on {len(after)}"))
    for before, now in zip(carried, after, strict=True):
        if before.spec != now.spec:
            raise located(ValueError(f"scan: the step was given {before.spec} and carries on {now.spec}"))
    dtypes = {x.dtype for x in (*after, *results)}
    if len(dtypes) != 1 or not all(dtype.is_float for dtype in dtypes):
        names = ", ".join(sorted(dtype.name for dtype in dtypes)) or "nothing"
        raise located(TypeError(f"scan: expected the step to return tensors of one float type, got {names}"))
    for node in postorder(body.node_of(x, "return") for x in (*after, *results)):
        if _may_fail(node):
            raise ValueError(f"scan: a step cannot read at places that are data, as {node.op} does; {node.loc}")


# The derivative


def _recorded(
    body: Body, graph: Graph, given: dict[Node, Tensor], heads: Sequence[tuple[Node, Tensor]]
) -> dict[Node, Contributions]:
    """The contributions to the cotangents of the inputs.

    Args:
        given: what is known of the graph: all inputs, and what need not be computed again; the others are added.
        heads: outputs with cotangents, several of one output perhaps.
    """
    tape = Tape()
    for node in graph.nodes:
        if node.op == "constant":
            given[node] = Number.of(node.attrs["value"], node.dtype)
        elif node.op != "input":
            op, operands = TABLE[node.op], tuple(given[o] for o in node.operands)
            if node not in given:
                given[node] = body.record(op, operands, node.attrs, node.type)
            tape.record(op, operands, node.attrs, given[node])
    sources = {node: given[node] for node in graph.inputs if node.dtype.is_float}
    outputs, cts = [given[node] for node, _ in heads], [ct for _, ct in heads]
    found = contributions(tape, outputs, cts, list(sources.values()), apart=True)
    return {node: found[id(x)] for node, x in sources.items() if id(x) in found}


def _needed(loop: Loop) -> list[Node]:
    """What a body computes that its derivative reads, and that is not the same in all steps.

    Of views, and of what is of another dtype, it is what they are computed from.
    """
    graph, body = loop.graph, Body(1, False)
    same = {node for node, read in zip(graph.inputs, loop.reads, strict=True) if not read.slots}
    for node in graph.nodes:
        if node.op != "input" and same.issuperset(node.operands):
            same.add(node)
    given = {node: body.read(node.type, Read(0)) for node in graph.inputs}
    heads = [(node, body.read(node.type, Read(0))) for node in graph.outputs]
    found = body.run(lambda: _recorded(body, graph, given, heads))
    forward = {x._node: node for node, x in given.items()}
    parts = [part for each in found.values() for part in each]
    roots = [x._node for part in parts for x in (part.operands if isinstance(part, Later) else (part,)) if x._node]
    read = [*roots, *(o for n in postorder(roots) if n not in forward for o in n.operands)]
    stack, needed = [forward[n] for n in read if n in forward], dict[Node, None]()
    while stack:
        node = stack.pop()
        if node.op == "input" or node in same or node in needed:
            continue
        if node.dtype is not graph.outputs[0].dtype or "view" in traits_of(node):
            stack += node.operands
        else:
            needed[node] = None
    return list(needed)


@scan_.def_vjp
def scan_vjp(
    parts: Contributions, vector: Tensor, *operands: Tensor, body: str, count: int, backwards: bool,
    reads: tuple[Any, ...], writes: tuple[Any, ...],
) -> tuple[Any, ...]:  # fmt: skip
    graph = body_of(body)
    loop = Loop(graph, operands, count, backwards, tuple(map(Read._make, reads)), tuple(map(Write._make, writes)))
    return _Derivative(loop, vector, parts).cotangents()


class _Derivative:
    """The loop that computes the cotangents of another one's operands, in the other direction."""

    def __init__(self, loop: Loop, vector: Tensor, parts: Contributions) -> None:
        self.loop, self.vector = loop, vector
        self.body = Body(loop.count, not loop.backwards)
        self.kept = is_differentiated()  # a derivative of this one would read what it carries
        self.results: list[Callable[[Loop, Tensor], None]] = []  # what is made of the loop's vector
        self.cts: list[Contributions] = [[] for _ in loop.operands]
        self.lost: set[Node] = set()  # inputs that read what the loop did not keep
        self.given = self._given()
        heads = self._heads(parts)
        self.found = self.body.run(lambda: _recorded(self.body, loop.graph, self.given, heads))
        self._write_outputs()

    def _given(self) -> dict[Node, Tensor]:
        """The inputs of the body, and what it wrote."""
        loop, body, vector = self.loop, self.body, self.body.operand(self.vector)
        given = {}
        for node, read in zip(loop.graph.inputs, loop.reads, strict=True):
            numbers = {n: body.operand(loop.operands[n]) for n in (read.operand, read.edge) if n != OWN}
            source = vector if read.operand == OWN else numbers[read.operand]
            given[node] = body.read(node.type, read._replace(operand=source, edge=numbers.get(read.edge, OWN)))
            if read.operand == OWN and read.slots != loop.count:
                self.lost.add(body.inputs[-1])
        for node, (offset, slots) in zip(loop.graph.outputs, loop.writes, strict=True):
            if slots == loop.count and node not in given:
                given[node] = body.read(node.type, Read(vector, offset, slots))
        return given

    def _carried(self) -> Iterator[tuple[Node, Read, int]]:
        """The inputs that read what the step before wrote, and which output that is."""
        number = {offset: n for n, (offset, _) in enumerate(self.loop.writes)}
        for node, read in zip(self.loop.graph.inputs, self.loop.reads, strict=True):
            if read.operand == OWN:
                yield node, read, number[read.offset]

    def _heads(self, parts: Contributions) -> list[tuple[Node, Tensor]]:
        """The outputs with what the steps read of their cotangents."""
        loop, body, outputs = self.loop, self.body, self.loop.graph.outputs
        every, last = self._spread(parts)
        carried = {number for _, _, number in self._carried()}
        for number in [n for n in last if n not in carried]:
            at = last_step(loop.count, loop.backwards) * outputs[number].type.size
            every.setdefault(number, []).extend(self._padded(number, at, part) for part in last.pop(number))
        heads = []
        for number, found in every.items():
            ct = body.operand(total(found))
            heads.append((outputs[number], body.read(outputs[number].type, Read(ct, 0, loop.count))))
        for node, _, number in self._carried():
            start = reshape(total(last.pop(number)), node.shape) if number in last else _zeros(node.type)
            heads.append((outputs[number], body.read_before(start)))
        return heads

    def _spread(self, parts: Contributions) -> tuple[dict[int, Contributions], dict[int, Contributions]]:
        """What contributes to the cotangents of an output of all steps, and to that of its value in the last one."""
        loop = self.loop
        every: dict[int, Contributions] = {}
        last: dict[int, Contributions] = {}
        for part in parts:
            begin, ct = _place(part)
            for number, (node, (offset, slots)) in enumerate(zip(loop.graph.outputs, loop.writes, strict=True)):
                size = node.type.size
                low, high = max(begin, offset), min(begin + ct.size, offset + slots * size)
                if low >= high:
                    continue
                own = ct if high - low == ct.size else taken(ct, low - begin, high - low)
                at = last_step(loop.count, loop.backwards) % slots * size
                if (low - offset, high - low) == (at, size):
                    last.setdefault(number, []).append(own)
                elif slots == loop.count:
                    every.setdefault(number, []).append(self._padded(number, low - offset, own))
        return every, last

    def _padded(self, number: int, at: int, part: Tensor | Later) -> Tensor | Later:
        """A part of the cotangents of all steps with zeros around it."""
        assert isinstance(part, Tensor)
        size = self.loop.count * self.loop.graph.outputs[number].type.size
        return _laid(part, at, (size,))

    def _write_outputs(self) -> None:
        """Makes outputs of the body of all that is to be returned."""
        for node, read, _ in self._carried():
            self._write_carried(partial(self._total, node), read.edge)
        for node, read in zip(self.loop.graph.inputs, self.loop.reads, strict=True):
            if node in self.found and read.operand != OWN:
                (self._write_items if read.slots else self._write_shared)(node, read)

    def _total(self, node: Node) -> Tensor:
        """The cotangent of an input."""
        return total(self.found[node]) if node in self.found else _zeros(node.type)

    def _give(self, operand: int, ct: Tensor) -> None:
        """Adds to the cotangent of an operand."""
        self.cts[operand].append(reshape(ct, self.loop.operands[operand].shape))

    def _write_carried(self, value: Callable[[], Tensor], operand: int) -> None:
        number = self.body.carry(self.body.run(value), self.kept)
        self.results.append(lambda loop, vector: self._give(operand, loop.last(vector, number)))

    def _write_items(self, node: Node, read: Read) -> None:
        """What the steps make of their items, laid where these were read."""
        number, size = self.body.output(self.body.run(partial(self._total, node))), node.type.size
        before, after = max(-read.shift, 0), max(read.shift, 0)  # steps that read the edge
        inside = self.loop.count - before - after

        def give(loop: Loop, vector: Tensor) -> None:
            flat = reshape(loop.all(vector, number), (-1,))
            if inside:
                x, part = self.loop.operands[read.operand], taken(flat, before * size, inside * size)
                self.cts[read.operand].append(_laid(part, read.offset + after * size, x.shape))
            if before or after:
                self._give(read.edge, taken(flat, inside * size if after else 0, size))

        self.results.append(give)

    def _write_shared(self, node: Node, read: Read) -> None:
        """One product of the factors of all steps, and what has to be summed step by step."""
        rest: Contributions = []
        for part in self.found[node]:
            if isinstance(part, Later) and part.over_steps and all(map(self._varies, part.operands)):
                self._write_factors(part, read.operand)
            else:
                rest.append(part)
        if rest:
            before = self.body.read_before(_zeros(node.type))
            self._write_carried(lambda: add(before, total(rest)), read.operand)

    def _write_factors(self, part: Later, operand: int) -> None:
        factors = [self._factor(x) for x in part.operands]

        def give(loop: Loop, vector: Tensor) -> None:
            assert part.over_steps is not None
            all_steps = replace(part, operands=tuple(factor(loop, vector) for factor in factors))
            self._give(operand, part.over_steps(all_steps))

        self.results.append(give)

    def _factor(self, x: Tensor) -> Callable[[Loop, Tensor], Tensor]:
        """What makes the tensor of all steps: where it is no operand, it is written."""
        body = self.body
        if x._node in body.inputs:
            read = body.reads[body.inputs.index(x._node)]
            operand = body.operands[read.operand]
            if read.operand != OWN and not (read.shift or read.offset) and operand.size == body.count * x.size:
                return lambda loop, vector: reshape(operand, (body.count, *x.shape))
        number = body.output(x)
        return lambda loop, vector: loop.all(vector, number)

    def _varies(self, x: Tensor) -> bool:
        """Whether a value can be written as one of each step."""
        steps = {node for node, read in zip(self.body.inputs, self.body.reads, strict=True) if read.slots}
        return x.dtype is self.vector.dtype and x._node is not None and any(n in steps for n in postorder([x._node]))

    def cotangents(self) -> tuple[Any, ...]:
        """One for each operand of the loop."""
        if not self.body.writes:
            return (None,) * len(self.cts)
        if not self.lost.isdisjoint(postorder(self.body.writes)):
            raise RuntimeError("scan: no tape was open where the loop was made, so it kept not what a derivative reads")
        loop = self.body.loop()
        vector = loop.run()
        for give in self.results:
            give(loop, vector)
        return tuple(found or None for found in self.cts)


def _place(part: Tensor | Later) -> tuple[int, Tensor]:
    """What contributes to the cotangent of a vector: from which element on, and the part that is not zeros."""
    if isinstance(part, Later) and part.op is pad_ and not any(part.attrs["interior"]):
        return part.attrs["low"][0], part.operands[0]
    return 0, part if isinstance(part, Tensor) else part()


def _laid(part: Tensor, at: int, shape: tuple[int, ...]) -> Tensor | Later:
    """A vector laid from element `at` on into a tensor of zeros."""
    size = prod(shape)
    if part.size == size:
        return reshape(part, shape)
    laid = surrounded(part, (at,), (size - at - part.size,), (0,))
    return laid if len(shape) == 1 else reshape(laid(), shape)


def _zeros(type_: TensorType) -> Tensor:
    return broadcast_to_(scalar(0, type_.dtype), shape=type_.shape)
