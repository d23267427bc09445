"""What the columns of a file are: `Schema`, by name their type and shape."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Schema"]

TYPES = (
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64",
    "string",
)  # fmt: skip


@dataclass(frozen=True)
class Column:
    """The type of a column, by name, and its shape: -1 is an extent that is not known, None any vector."""

    type: str
    shape: tuple[int, ...] | None

    def as_dict(self, name: str) -> dict[str, Any]:
        """As it is written in a schema's JSON."""
        rank = 1 if self.shape is None else len(self.shape)
        shape = {} if self.shape is None else {"shape": list(self.shape)}
        return {"name": name, "rank": rank, **shape, "type": self.type}


class Schema:
    """The types and shapes of columns.

        schema = Schema()
        schema.add_column("image", "uint8", [28, 28])

    Args:
        schema_file: a JSON file as `from_json` takes it.
    Raises:
        ValueError: the file is not there.
    """

    def __init__(self, schema_file: str | os.PathLike[str] | None = None) -> None:
        self.columns: dict[str, Column] = {}
        self.dataset_type = ""
        self.num_rows = 0
        if schema_file:
            path = Path(schema_file)
            if not path.is_file():
                raise ValueError(f"Schema: there is no file {str(path)!r}")
            self.from_json(json.loads(path.read_text(encoding="utf-8")))

    def add_column(self, name: str, de_type: Any, shape: Sequence[int] | None = None) -> None:
        """Adds a column.

        Args:
            name: its name.
            de_type: a dtype, or the name of one; "string".
            shape: -1 for an extent that is not known; None for a vector of any length.
        Raises:
            TypeError: there is no such type.
        """
        if not isinstance(name, str):
            raise TypeError(f"Schema.add_column: got name {name!r} of type {type(name).__name__}, expected a str")
        kind = de_type if isinstance(de_type, str) else np.dtype(getattr(de_type, "np", de_type)).name
        if kind not in TYPES:
            known = ", ".join(TYPES)
            raise TypeError(f"Schema.add_column: column {name!r} has type {de_type!r}, expected one of {known}")
        self.columns[name] = Column(kind, None if shape is None else tuple(int(n) for n in shape))

    def parse_columns(self, columns: Mapping[str, Mapping[str, Any]] | Sequence[Mapping[str, Any]]) -> None:
        """Adds columns.

        Args:
            columns: dicts with `name`, `type` and perhaps `shape` (or `rank`); or such dicts by name.
        Raises:
            RuntimeError: one without a name or a type.
        """
        if isinstance(columns, Mapping):
            columns = [{"name": name, **column} for name, column in columns.items()]
        if isinstance(columns, str) or not isinstance(columns, Sequence):
            given = type(columns).__name__
            raise TypeError(f"Schema.parse_columns: got columns of type {given}, expected a list or dict")
        for column in columns:
            for needed in ("name", "type"):
                if needed not in column:
                    raise RuntimeError(f"Schema.parse_columns: column {dict(column)} has no {needed!r}")
            shape = column.get("shape", [] if column.get("rank") == 0 else None)
            self.add_column(column["name"], column["type"], shape)

    def from_json(self, json_obj: Mapping[str, Any]) -> None:
        """Takes the columns of what JSON says.

        Args:
            json_obj: a dict with `datasetType`, `columns` (as in `parse_columns`) and perhaps `numRows`.
        Raises:
            RuntimeError: something is missing, or not known.
        """
        unknown = set(json_obj) - {"datasetType", "columns", "numRows"}
        missing = {"datasetType", "columns"} - set(json_obj)
        if unknown or missing:
            wrong = f"has no {', '.join(sorted(missing))}" if missing else f"has {', '.join(sorted(unknown))}"
            raise RuntimeError(f"Schema.from_json: {wrong}; expected datasetType, columns and perhaps numRows")
        self.dataset_type, self.num_rows = str(json_obj["datasetType"]), int(json_obj.get("numRows", 0))
        self.parse_columns(json_obj["columns"])

    def to_json(self) -> str:
        """The columns as JSON."""
        said: dict[str, Any] = {"columns": [column.as_dict(name) for name, column in self.columns.items()]}
        if self.dataset_type:
            said["datasetType"] = self.dataset_type
        if self.num_rows:
            said["numRows"] = self.num_rows
        return json.dumps(said, indent=2)

    def __str__(self) -> str:
        return self.to_json()
