"""Where NaN comes from: `with detect_anomaly():` around a training step, in both modes.

    with graphc.detect_anomaly():
        for data, label in dataset:
            train_step(data, label)

    FloatingPointError: what net returns has NaN, from sqrt (Net net.py:14): 22 of 32 elements of f32[8,4], the first at
    (0, 1); operands: f32[8,4] from -0.9075 to 0.8662

Before compiled code runs, its graph runs op by op, which gives the same bits, and every value is looked at. NaN that
arrives nowhere (in the half of an `ops.where` that is not chosen) is no anomaly. So a step that raises has changed
nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from graphc.dispatch import run
from graphc.ir import LEAVES, NOWHERE, Graph, Location, Node
from graphc.op import TABLE, Op
from graphc.place import user_location
from graphc.state import look, state
from graphc.tensor import Number, Tensor, settle

NAN, INFINITE = "NaN", "infinite"
_within = threading.local()  # `looking`: this thread runs a graph to look at it
_lock = threading.Lock()
_open: list[detect_anomaly] = []


class detect_anomaly:  # noqa: N801 (used as a statement: `with detect_anomaly():`, its name in PyTorch)
    """Within `with detect_anomaly():`, what makes NaN raises an error that names the op and the line of the program.

    Of compiled functions, and of Cells and gradient functions in PYNATIVE_MODE, what they return is looked at, and what
    they make of Parameters; the error says which op was the first to make NaN on the way there, of which operands. Of
    an op that is called by itself its result is. It holds for all threads. Everything takes two to some hundred times
    as long, and gives the same bits.

    Args:
        infinite: infinite values that a function returns, or gives to Parameters, are anomalies too.
    Raises:
        FloatingPointError: within the block. The step has changed no Parameter.
    """

    def __init__(self, infinite: bool = True) -> None:
        if not isinstance(infinite, bool):
            raise TypeError(f"detect_anomaly: infinite must be a bool, got {infinite!r:.80}")
        self.infinite = infinite

    def __enter__(self) -> detect_anomaly:
        settle()  # what was called before is not looked at
        with _lock:
            _open.append(self)
            _begin_or_end()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            if kind is None:
                settle()  # what was called inside is
        finally:
            with _lock:
                _open.remove(self)
                _begin_or_end()


def _begin_or_end() -> None:
    from graphc.runtime.executable import close_or_open  # brings llvmlite

    look.graph, look.op = (_look_at_graph, _look_at_op) if _open else (None, None)
    close_or_open()


def _look_at_op(op: Op, operands: Sequence[Tensor], result: Tensor) -> None:
    if not getattr(_within, "looking", False) and NAN in _wrong(result):
        raise FloatingPointError(
            f"{op.name} makes {NAN}{_at(user_location())}: {_made(NAN, result, [(o, {}) for o in operands])}"
        )


def _look_at_graph(graph: Graph, inputs: Sequence[Tensor]) -> None:
    """Runs the graph op by op, and raises if what it returns, or gives to Parameters, has NaN."""
    if getattr(_within, "looking", False):
        return
    _within.looking = True
    try:
        origins = _origins(graph, inputs)
    finally:
        _within.looking = False
        state.now.place = None
    alone = sum(node.op not in LEAVES for node in graph.nodes) < 2
    kinds = (NAN, INFINITE) if not alone and any(one.infinite for one in _open) else (NAN,)
    ends = [(f"what {graph.name} returns", node) for node in graph.outputs]
    ends += [(f"the new value of Parameter {target.attrs['name']}", value) for target, value in graph.updates]
    for kind in kinds:
        for what, node in ends:
            origin = origins.get(node, {}).get(kind)
            if origin is not None and node.op not in LEAVES:
                has = "has NaN" if kind == NAN else "has infinite elements"
                raise FloatingPointError(f"{what} {has}, from {origin.where}: {origin.what}")


# Looking


class Origin(NamedTuple):
    """Where NaN, or something infinite, came from."""

    where: str
    what: str


Origins = Mapping[str, Origin]
"""Of a value, for each kind of what is wrong with it."""


def _origins(graph: Graph, inputs: Sequence[Tensor]) -> dict[Node, Origins]:
    """Of every value that has NaN or infinite elements, where these came from."""
    values: dict[Node, Tensor] = dict(zip(graph.inputs, inputs, strict=True))
    found: dict[Node, Origins] = {}
    for node, value in values.items():
        name = node.attrs["name"]
        wrong = {kind: Origin(f"%{name}, which is given so", _count(kind, value)) for kind in _wrong(value)}
        if wrong:
            found[node] = wrong
    for node in graph.nodes:
        if node.op == "constant":
            values[node] = Number.of(node.attrs["value"], node.dtype)
        elif node.op != "input":
            state.now.place = node.loc if node.loc != NOWHERE else None
            operands = tuple([values[o] for o in node.operands])
            value = values[node] = run(TABLE[node.op], operands, node.attrs, node.type)
            kinds = _wrong(value)
            if kinds:
                found[node] = {kind: _origin(kind, node, value, values, found) for kind in kinds}
    return found


def _origin(
    kind: str, node: Node, value: Tensor, values: Mapping[Node, Tensor], found: Mapping[Node, Origins]
) -> Origin:
    """Where an operand has it from, if one has it; else this op."""
    for operand in node.operands:
        if kind in found.get(operand, ()):
            return found[operand][kind]
    operands = [(values[operand], found.get(operand, {})) for operand in node.operands]
    return Origin(_where(node), _made(kind, value, operands))


def _where(node: Node) -> str:
    if node.forward is None:
        return f"{node.op}{_at(node.loc if node.loc != NOWHERE else user_location())}"
    return f"{node.op} in the derivative of {node.forward.op}{_at(node.forward.loc)}"


def _at(loc: Location) -> str:
    return f" ({loc})" if loc != NOWHERE else ""


def _wrong(value: Tensor) -> tuple[str, ...]:
    """The kinds of what is wrong with a value."""
    if not value.dtype.is_inexact or value.size == 0:
        return ()
    array = value.numpy_view()
    if np.isfinite(array).all():
        return ()
    return tuple(kind for kind, is_so in ((NAN, np.isnan), (INFINITE, np.isinf)) if is_so(array).any())


def _count(kind: str, value: Tensor) -> str:
    at = np.argwhere((np.isnan if kind == NAN else np.isinf)(value.numpy_view()))
    if value.ndim == 0:
        return f"{value.spec} {value.item()}"
    return f"{len(at)} of {value.size} elements of {value.spec}, the first at {tuple(at[0].tolist())}"


def _made(kind: str, value: Tensor, operands: Sequence[tuple[Tensor, Origins]]) -> str:
    """How many elements of a value are so, and what the operands were."""
    return f"{_count(kind, value)}; operands: {', '.join(_described(*operand) for operand in operands)}"


def _described(operand: Tensor, origins: Origins) -> str:
    array = operand.numpy_view()
    if operand.ndim == 0:
        text = f"{array.item():.4g}"
    elif operand.size == 0:
        text = str(operand.spec)
    else:
        finite = array[np.isfinite(array)] if operand.dtype.is_inexact else array
        text = f"{operand.spec} from {finite.min():.4g} to {finite.max():.4g}" if finite.size else str(operand.spec)
    wrong = [f"{kind} from {origin.where}" for kind, origin in origins.items()]
    return f"{text} ({', '.join(wrong)})" if wrong else text
