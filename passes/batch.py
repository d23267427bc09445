"""The batch in the lanes: which values are stored with sixteen entries of the batch side by side.

    before   %0 = conv(%x, %w)   %1 = relu(%0)   %2 = sum(%w)
    after    {%x, %0, %1}: entry n of each depends on entry n of the others

Convolutions, dense layers, pooling and everything elementwise then run on full vectors whatever the number of channels
or features, and weights are read where they lie, as scalars. It is done where such ops are most of the work, and where
vectors that are not full waste less than rows would lose.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphc.index import Gathered, Ix, Var
from graphc.ir import LEAVES, Graph, Node
from graphc.op import unrolled
from graphc.passes.access import OUTPUT, Access
from graphc.passes.nodes import base_of, handmade, is_contraction, is_free, narrow_factors
from graphc.passes.winograd import fits_tiles
from graphc.schedule import LANES, NEAR, RUN_STEPS, RUN_USES

MOST_IN_BATCHES = 0.8
"""The share of all multiplications that must run over the batch for the batch to go into the lanes."""

SLOWEST, CHANNELS, ALONG_ROWS, FEATURES_ACROSS, STORED, SIDE_BY_SIDE = 2.5, 24, 1.25, 1.1, 20, 1.04
"""How many times as long a convolution takes in rows, as measured: at most 2.5; 1 + 24 / c with c channels across the
vectors; with rows of an image that fill them 1.25, more with two or three features to use what was read: 1 + 1 / f;
with vectors of features 1.1, and more as each is turned and stored in the time of 20 steps of its sum; 1.04 where there
is one tap, so that an image is one row, and a kernel may fill vectors with those of several images."""

IN_TILES = 0.35
"""And a product of tiles, with making and using them: in rows that is done image by image, in the cache."""

IN_WORDS = 0.9
"""A product of narrow factors: those of two terms are a word of memory in rows, and must be put together in lanes."""

COPIED, COMPUTED = 18, 6
"""Multiplications that could be made while one element is copied into the lanes or out of them; and while one is
computed that is no sum of products."""


def in_lanes(graph: Graph, access: Access) -> set[Node]:
    """The nodes to be stored so."""
    size = _batch_size(graph, access)
    if size is None:
        return set()
    batched, uniform = _batched(graph, size, access)
    if not _worth_it(graph, batched, access):
        return set()
    users = graph.users()
    for node in reversed(graph.nodes):  # what is made for a batch lies as the batch does
        if node in uniform and users[node] and all(u in batched or u in uniform for u in users[node]):
            batched.add(node)
    rows = {v for _, v in graph.updates}
    for node in graph.nodes:
        if node.op not in LEAVES and handmade(node):
            rows.update((node, *node.operands))
    return batched - rows


def _batch_size(graph: Graph, access: Access) -> int | None:
    """The first extent shared by what contractions read first, if vectors can hold it at less cost than gain.

    What it costs is what vectors that are not full waste, of products and of all that is computed between them; and for
    convolutions, and where most are products of an entry's own matrices, copying what comes and goes in rows.
    """
    sizes: dict[int, int] = {}
    gains: dict[int, float] = {}
    own: dict[int, int] = {}  # of no weights, but of two matrices that each entry has for itself
    for node in graph.nodes:
        if is_contraction(node) and len(node.shape) >= 2:
            first = node.operands[0].shape[0]
            products = access.products(node) // (2 if narrow_factors(node) else 1)  # which take half the time
            sizes[first] = sizes.get(first, 0) + products
            gains[first] = gains.get(first, 0) + products * _slower_in_rows(node, first, access)
            if all(index and same_entry(index) for _, index in access.of(node).reads):
                own[first] = own.get(first, 0) + products

    def pays(n: int) -> bool:
        filled_up, between = -(-n // LANES) * LANES, COMPUTED * _between(graph, n)
        copied = COPIED * _copied(graph, n) if gains[n] > sizes[n] or 2 * own.get(n, 0) > sizes[n] else 0
        return (sizes[n] + between) * filled_up <= (gains[n] + between - copied) * n > 0

    return max(filter(pays, sizes), key=sizes.__getitem__, default=None)


def _between(graph: Graph, size: int) -> int:
    """The elements of a batch that are computed between contractions."""
    made = (n for n in graph.nodes if n.op not in LEAVES and n.shape and n.shape[0] == size)
    return sum(prod(n.shape) for n in made if not is_contraction(n) and not is_free(n))


def _copied(graph: Graph, size: int) -> int:
    """The elements of arguments that are read, and of results, for a batch."""
    read = {operand for node in graph.nodes for operand in node.operands}
    both = (*(node for node in graph.inputs[: graph.arguments] if node in read), *graph.outputs)
    return sum(prod(node.shape) for node in both if node.shape and node.shape[0] == size)


def _slower_in_rows(node: Node, batch: int, access: Access) -> float:
    """How many times as long a contraction takes with its vectors along rows of images or channels."""
    if any(unrolled(base_of(operand)) for operand in node.operands):
        return IN_TILES
    if not access.slides(node):
        return IN_WORDS if narrow_factors(node) else 1.0
    if narrow_factors(node) and fits_tiles(node, node.operands[1].shape, node.shape):
        return IN_WORDS  # as the gradient of its weights is made of tiles
    if node.shape[0] != batch:
        return min(SLOWEST, _weights_slower_in_rows(node, access))
    apart, features = _sliding_read(node, access)
    steps = access.products(node) // max(prod(node.shape), 1)
    once = access.places_once(node)
    if apart <= NEAR and features >= RUN_USES and steps >= RUN_STEPS and once:
        return SIDE_BY_SIDE
    channels = SLOWEST
    if features > 1:
        stored = STORED * prod(node.shape) / max(access.products(node), 1)
        channels = FEATURES_ACROSS * (1 + stored) * _filled_up(features)
    if apart > 1:
        return min(SLOWEST, channels)
    row = prod(node.shape[2:]) if once else node.shape[-1]  # under one tap an image is a row
    few = 1 + 1 / features if features > 1 else ALONG_ROWS
    along = max(SIDE_BY_SIDE if once else ALONG_ROWS, few) * _filled_up(max(row, 1))
    return min(SLOWEST, 1 + CHANNELS / node.shape[1] if features > 1 else SLOWEST, along, channels)


def _weights_slower_in_rows(node: Node, access: Access) -> float:
    """The same of a gradient of weights: no longer, where chains go over all images and vectors over channels."""
    value = access.of(node).value
    over_lanes = value is not None and value.kind == "contract" and value.data[1]
    alone = over_lanes or prod(node.shape[2:]) == 1 or min(node.shape[:2]) == 1
    return 1 + CHANNELS / max(node.shape[:2]) if alone else 1.0


def _filled_up(extent: int) -> float:
    """How many times as much vectors hold as there is."""
    return -(-extent // LANES) * LANES / extent


def _sliding_read(node: Node, access: Access) -> tuple[int, int]:
    """How far apart neighbours along the result's rows read what slides, and how many of its features read the same."""
    index = next(index for _, index in access.of(node).reads if any(len(ix.terms) > 1 for ix in index))
    last = f"{OUTPUT}{len(node.shape) - 1}"
    apart = next((step for v, step in index[-1].terms if isinstance(v, Var) and v.name == last), 1)
    moving = {v.name for ix in index for v in ix.variables}
    return abs(apart), max(prod(n for d, n in enumerate(node.shape) if f"{OUTPUT}{d}" not in moving), 1)


