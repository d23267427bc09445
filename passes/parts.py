"""Groups while they are being formed: what each computes, and who must run after whom."""

from __future__ import annotations

from collections.abc import Container, Iterable

from graphc.ir import Node
from graphc.op import traits_of
from graphc.passes.nodes import handmade


class Part:
    """A group being formed.

    Attributes:
        nodes: what it computes; `stores`: those of them that it writes to memory.
        contraction: the node that the others are an epilogue of.
        depths: of everything it stores, or stored before it was merged, how deep its expression is.
        joined: whether it is a concatenation whose parts are computed in place.
        shape: of all that it stores; `handmade`: the kernel written by hand for what it computes, if there is one.
        bits: the parts that were merged into it, as a set of bits.
    """

    def __init__(self, node: Node, depth: int, contraction: bool, joined: bool = False) -> None:
        self.nodes, self.stores = {node}, [node]
        self.contraction = node if contraction else None
        self.joined = joined
        self.depths = {node: depth}
        self.bits = 0
        self.shape = node.shape
        self.handmade = handmade(node)
        self._aligned: set[Node] | None = None

    def collect(self, stored: Container[Node], starts: Iterable[Node]) -> None:
        """Adds the nodes that it computes on the way from memory to `starts`."""
        stack = list(starts)
        while stack:
            node = stack.pop()
            if node not in stored and node.op != "input" and node not in self.nodes:
                self.nodes.add(node)
                stack += node.operands

    @property
    def reads(self) -> set[Node]:
        """The stored values and inputs that it reads."""
        return {o for n in self.nodes for o in n.operands if o not in self.nodes and o.op != "constant"}

    def aligned(self) -> set[Node]:
        """Members computed at exactly the index that is stored; members also read elsewhere are not among them."""
        if self._aligned is None:
            exact, elsewhere = read_at(self.stores, self.nodes)
            self._aligned = exact - elsewhere
        return self._aligned

    def add(self, other: Part) -> None:
        """Makes the other's nodes its own; what is stored is the caller's to say."""
        self.nodes |= other.nodes
        self.bits |= other.bits
        self._aligned = None


def read_at(stores: Iterable[Node], inside: Container[Node]) -> tuple[set[Node], set[Node]]:
    """The nodes that are read at the index at which the group `inside` stores, and those that are elsewhere."""
    exact: set[Node] = set()
    elsewhere: set[Node] = set()
    stack = [(store, True) for store in stores]
    while stack:
        node, at_index = stack.pop()
        home = exact if at_index else elsewhere
        if node in home:
            continue
        home.add(node)
        if node in inside:
            same = at_index and "elementwise" in traits_of(node)
            stack += [(o, same and o.shape == node.shape) for o in node.operands]
    return exact, elsewhere


class Web:
    """Which part reads what, and which parts come after which, kept up to date as parts are joined.

    `after` holds for every part the set of those that depend on it, directly or not, as the bits of an integer.
    """

    def __init__(self, parts: list[Part]) -> None:
        """Args: parts, each storing one node, in an order in which operands come first."""
        self.parts = dict.fromkeys(parts)
        self.home: dict[Node, Part] = {s: p for p in parts for s in p.stores}
        self.reads: dict[Part, set[Node]] = {p: p.reads for p in parts}
        self.readers: dict[Node, dict[Part, None]] = {}
        self.after: dict[Part, int] = {}
        self.required: dict[Part, set[Part]] = {}
        for at, part in enumerate(parts):
            part.bits = 1 << at
            for node in self.reads[part]:
                self.readers.setdefault(node, {})[part] = None
        for part in reversed(parts):
            after = 0
            for consumer in self.consumers(part):
                after |= self.after[consumer] | consumer.bits
            self.after[part] = after

    def readers_of(self, node: Node) -> list[Part]:
        return list(self.readers.get(node, ()))

    def consumers(self, part: Part) -> list[Part]:
        """The other parts that read what it stores."""
        found = [p for s in part.stores for p in self.readers.get(s, ()) if p is not part]
        return list(dict.fromkeys(found)) if len(part.stores) > 1 else found

    def depends(self, later: Part, earlier: Part) -> bool:
        """Whether `later` needs what `earlier` computes, directly or not."""
        return bool(self.after[earlier] & later.bits)

    def joined_through(self, producer: Part, consumer: Part) -> bool:
        """Whether the consumer also depends on the producer through a third part, which must run between them."""
        others = self.consumers(producer)
        return len(others) > 1 and any(self.depends(consumer, other) for other in others if other is not consumer)

    def join(self, producer: Part, consumer: Part) -> None:
        """Makes the consumer part of the producer; which of their nodes are stored is the caller's to say."""
        for node in self.reads.pop(consumer):
            del self.readers[node][consumer]
            if node not in producer.nodes:
                self.readers[node][producer] = None
                self.reads[producer].add(node)
        producer.add(consumer)
        for store in consumer.stores:
            self.home[store] = producer
        del self.parts[consumer]
        later = self.after.pop(consumer)
        self._extend(producer, later & ~producer.bits)

    def require(self, first: Part, then: Part) -> bool:
        """Makes `first` run before `then`; returns whether it can."""
        if first is then or self.depends(first, then):
            return False
        self.required.setdefault(then, set()).add(first)
        self._extend(first, self.after[then] | then.bits)
        return True

    def _extend(self, part: Part, later: int) -> None:
        """Notes that `later` come after the part, and so after all that come before it.

        Only those before it that do not know yet are visited: who knows has told all that come before it.
        """
        self.after[part] = (self.after[part] | later) & ~part.bits
        known = self.after[part] | part.bits
        stack = [part]
        while stack:
            for other in self.just_before(stack.pop()):
                if other is not part and known & ~self.after[other]:
                    self.after[other] |= known
                    stack.append(other)

    def just_before(self, part: Part) -> set[Part]:
        """The parts that it reads from, or was required to run after."""
        return {self.home[n] for n in self.reads[part] if n in self.home} | self.required.get(part, set())
