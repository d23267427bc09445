"""What this thread is doing when it calls an op: what records it, what notes it for later, which tapes listen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphc.autograd import Tape
    from graphc.deferred import Deferred
    from graphc.ir import Graph, Location
    from graphc.nn.cell import Cell
    from graphc.noting import Piece
    from graphc.op import Op
    from graphc.tensor import Tensor
    from graphc.trace import Trace


class Doing:
    """What one thread is doing.

    Attributes:
        trace: the graph that ops are recorded into.
        call: the call of a gradient function that has returned tensors without computing them yet.
        piece: what notes ops in eager mode, to run them together.
        tapes: the tapes that listen.
        scopes: the names of the Cells being called, outermost first.
        narrowing: the Cells being called whose Parameters are read in the type that `to_float` was given.
        place: where the op that runs now was asked for, if that is not where the program is.
        seldom: whether it is part of a graph that will be compiled if it comes often.
    """

    __slots__ = ("call", "narrowing", "piece", "place", "scopes", "seldom", "tapes", "trace")

    def __init__(self) -> None:
        self.trace: Trace | None = None
        self.call: Deferred | None = None
        self.piece: Piece | None = None
        self.tapes: tuple[Tape, ...] = ()
        self.scopes: tuple[str, ...] = ()
        self.narrowing: tuple[Cell, ...] = ()
        self.place: Location | None = None
        self.seldom = False


class _State(threading.local):
    """Where each thread finds what it is doing: who asks for several things asks for `now` once."""

    def __init__(self) -> None:
        self.now = Doing()


state = _State()


class Look:
    """What `detect_anomaly` has look at values, in all threads; None while nobody does.

    Attributes:
        graph: is given each graph, and its inputs, before that runs.
        op: is given each op that NumPy ran by itself, its operands and its result.
    """

    def __init__(self) -> None:
        self.graph: Callable[[Graph, Sequence[Tensor]], None] | None = None
        self.op: Callable[[Op, Sequence[Tensor], Tensor], None] | None = None


look = Look()
