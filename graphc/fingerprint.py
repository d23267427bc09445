"""All that decides the code of nodes, as text: equal for nodes that compute the same thing in the same way.

Names, source lines and forward nodes are left out, because nothing that runs depends on them. Numbers are exact to the
bit: 0.0 is not -0.0, and 1 is neither 1.0 nor True.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable
from typing import Any

from graphc.dtype import DType
from graphc.ir import Graph, Node, TensorType


class UnknownContentError(TypeError):
    """An attribute of a kind whose text may not tell all of it."""


class Fingerprint:
    """Text that grows with the nodes it is told of; each gets a number, in the order of first mention."""

    def __init__(self) -> None:
        self.numbers: dict[Node, int] = {}
        self.lines: list[str] = []

    def leaf(self, node: Node, note: str = "") -> None:
        """A value that is made elsewhere: only its type counts."""
        self.numbers[node] = len(self.numbers)
        self.lines.append(f"{_type_text(node.type)}{note}")

    def node(self, node: Node, left_out: str = "", note: str = "") -> None:
        """What a node does to nodes told before.

        Args:
            left_out: an attribute that is not told, what counts of it being in the note.
        Raises:
            UnknownContentError: an attribute is no number, string, dtype, slice or tuple of these.
        """
        numbers = self.numbers
        operands = [numbers[o] for o in node.operands]
        told = [(name, exact(value)) for name, value in node.attrs.items() if name != left_out] if node.attrs else ""
        numbers[node] = len(numbers)
        self.lines.append(f"{node.op}{operands}{told}{_type_text(node.type)}{note}")

    def role(self, what: str, nodes: Iterable[Node]) -> None:
        """Nodes told before that play a part."""
        self.lines.append(f"{what}{[self.numbers[n] for n in nodes]}")

    def __str__(self) -> str:
        return "\n".join(self.lines)


@functools.lru_cache(maxsize=4096)
def _type_text(type_: TensorType) -> str:
    return f"{type_.dtype.short}{type_.shape}"


def graph_fingerprint(graph: Graph) -> str:
    """The text of a whole graph.

    Raises:
        UnknownContentError: see `Fingerprint.node`.
    """
    text = Fingerprint()
    for node in graph.inputs:
        text.leaf(node)
    for node in graph.nodes:
        if node.op != "input":
            text.node(node)
    text.role("outputs", graph.outputs)
    text.role("updated", (target for target, _ in graph.updates))
    text.role("updates", (value for _, value in graph.updates))
    return f"{graph.arguments} arguments\n{text}"


_PLAIN = (int, bool, str, DType, type(None))


def exact(value: Any) -> str:
    """A text that no other value has."""
    kind = type(value)
    if kind in _PLAIN:
        return repr(value)
    if kind is float:
        return repr(value) if value == value else f"nan {struct.pack('<d', value).hex()}"
    if kind is tuple:
        return f"({','.join(map(exact, value))})"
    if kind is slice:
        return f"slice{exact((value.start, value.stop, value.step))}"
    raise UnknownContentError(f"fingerprint: cannot tell all of a {kind.__name__}: {value!r:.60}")
