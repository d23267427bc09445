"""Innermost: which images lie with their channels innermost, where the batch is not in the lanes.

    before   %0 = conv(%x, %w)   %1 = add(%0, %b)   %2 = transpose(%1, perm=(0, 2, 3, 1))   %3 = layer_norm(%2)
    after    {%0, %1}: channels last, so that %2 reads its memory as it lies

Networks of tokens and images go to and fro between the two: a convolution is between two dense layers, or before a
normalisation over channels. Convolutions, and what is made of their results element by element, run in either order. So
images that lie in one order, which elementwise ops and the simplest convolutions lead from and to, are taken together,
and every place where they are made of something else or read as such says in which order it has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from graphc.ir import Graph, Node
from graphc.op import traits_of
from graphc.passes.nodes import is_contraction, is_free, shown_by
from graphc.schedule import LANES

CHANNEL = 1


def channels_last(graph: Graph) -> set[Node]:
    """The images to be stored with their channels innermost."""
    together = _Together(graph)
    return {image for image in together.images if together.wants_channels(image) and not is_free(image)}


def _is_convolution(node: Node) -> bool:
    return node.op == "conv" and is_contraction(node)


def _lie_alike(node: Node, operand: Node) -> bool:
    """Whether a node has its elements in the order of an operand; convolutions of single channels or pixels do."""
    if _is_convolution(node):
        x, w = node.operands
        return operand is x and (node.attrs["groups"] == x.shape[CHANNEL] or all(taps == 1 for taps in w.shape[2:]))
    traits = traits_of(node)
    return "joins" in traits or ("elementwise" in traits and node.shape == operand.shape)


class _Together:
    """The images of a graph, and which of them lie in one order.

    Attributes:
        images: the results of convolutions, of elementwise ops in three and more dimensions and what is joined of
            them, with enough channels for a vector, that nobody outside of the graph reads. Each leads to another of
            those that lie as it does, and the first one to itself.
    """

    def __init__(self, graph: Graph) -> None:
        self.users = graph.users()
        self.images = {
            node: node for node in graph.nodes
            if len(node.shape) > 2 and node.shape[CHANNEL] >= LANES and node not in graph.kept
            and (_is_convolution(node) or not traits_of(node).isdisjoint(("elementwise", "joins")))
        }  # fmt: skip
        for node in self.images:
            for operand in node.operands:
                if operand in self.images and _lie_alike(node, operand):
                    self.images[self._first(operand)] = self._first(node)
        self._votes: dict[Node, int] = {}
        convolved = {self._first(image) for image in self.images if _is_convolution(image)}
        for image in self.images:
            if (first := self._first(image)) in convolved:
                self._votes[first] = self._votes.get(first, 0) + image.type.size * sum(self._said_of(image))

    def wants_channels(self, image: Node) -> bool:
        """Whether more elements are read and made with the channels of such images side by side than with rows."""
        return self._votes.get(self._first(image), 0) > 0

    def _first(self, image: Node) -> Node:
        while self.images[image] is not image:
            self.images[image] = image = self.images[self.images[image]]
        return image

    def _said_of(self, image: Node) -> Iterator[int]:
        """1 for every place that has channels side by side where others have this image, and -1 where that is rows."""
        for operand in image.operands:
            base = shown_by(operand)
            if operand not in self.images and _lie_alike(image, operand) and base.type.size == operand.type.size:
                axes = [axis for axis in range(len(operand.shape)) if _steps(operand, base, axis) == _last(base)]
                yield _vote(axes[0] if axes else None, operand)
        for user in self.users[image]:
            if user in self.images and _lie_alike(user, image):
                continue
            for view in _shown(user, self.users):
                if view.shape[_last(view)] >= LANES:
                    yield _vote(_steps(view, image, _last(view)), image)
            if _reads_in_order(user):
                yield -1


def _shown(user: Node, users: dict[Node, list[Node]]) -> Iterator[Node]:
    """The views that others read, of those that a user begins."""
    stack = [user] if is_free(user) else []
    while stack:
        view = stack.pop()
        stack += [u for u in users[view] if is_free(u)]
        if any(map(_reads_in_order, users[view])):
            yield view


def _reads_in_order(user: Node) -> bool:
    """Whether a node computes something in the order in which its operands lie; a gradient of weights has its own."""
    return not is_free(user) and user.op != "conv_grad_weight"


def _vote(axis: int | None, image: Node) -> int:
    return 1 if axis == CHANNEL else -1 if axis == _last(image) else 0


def _last(node: Node) -> int:
    """The axis along which neighbours in rows lie."""
    return max((axis for axis, n in enumerate(node.shape) if n > 1), default=len(node.shape) - 1)


def _steps(view: Node, base: Node, axis: int) -> int | None:
    """The axis of `base` along which a step along an axis of a view of it leads, if that is a step to a neighbour."""
    at: int | None = axis
    while view is not base and at is not None:
        inner = view.operands[0]
        if len(view.operands) > 1:
            return None
        if view.op == "transpose":
            at = view.attrs["perm"][at]
        elif view.op == "reshape":
            at = _with_stride(inner.shape, prod(view.shape[at + 1 :]))
        elif len(view.shape) != len(inner.shape) or view.shape[at] != inner.shape[at]:
            return None
        view = inner
    return at


def _with_stride(shape: Sequence[int], stride: int) -> int | None:
    """The axis whose neighbours are `stride` elements apart in rows."""
    return next((axis for axis, n in enumerate(shape) if n > 1 and prod(shape[axis + 1 :]) == stride), None)
