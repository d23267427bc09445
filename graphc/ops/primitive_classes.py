"""Operations as objects: `Primitive`, and how a row of a table becomes a class of them.

    enter({"Add": "add"}, {"ReduceSum": ({"keep_dims": False}, call)})

A row has the class's name, its attributes with their defaults, and the function that a call runs, which is given the
object and then the arguments. Classes without attributes name a function of `graphc.ops`, which is looked up when it is
called. The tables are in `primitives.py` and the modules beside it whose names begin alike.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from graphc.place import located

REQUIRED = inspect.Parameter.empty
"""The default of an attribute that must be given."""


class Primitive:
    """An operation as an object: its attributes are set when it is made, its operands given when it is called.

    Args:
        name: what it is called when it is printed.
    """

    attributes: tuple[str, ...] = ()

    def __init__(self, name: str | None = None) -> None:
        self.name = name or type(self).__name__

    def __call__(self, *args: Any) -> Any:
        raise located(TypeError(f"{self.name}: a bare Primitive computes nothing"))

    @property
    def attrs(self) -> dict[str, Any]:
        """What `add_prim_attr` noted, by name."""
        noted: dict[str, Any] = vars(self).setdefault("_noted", {})
        return noted

    def add_prim_attr(self, name: str, value: Any) -> Primitive:
        """Notes something about the operation, as an attribute of the object and in `attrs`."""
        setattr(self, name, value)
        self.attrs[name] = value
        return self

    def del_prim_attr(self, name: str) -> Primitive:
        """Forgets what `add_prim_attr` noted."""
        delattr(self, name)
        self.attrs.pop(name, None)
        return self

    def init_prim_io_names(self, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """Notes how operands and results are called, as `input_names` and `output_names`."""
        self.add_prim_attr("input_names", list(inputs))
        self.add_prim_attr("output_names", list(outputs))

    def set_prim_instance_name(self, name: str) -> Primitive:
        """Notes how the object is called, as `instance_name`."""
        self.instance_name = name
        return self

    def set_device(self, device_target: str) -> Primitive:
        """Says which device computes it: there is only "CPU"."""
        if device_target != "CPU":
            raise located(ValueError(f"{self.name}.set_device: device_target must be 'CPU', got {device_target!r}"))
        return self.add_prim_attr("primitive_target", device_target)

    def set_stage(self, stage: int) -> Primitive:
        """Says in which stage of a pipeline it is: there is only 0."""
        if stage != 0:
            raise located(ValueError(f"{self.name}.set_stage: stage must be 0 in one process, got {stage!r}"))
        return self.add_prim_attr("stage", stage)

    def shard(self, in_strategy: Any = None, out_strategy: Any = None) -> Primitive:
        """Says how several devices should share the work; there is one, which does it all."""
        return self

    def recompute(self, mode: bool = True) -> Primitive:
        """As `Cell.recompute`: what is kept for the backward pass is the compiler's choice."""
        return self

    def __repr__(self) -> str:
        shown = ", ".join(f"{a}={getattr(self, a)}" for a in self.attributes)
        return f"Prim[{self.name}]<{shown}>" if shown else f"Prim[{self.name}]"


class PrimitiveWithInfer(Primitive):
    """What programs derive operations of other devices from, which say how shapes and types follow."""


class PrimitiveWithCheck(Primitive):
    """What programs derive operations of other devices from, which check shapes and types."""


def prim_attr_register(fn: Callable[..., None]) -> Callable[..., None]:
    """Has the `__init__` of a `Primitive` note its arguments by `add_prim_attr` before it does what it does."""
    signature = inspect.signature(fn)

    @functools.wraps(fn)
    def __init__(self: Primitive, *args: Any, **kwargs: Any) -> None:  # noqa: N807 (becomes a method)
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        Primitive.__init__(self)
        arguments = dict(list(bound.arguments.items())[1:])
        for name, value in arguments.items():
            self.add_prim_attr(name, value)
        self.attributes = tuple(arguments)
        fn(self, *args, **kwargs)

    return __init__


def _get_cache_prim(cls: type[Primitive]) -> Callable[..., Primitive]:
    """What makes objects of a class of operations; programs that call it in every step keep them in MindSpore."""
    return cls


# Rows of tables


Row = tuple[dict[str, Any], Callable[..., Any]]
"""The attributes of a class, and what a call runs."""

PRIMITIVES: dict[str, type[Primitive]] = {}
"""The classes that `graphc.ops` offers, by name."""


def enter(plain: Mapping[str, str], rows: Mapping[str, Row]) -> None:
    """Adds classes to `PRIMITIVES`: those that are functions of `graphc.ops`, by their names, and those with rows."""
    PRIMITIVES.update((name, _class_of(name, {}, _call_of(function_name))) for name, function_name in plain.items())
    PRIMITIVES.update((name, _class_of(name, *row)) for name, row in rows.items())


def _class_of(name: str, attributes: dict[str, Any], call: Callable[..., Any]) -> type[Primitive]:
    """The class of a row of the table. An attribute whose default is `REQUIRED` must be given."""
    parameters = [
        inspect.Parameter(a, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=d) for a, d in attributes.items()
    ]
    signature = inspect.Signature(parameters)

    def __init__(self: Primitive, *args: Any, **kwargs: Any) -> None:  # noqa: N807 (becomes a method)
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise located(TypeError(f"{name}: {error}")) from None
        bound.apply_defaults()
        self.name = name
        vars(self).update(bound.arguments)

    def __call__(self: Primitive, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 (becomes a method)
        return call(self, *args, **kwargs)

    members = {
        "__init__": __init__, "__call__": __call__, "__doc__": f"`{name}` of MindSpore's older API.",
        "attributes": tuple(attributes), "__signature__": signature,
        "__module__": "graphc.ops",  # where pickle finds it
    }  # fmt: skip
    return type(name, (Primitive,), members)


def _call_of(function_name: str) -> Callable[..., Any]:
    def call(self: Primitive, *args: Any, **kwargs: Any) -> Any:
        return function(function_name)(*args, **kwargs)

    return call


# What rows are written with


def function(name: str) -> Callable[..., Any]:
    """The function of `graphc.ops` of that name, as programs call it."""
    found: Callable[..., Any] = getattr(import_module("graphc.ops"), name)
    return found


def only(self: Any, attribute: str, value: Any) -> None:
    """Refuses an attribute's other values."""
    if getattr(self, attribute) != value:
        given = getattr(self, attribute)
        raise located(ValueError(f"{self.name}: {attribute} must be {value!r}, got {given!r}"))


def seed_of(high: int, low: int) -> int | None:
    """The seed of a random class: its two numbers together, or the global one if both are 0."""
    return (int(high) << 32) + int(low) if high or low else None
