"""Layers: Cells that only apply ops, so that eager mode need not go through their Python again.

    dense = nn.Dense(4, 8)      # a Layer
    dense(x)                    # `construct` runs, and the ops that it applies are noted
    dense(x)                    # one thing to note; `construct` is not called

Called by itself, a layer whose calls come often is native code (`graphc.often`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple
from weakref import WeakMethod

from graphc import context
from graphc.nn.cell import Cell
from graphc.often import Often
from graphc.parameter import Parameter
from graphc.random import stream
from graphc.state import state

MOST_FIXED = 16
"""How many states of a layer are known at a time: as a rule two, of training and of evaluation."""

_HOMES = ("graphc.nn.", "graphc.mint.nn")
"""Where graphc's own layers are."""

_HARMLESS = frozenset(("__init__", "__module__", "__qualname__", "__doc__", "__annotations__"))


class Fixed(NamedTuple):
    """A layer while neither its attributes nor those of the layers within change.

    Attributes:
        known_as: what stands for it, and keeps nothing of it alive.
        reads: the Parameters that a call may read.
        often: its calls by themselves.
    """

    known_as: object
    reads: tuple[Parameter, ...]
    often: Often


class Layer(Cell):
    """A Cell whose `construct` applies ops to its arguments and Parameters, and depends on nothing else but attributes.

    In eager mode a call that comes again is noted in one go (`graphc.eager`), and `construct` is not called. That holds
    for graphc's own classes, and for those that a program derives from them, as long as these define no methods.
    """

    _of_ops = True
    _made_anew = Cell._made_anew | {"_fixed_now", "_fixed_as"}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__module__.startswith(_HOMES) and vars(cls).keys() - _HARMLESS:
            cls._of_ops = False

    def _draws(self) -> bool:
        """Whether a call draws numbers from the program's stream."""
        return False

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        now = state.now
        if now.piece is not None and now.trace is None:
            fixed = self._fixed()
            if fixed is not None:
                return now.piece.call(self._called, args, kwargs, fixed.known_as, fixed.reads)
        return super()._run(*args, **kwargs)

    def _at_once(self, args: tuple[Any, ...]) -> Any:
        fixed = self._fixed()
        return None if fixed is None else fixed.often(args)

    def _fixed(self) -> Fixed | None:
        """The layer as it is now, if calling it comes to applying ops to its arguments and Parameters."""
        own = self.__dict__
        seen: tuple[int, Fixed | None] | None = own.get("_fixed_now")
        structure = context.structure
        if seen is None or seen[0] != structure:
            seen = own["_fixed_now"] = structure, self._fixed_anew()
        return seen[1]

    def _fixed_anew(self) -> Fixed | None:
        cells = [cell for _, cell in self.cells_and_names()]
        for cell in cells:
            of_ops = isinstance(cell, Layer) and cell._of_ops
            if not of_ops or any(cell._hooks) or "_float" in cell.__dict__ or "construct" in cell.__dict__:
                return None
        known: dict[Hashable, Fixed] = self.__dict__.setdefault("_fixed_as", {})
        facts = tuple((id(cell), cell.changes_made, cell.training) for cell in cells)
        found = known.get(facts)
        if found is None:
            if len(known) >= MOST_FIXED:
                known.clear()
            streams = (stream(None),) if any(cell._draws() for cell in cells if isinstance(cell, Layer)) else ()
            reads = (*self.get_parameters(), *streams)
            found = known[facts] = Fixed(object(), reads, Often(_weakly(self), reads))
        return found


def _weakly(layer: Layer) -> Callable[..., Any]:
    """What calling the layer makes, as a function that does not keep it alive."""
    method = WeakMethod(layer._called)

    def called(*args: Any) -> Any:
        found = method()
        assert found is not None, "the layer is being called"
        return found(*args)

    called.__name__ = type(layer).__name__
    return called
