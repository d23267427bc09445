"""Where the boxes of a picture stand: in rows, readers below what they read, boxes near their neighbours.

After Sugiyama, Tagawa and Toda, Methods for visual understanding of hierarchical system structures, IEEE Transactions
on Systems, Man and Cybernetics 11 (1981): layers, then sweeps that order each layer by the mean place of its neighbours
in the layers before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from graphc.drawing.picture import Picture

SWEEPS = 8  # more changed no drawing visibly

Place = tuple[float, int]


def place(picture: Picture) -> dict[str, Place]:
    """For every box its column (1.0 is the width of a box with its margin; the least is 0) and its row."""
    import networkx as nx

    graph = nx.DiGraph()
    graph.add_nodes_from(box.key for box in picture.boxes)
    graph.add_edges_from((maker, reader) for maker, reader, _ in picture.arrows)
    rows = _rows(graph)
    layers: list[list[str]] = [[] for _ in range(max(rows.values(), default=-1) + 1)]
    for box in picture.boxes:
        layers[rows[box.key]].append(box.key)
    columns = {key: float(at) for layer in layers for at, key in enumerate(layer)}
    for _ in range(SWEEPS // 2):
        for layer in layers:
            columns.update(_settle(layer, columns, graph.pred))
        for layer in reversed(layers):
            columns.update(_settle(layer, columns, graph.succ))
    least = min(columns.values(), default=0.0)
    return {key: (column - least, rows[key]) for key, column in columns.items()}


def _rows(graph: Any) -> dict[str, int]:
    """Below everything it reads (by the longest way), then as far down as its first reader lets each box sink."""
    import networkx as nx

    rows: dict[str, int] = {}
    for row, keys in enumerate(generations := list(nx.topological_generations(graph))):
        rows.update(dict.fromkeys(keys, row))
    for keys in reversed(generations):
        for key in keys:
            rows[key] = min((rows[reader] for reader in graph.succ[key]), default=rows[key] + 1) - 1
    return rows


def _settle(
    layer: Sequence[str], columns: Mapping[str, float], neighbours: Mapping[str, Mapping[str, object]]
) -> dict[str, float]:
    """The layer's columns, each as near to the mean of its neighbours as boxes that may not overlap let it be."""
    wanted = {key: fmean(columns[n] for n in neighbours[key]) if neighbours[key] else columns[key] for key in layer}
    settled: dict[str, float] = {}
    free = float("-inf")
    for key in sorted(layer, key=wanted.__getitem__):
        settled[key] = max(wanted[key], free)
        free = settled[key] + 1.0
    shift = fmean(wanted[key] - settled[key] for key in layer)
    return {key: column + shift for key, column in settled.items()}
