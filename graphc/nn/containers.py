"""Cells that hold Cells: in sequence, in a list, in a dict. Inner Cells are named by position or key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from graphc.nn.cell import Cell
from graphc.nn.layer import Layer

__all__ = ["CellDict", "CellList", "SequentialCell"]


def _checked(where: str, cell: Any) -> Cell:
    if not isinstance(cell, Cell):
        raise TypeError(f"For '{where}', each cell must be a Cell, but got '{type(cell).__name__}'.")
    return cell


class _Numbered(Layer):
    """What SequentialCell and CellList share: Cells under the names "0", "1", ..., in order."""

    def _index(self, index: Any) -> int:
        if isinstance(index, bool) or not isinstance(index, int):
            raise TypeError(f"For '{type(self).__name__}', the index must be int or slice, but got {index!r}.")
        if not -len(self) <= index < len(self):
            raise IndexError(f"For '{type(self).__name__}', the index {index} is out of range for {len(self)} cells.")
        return index % len(self)

    def _renumber(self, cells: list[Cell]) -> None:
        """Makes `cells` the inner ones; the Parameters of those that moved are renamed after their new places."""
        places = {id(cell): name for name, cell in self._cells.items()}
        for cell in cells:
            _checked(type(self).__name__, cell)
        self._cells.clear()
        for place, cell in enumerate(cells):
            old = places.get(id(cell))
            if old is None:
                setattr(self, str(place), cell)
                continue
            self._cells[str(place)] = cell
            if old != str(place) and self._auto_prefix:
                cell.__dict__["_label"] = str(place)
                cell.replace_prefix(f"{self.parameter_prefix}{old}.", f"{self.parameter_prefix}{place}.")
        self._changed()

    def __getitem__(self, index: Any) -> Any:
        cells = list(self._cells.values())
        if isinstance(index, slice):
            part = CellList(auto_prefix=False) if isinstance(self, CellList) else SequentialCell()
            part.__dict__["_auto_prefix"] = False  # the parts keep the names they have in the whole
            part._cells.update((str(place), cell) for place, cell in enumerate(cells[index]))
            return part
        if isinstance(index, str) and index in self._cells:
            return self._cells[index]
        return cells[self._index(index)]

    def __setitem__(self, index: int, cell: Cell) -> None:
        setattr(self, list(self._cells)[self._index(index)], _checked(type(self).__name__, cell))

    def __delitem__(self, index: Any) -> None:
        cells = list(self._cells.values())
        del cells[index if isinstance(index, slice) else self._index(index)]
        self._renumber(cells)

    def __len__(self) -> int:
        return len(self._cells)

    def __bool__(self) -> bool:
        return len(self) != 0

    def __iter__(self) -> Iterator[Cell]:
        return iter(self._cells.values())

    def append(self, cell: Cell) -> Any:
        """Adds `cell` at the end."""
        setattr(self, str(len(self)), _checked(type(self).__name__, cell))
        return self

    def extend(self, cells: Iterable[Cell]) -> Any:
        """Adds `cells` at the end."""
        for cell in cells:
            self.append(cell)
        return self

    def insert(self, index: int, cell: Cell) -> None:
        """Puts `cell` before the one at `index`."""
        cells = list(self._cells.values())
        if isinstance(index, bool) or not isinstance(index, int):
            raise TypeError(f"For '{type(self).__name__}', the index must be int, but got {index!r}.")
        if not -len(cells) <= index <= len(cells):
            raise IndexError(f"For '{type(self).__name__}', cannot insert at {index!r} among {len(cells)} cells.")
        cells.insert(index, cell)
        self._renumber(cells)

    def set_grad(self, requires_grad: bool = True) -> Any:
        for cell in self._cells.values():
            cell.set_grad(requires_grad)
        return self


class SequentialCell(_Numbered):
    """Cells that are called one after another, each on what the one before returned.

    Args:
        *args: Cells, or one list of Cells, or one dict of name to Cell.
    Raises:
        TypeError: something else.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], dict):
            for name, cell in args[0].items():
                self.insert_child_to_cell(name, _checked("SequentialCell", cell))
            return
        self.extend(args[0] if len(args) == 1 and isinstance(args[0], (list, tuple)) else args)

    def construct(self, x: Any) -> Any:
        for cell in self._cells.values():
            x = cell(x)
        return x


class CellList(_Numbered):
    """A list of Cells that are found as inner Cells; it is called by calling its members.

    Args:
        *args: Cells, or one list of Cells.
        auto_prefix: whether the members' Parameters are named by their places.
    """

    def __init__(self, *args: Any, auto_prefix: bool = True) -> None:
        super().__init__(auto_prefix)
        self.extend(args[0] if len(args) == 1 and isinstance(args[0], (list, tuple)) else args)

    def __add__(self, other: Iterable[Cell]) -> CellList:
        return CellList([*self, *other], auto_prefix=False)

    def __iadd__(self, other: Iterable[Cell]) -> CellList:
        self.extend(other)
        return self


class CellDict(Cell):
    """A dict of Cells that are found as inner Cells.

    Args:
        *args: at most one dict, CellDict, or iterable of (key, Cell).
        auto_prefix: whether the members' Parameters are named by their keys.
    """

    def __init__(self, *args: Any, auto_prefix: bool = True) -> None:
        super().__init__(auto_prefix)
        if len(args) > 1:
            raise TypeError(f"For 'CellDict', at most 1 argument is expected, but got {len(args)}.")
        if args:
            self.update(args[0])

    def __getitem__(self, key: str) -> Cell:
        if key not in self._cells:
            raise KeyError(f"For 'CellDict', there is no key {key!r}; keys are {list(self._cells)}.")
        cell: Cell = self._cells[key]
        return cell

    def __setitem__(self, key: str, cell: Cell) -> None:
        if not isinstance(key, str) or not key or "." in key:
            raise KeyError(f"For 'CellDict', a key must be a str without dots, but got {key!r}.")
        if key in self._cells:
            setattr(self, key, _checked("CellDict", cell))
            return
        self.insert_child_to_cell(key, _checked("CellDict", cell))

    def __delitem__(self, key: str) -> None:
        self.pop(key)

    def __len__(self) -> int:
        return len(self._cells)

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells)

    def __contains__(self, key: object) -> bool:
        return key in self._cells

    def keys(self) -> Any:
        return self._cells.keys()

    def values(self) -> Any:
        return self._cells.values()

    def items(self) -> Any:
        return self._cells.items()

    def pop(self, key: str) -> Cell:
        """Takes the Cell at `key` out and returns it."""
        cell = self[key]
        del self._cells[key]
        self._changed()
        return cell

    def clear(self) -> None:
        """Takes all Cells out."""
        self._cells.clear()
        self._changed()

    def update(self, cells: Any) -> None:
        """Adds the Cells of a dict, a CellDict or an iterable of (key, Cell)."""
        if not isinstance(cells, (dict, CellDict, Iterable)):
            raise TypeError(f"For 'CellDict', update needs a dict or an iterable of pairs, but got {cells!r:.60}.")
        for key, cell in cells.items() if isinstance(cells, (dict, CellDict)) else cells:
            self[key] = cell