def _batched(graph: Graph, size: int, access: Access) -> tuple[set[Node], set[Node]]:
    """The nodes whose first axis is the batch, and those that are as long but made without it.

    Entry n of a batched node depends on entry n of batched operands, and on nothing else that differs from entry to
    entry.
    """
    found = {n for n in graph.inputs[: graph.arguments] if n.shape and n.shape[0] == size}
    uniform: set[Node] = set()  # the same for every entry: broadcast constants, parameters, totals
    for node in graph.nodes:
        if node.op in LEAVES or not node.shape or node.shape[0] != size:
            continue
        moving = [(o, index) for o, index in access.of(node).reads if any(_mentions_first(i) for i in index)]
        if not moving:
            uniform.add(node)
        elif all(o in uniform or (o in found and same_entry(index)) for o, index in moving):
            (found if any(o in found for o, _ in moving) else uniform).add(node)
    return found, uniform


def _mentions_first(index: Ix) -> bool:
    """Whether an index depends on the first axis; not through data, for it is then the data that differ by entry."""
    for atom, _ in index.terms:
        if isinstance(atom, Var):
            if atom.name == _FIRST:
                return True
        elif not isinstance(atom, Gathered) and _mentions_first(atom.of):
            return True
    return False


_FIRST = f"{OUTPUT}0"


def same_entry(index: Sequence[Ix]) -> bool:
    """Whether an operand is read at exactly the result's own position along the first axis."""
    terms = index[0].terms
    return (
        not index[0].const and len(terms) == 1 and terms[0][1] == 1 and isinstance(terms[0][0], Var)
        and terms[0][0].name == _FIRST
    )  # fmt: skip


def _worth_it(graph: Graph, batched: set[Node], access: Access) -> bool:
    total = inside = 0
    for node in graph.nodes:
        if is_contraction(node):
            products = access.products(node)
            total += products
            if node in batched or all(base_of(o) in batched or o in batched for o in node.operands):
                inside += products
    return total > 0 and inside >= MOST_IN_BATCHES * total
