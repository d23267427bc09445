"""Column names: checking those a user gives, and which columns a step's results replace."""

from collections.abc import Iterable, Sequence
from typing import Any


def names_list(name: str, columns: str | Sequence[str]) -> list[str]:
    """Column names as a list."""
    names = [columns] if isinstance(columns, str) else list(columns) if isinstance(columns, Iterable) else []
    if not names or not all(isinstance(column, str) and column for column in names):
        raise TypeError(f"{name}: got columns {columns!r}, expected a name or a list of names")
    return names


def positions_of(name: str, have: Sequence[str], wanted: str | Sequence[str]) -> list[int]:
    """Where columns stand among those there are.

    Raises:
        ValueError: there is no such column.
    """
    names = names_list(name, wanted)
    for column in names:
        if column not in have:
            raise ValueError(f"{name}: there is no column {column!r}, only {list(have)}")
    return [list(have).index(column) for column in names]


class ColumnChange:
    """How results replace input columns: in place where they are as many, else in front of the columns not used."""

    def __init__(
        self, name: str, columns: Sequence[str], inputs: str | Sequence[str], outputs: str | Sequence[str] | None
    ) -> None:
        self.inputs = positions_of(name, columns, inputs)
        if len(set(self.inputs)) != len(self.inputs):
            raise ValueError(f"{name}: input column named twice in {inputs!r}")
        self._outputs = [columns[i] for i in self.inputs] if outputs is None else names_list(name, outputs)
        self._where = name
        self.names = tuple(self._place(list(columns), self._outputs))

    def _place(self, columns: list[Any], results: Sequence[Any]) -> list[Any]:
        if len(results) == len(self.inputs):
            for position, result in zip(self.inputs, results, strict=True):
                columns[position] = result
            return columns
        return [*results, *(column for i, column in enumerate(columns) if i not in self.inputs)]

    def __call__(self, columns: Sequence[Any], results: Sequence[Any]) -> list[Any]:
        """The columns of the result; `results` in the order of the output names."""
        if len(results) != len(self._outputs):
            raise ValueError(
                f"{self._where}: the operations returned {len(results)} columns, expected {len(self._outputs)} for "
                f"output_columns {self._outputs}"
            )
        return self._place(list(columns), results)
