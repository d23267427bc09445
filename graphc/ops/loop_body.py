"""Bodies of loops while they are recorded, and the loops that they make: see `graphc.ops.recurrence`.

    body = Body(count, backwards)
    h, x = body.read_before(h0), body.read(type_, Read(body.operand(xs), 0, count))     # stand-ins, as of any trace
    number = body.carry(body.run(lambda: ops.tanh(h + x)), kept=True)
    loop = body.loop()
    vector = loop.run()                             # the op `scan`
    outputs = loop.all(vector, number)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from graphc.ir import Graph, Node, TensorType, postorder
from graphc.irtext import graph_text
from graphc.op import TABLE
from graphc.ops.shape import reshape
from graphc.ops.views import slice_
from graphc.parameter import Parameter
from graphc.place import located
from graphc.tensor import Tensor
from graphc.trace import InnerTrace

OWN = -1
"""The operand that a loop reads its own vector as."""


class Read(NamedTuple):
    """Where an input of the body is read; see `graphc.ops.recurrence`."""

    operand: int
    offset: int = 0
    slots: int = 0
    shift: int = 0
    edge: int = OWN

    def item(self, t: int, count: int) -> tuple[int, int] | None:
        """The operand and the item of it that step t reads; None for the edge."""
        if self.slots and not 0 <= t + self.shift < count:
            return None
        return self.operand, (t + self.shift) % self.slots if self.slots else 0


class Write(NamedTuple):
    """Where an output of the body is written; see `graphc.ops.recurrence`."""

    offset: int
    slots: int


class Body(InnerTrace):
    """A body that is being recorded.

    Attributes:
        operands: of the loop.
        reads: what each input reads; of the loop's own vector (`OWN`) the number of what is carried, as its offset.
        writes: the outputs, and how many slots each has.
    """

    def __init__(self, count: int, backwards: bool) -> None:
        super().__init__()
        self.count, self.backwards = count, backwards
        self.operands: list[Tensor] = []
        self.reads: list[Read] = []
        self.writes: dict[Node, int] = {}
        self._carried: list[Node] = []
        self._places: dict[int, int] = {}

    def operand(self, tensor: Tensor) -> int:
        """The number of a tensor among the operands."""
        if id(tensor) not in self._places:
            self._places[id(tensor)] = len(self.operands)
            self.operands.append(tensor)
        return self._places[id(tensor)]

    def read(self, type_: TensorType, read: Read) -> Tensor:
        """A stand-in for what the steps read there.

        Raises:
            TypeError: complex numbers.
        """
        if type_.dtype.is_complex:
            said = f"the steps of a loop cannot read complex numbers, {type_}: give them the parts, or unroll it"
            raise located(TypeError(f"scan: {said}"))
        self.reads.append(read)
        return self.stand_in(self.add_input(f"x{len(self.reads) - 1}", type_, None))

    def read_before(self, start: Tensor) -> Tensor:
        """A stand-in for what the step before carries on, in the order of `carry`; the first step reads `start`."""
        number = sum(read.operand == OWN for read in self.reads)
        return self.read(start.spec, Read(OWN, number, 1, 1 if self.backwards else -1, self.operand(start)))

    def carry(self, value: Tensor, kept: bool) -> int:
        """Makes a value what is carried on; returns the number of the output that it is."""
        self._carried.append(self.node_of(value, "return"))
        return self.output(value, kept)

    def output(self, value: Tensor, kept: bool = True) -> int:
        """Makes a value an output, of all steps or for the next one only; returns its number."""
        node = self.node_of(value, "return")
        self.writes[node] = self.count if kept else max(min(2, self.count), self.writes.get(node, 0))
        return list(self.writes).index(node)

    def from_outside(self, tensor: Tensor) -> Tensor:
        """An operand that is the same for all steps."""
        return self.read(tensor.spec, Read(self.operand(tensor)))

    def put(self, instead: Mapping[int, Tensor]) -> None:
        self.operands = [instead.get(id(x), x) for x in self.operands]

    def write(self, target: Parameter, value: Tensor) -> None:
        """Raises: nothing is assigned to in a loop."""
        raise located(ValueError(f"scan: a step cannot assign to Parameter {target.name}"))

    def refuse_own_derivative(self, name: str) -> None:
        """Raises: the derivative of a loop is made of its ops."""
        raise located(ValueError(f"scan: a step cannot have a derivative of its own, as {name} has"))

    def loop(self) -> Loop:
        """The loop, without the inputs that nobody reads."""
        writes, at = {}, 0
        for node, slots in self.writes.items():
            writes[node] = Write(at, slots)
            at += -(-slots * node.type.size // APART) * APART
        own = [writes[node]._asdict() for node in self._carried]
        used = set(postorder(self.writes))
        kept = [(n, r) for n, r in zip(self.inputs, self.reads, strict=True) if n in used]
        kept = [(n, r if r.operand != OWN else r._replace(**own[r.offset])) for n, r in kept]
        numbers = sorted({k for _, r in kept for k in (r.operand, r.edge)} - {OWN})
        new = {OWN: OWN, **{k: n for n, k in enumerate(numbers)}}
        reads = [r._replace(operand=new[r.operand], edge=new[r.edge]) for _, r in kept]
        graph = Graph("step", tuple(n for n, _ in kept), tuple(self.writes))
        operands = tuple(self.operands[k] for k in numbers)
        return Loop(graph, operands, self.count, self.backwards, tuple(reads), tuple(writes.values()))


@dataclass(frozen=True)
class Loop:
    """All that decides a scan, and its operands."""

    graph: Graph
    operands: tuple[Tensor, ...]
    count: int
    backwards: bool
    reads: tuple[Read, ...]
    writes: tuple[Write, ...]

    def run(self) -> Tensor:
        """The vector that it computes."""
        operands = [x if x.ndim else reshape(x, (1,)) for x in self.operands]
        attrs = {"count": self.count, "backwards": self.backwards, "reads": self.reads, "writes": self.writes}
        plain = {name: tuple(map(tuple, v)) if isinstance(v, tuple) else v for name, v in attrs.items()}
        return TABLE["scan"](*operands, body=graph_text(self.graph, comments=False), **plain)

    def all(self, vector: Tensor, number: int) -> Tensor:
        """What all steps wrote as an output, `[T, ...]`."""
        shape = self.graph.outputs[number].shape
        return reshape(taken(vector, self.writes[number].offset, self.count * prod(shape)), (self.count, *shape))

    def last(self, vector: Tensor, number: int) -> Tensor:
        """What the last step wrote as an output."""
        shape, (offset, slots) = self.graph.outputs[number].shape, self.writes[number]
        at = offset + last_step(self.count, self.backwards) % slots * prod(shape)
        return reshape(taken(vector, at, prod(shape)), shape)


APART = 16
"""Elements that the place of an output in the vector is a multiple of: a cache line."""


def last_step(count: int, backwards: bool) -> int:
    """The number of the step that is made last."""
    return 0 if backwards else count - 1


def taken(vector: Tensor, at: int, size: int) -> Tensor:
    """`size` elements of a vector, from `at` on."""
    return slice_(vector, begin=(at,), shape=(size,), step=(1,))
