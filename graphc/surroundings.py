"""What a traced function reads from outside: it is part of what its graph was made from.

    config = {"scale": 2.0}            # a dict of plain values
    FACTOR = 3                         # a global

    @jit
    def f(x):
        return x * config["scale"] * FACTOR

When either changes, the graph of `f` no longer holds, and `f` is traced again; so it is when a variable stands for
another object (a Tensor, a Cell, a function) than it did. Of a Cell, and of other objects and classes, this is
said of the attributes whose names are in the code: a count that only the program around the Cell reads may change.
"""

from __future__ import annotations

import copy
import dis
import functools
import inspect
import weakref
from collections.abc import Callable, Iterator
from operator import attrgetter
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

_PLAIN = (bool, int, float, str, bytes, type(None))
_GONE = object()

MOST_ITEMS, MOST_ELEMENTS = 1_000, 100_000
"""Of how many items a container, and of how many elements an array, may be for its content to be compared."""


class Surroundings:
    """What variables, lists, dicts, sets and arrays of plain values held when they were noted."""

    def __init__(self) -> None:
        self._variables: dict[tuple[int, str], tuple[Any, str, Any]] = {}
        self._contents: dict[int, tuple[Any, Any]] = {}
        # Which object a variable of a function stands for: by its id, as what is traced must not be kept meanwhile
        self._objects: dict[tuple[int, str], tuple[weakref.ref[Any], str, int]] = {}
        self._functions: dict[int, weakref.ref[Any]] = {}
        self._methods: dict[type, dict[str, FunctionType]] = {}
        # The same as lists, once all is noted
        self._named: list[tuple[Callable[..., Any], str, Any]] = []
        self._cells: list[tuple[CellType, Any]] = []
        self._held: list[tuple[Any, Any]] = []
        self._content = False  # whether there are any of these
        self._bound: list[tuple[Callable[..., Any], str, Callable[[], Any]]] = []
        self._bound_cells: list[tuple[CellType, Callable[[], Any]]] = []
        self._classes: list[tuple[attrgetter[Any], type, Any]] = []  # with some of their methods

    def note_function(self, function: Callable[..., Any]) -> None:
        """Notes what a function reads: globals, the closure's variables, attributes of these and of its `self`; and
        what the functions among them read."""
        inner = _plain_function(function)
        if isinstance(inner, FunctionType):
            known = self._functions.get(id(inner))
            if known is not None and known() is inner:
                return
            self._functions[id(inner)] = weakref.ref(inner)
        names = read_by(function)
        for home, name, value in outer_variables(function):
            self._note(home, name, value, names)
            self._note_object_of(inner, home, name, value)
        self.note_object(getattr(function, "__self__", None), names)

    def note_cell(self, cell: Any) -> None:
        """Notes what the `construct` of a Cell reads; the Cell itself knows when its attributes are set."""
        names = read_by(type(cell).construct, type(cell))
        for name, value in vars(cell).items():
            if name in names:
                self._note_content(value)
                self.note_object(value, names)
        self._note_class(type(cell), names | {"construct"})

    def note_argument(self, value: Any, function: Callable[..., Any]) -> None:
        """Notes what a function reads of an argument: the signature only says which object it is."""
        if isinstance(value, set):
            self._note_content(value)
        self.note_object(value, read_by(getattr(getattr(function, "__self__", None), "construct", function)))

    def note_object(self, value: Any, names: frozenset[str]) -> None:
        """Notes those of the attributes of an object or class of the program's own that are among `names`."""
        if isinstance(value, type):
            self._note_class(value, names)
        elif _is_own_object(value):
            for name, held in list(vars(value).items()):
                if name in names:
                    self._note(vars(value), name, held, frozenset())
            self._note_class(type(value), names)

    def _note_class(self, kind: type, names: frozenset[str]) -> None:
        """Notes the attributes of a class of the program's own that are among `names`, and what its methods read."""
        for base in kind.__mro__:
            if _is_of_program(base):
                for name in names.intersection(vars(base)):
                    self._note_attribute(kind, name, getattr(kind, name, _GONE))

    def _note_attribute(self, kind: type, name: str, value: Any) -> None:
        function = _function_behind(value)
        if function is None:
            self._note(kind, name, value, frozenset())
            return
        if value is function:  # what wraps a function may be another object each time it is asked for
            self._methods.setdefault(kind, {})[name] = function
        self.note_function(function)

    def _note(self, home: Any, name: str, value: Any, names: frozenset[str]) -> None:
        if isinstance(value, (*_PLAIN, tuple)) and is_plain(value):
            self._variables.setdefault((id(home), name), (home, name, value))
        self._note_content(value)
        self.note_object(value, names)

    def _note_object_of(self, function: Any, home: Any, name: str, value: Any) -> None:
        """Notes which object a variable of a function of the program's own stands for."""
        if _is_own(function) and not isinstance(value, (ModuleType, type, BuiltinFunctionType, *_PLAIN)):
            self._objects.setdefault((id(home), name), (weakref.ref(function), name, id(value)))
            if isinstance(value, FunctionType) and _is_own(value):
                self.note_function(value)

    def _note_content(self, value: Any) -> None:
        if isinstance(value, np.ndarray):
            noted = value.size <= MOST_ELEMENTS
        else:
            noted = isinstance(value, (list, dict, set)) and len(value) <= MOST_ITEMS and is_plain(value)
        if noted and id(value) not in self._contents:
            self._contents[id(value)] = value, copy.deepcopy(value)

    def unchanged(self) -> bool:
        """Whether all is as it was noted; asked before every call of a compiled function, so written for speed."""
        try:
            for cell, reference in self._bound_cells:
                if cell.cell_contents is not reference():
                    return False
            for get, name, reference in self._bound:
                if get(name) is not reference():
                    return False
            for methods_of, kind, methods in self._classes:
                if methods_of(kind) != methods:
                    return False
        except (ValueError, AttributeError):  # a variable, or an attribute of a class, that was deleted
            return False
        return not self._content or self._content_unchanged()

    def _content_unchanged(self) -> bool:
        for get, name, value in self._named:
            now = get(name, _GONE)
            if now is not value and not _alike(now, value):
                return False
        try:
            for cell, value in self._cells:
                now = cell.cell_contents
                if now is not value and not _alike(now, value):
                    return False
        except ValueError:  # a variable that was deleted
            return False
        return not self._held or all(_same(container, content) for container, content in self._held)

    def any(self) -> bool:
        """Whether there is anything that could change."""
        return bool(self._content or self._bound or self._bound_cells or self._classes)

    def settle(self) -> None:
        """Leaves out what tracing itself has changed, such as a count of how often that happens: the noting is over."""
        self._functions.clear()
        variables = [noted for noted in self._variables.values() if _still(*noted)]
        self._held = [noted for noted in self._contents.values() if _same(*noted)]
        self._named = [(_getter(h), name, value) for h, name, value in variables if not isinstance(h, CellType)]
        self._cells = [(home, value) for home, _, value in variables if isinstance(home, CellType)]
        for ref, name, identity in self._objects.values():
            function = ref()
            home = _home(function, name) if function is not None else None
            value = _read(home, name) if home is not None else _GONE
            if id(value) == identity and isinstance(home, dict):
                self._bound.append((home.get, name, _reference(value)))
            elif id(value) == identity and isinstance(home, CellType):
                self._bound_cells.append((home, _reference(value)))
        self._objects.clear()
        self._classes = [(attrgetter(*m), kind, attrgetter(*m)(kind)) for kind, m in self._methods.items()]
        self._methods.clear()
        self._content = bool(self._named or self._cells or self._held)


def is_plain(value: Any) -> bool:
    """Whether a value is a number, a string or None, or made of such by tuples, lists, dicts and sets."""
    if isinstance(value, _PLAIN):
        return True
    if isinstance(value, dict):
        return all(is_plain(key) and is_plain(item) for key, item in value.items())
    return isinstance(value, (tuple, list, set, frozenset)) and all(map(is_plain, value))


def _plain_function(function: Callable[..., Any]) -> Any:
    """The function itself, of a method or of what wraps it."""
    return inspect.unwrap(getattr(function, "__func__", function))


def _function_behind(attribute: Any) -> FunctionType | None:
    """The function that an attribute of a class runs, if it is a method, a property, or what wraps a function."""
    found = _plain_function(attribute.fget if isinstance(attribute, property) else attribute)
    return found if isinstance(found, FunctionType) else None


def _is_own(function: Any) -> bool:
    """Whether it is a function that the program defines."""
    return isinstance(function, FunctionType) and (function.__module__ or "").partition(".")[0] != "graphc"


def _home(function: FunctionType, name: str) -> dict[str, Any] | CellType | None:
    """Where a function's variable is: its closure's cell, or the dict of its globals."""
    free = function.__code__.co_freevars
    return (function.__closure__ or ())[free.index(name)] if name in free else function.__globals__


def _reference(value: Any) -> Callable[[], Any]:
    """A function that returns the value, and keeps it only if it must."""
    try:
        return weakref.ref(value)
    except TypeError:  # a list, a number of NumPy's
        return lambda: value


def _is_own_object(value: Any) -> bool:
    """Whether a value is an instance of a class that the program defines, such as its settings."""
    kind = type(value)
    if not _is_of_program(kind) or hasattr(kind, "construct"):
        return False
    return hasattr(value, "__dict__") and not isinstance(value, (type, ModuleType))


def _is_of_program(kind: type) -> bool:
    """Whether it is a class that the program defines."""
    return kind.__module__.partition(".")[0] not in ("builtins", "graphc", "numpy")


def _still(home: Any, name: str, value: Any) -> bool:
    now = _read(home, name)
    return now is value or _alike(now, value)


def _alike(now: Any, before: Any) -> bool:
    return type(now) is type(before) and bool(now == before)


def _same(now: Any, before: Any) -> bool:
    if isinstance(before, np.ndarray):
        same_type = now.shape == before.shape and now.dtype == before.dtype
        return same_type and (np.array_equal(now, before) or now.tobytes() == before.tobytes())
    return bool(now == before)


def _getter(home: Any) -> Callable[..., Any]:
    """What returns a variable for its name: of a dict of globals or attributes, or of a class."""
    return functools.partial(getattr, home) if isinstance(home, type) else home.get


def _read(home: Any, name: str) -> Any:
    """The value of a variable now: of a closure's cell its content."""
    if not isinstance(home, CellType):
        return _getter(home)(name, _GONE)
    try:
        return home.cell_contents
    except ValueError:  # not assigned yet
        return _GONE


# What code reads


def outer_variables(function: Callable[..., Any]) -> Iterator[tuple[Any, str, Any]]:
    """The globals and the closure's variables that a plain function reads: where each is, its name, its value."""
    inner = inspect.unwrap(getattr(function, "__func__", function))
    code = getattr(inner, "__code__", None)
    if code is None:
        return
    for name in _globals(code):
        if name in inner.__globals__:
            yield inner.__globals__, name, inner.__globals__[name]
    for name, cell in zip(code.co_freevars, inner.__closure__ or (), strict=True):
        value = _read(cell, name)
        if value is not _GONE:
            yield cell, name, value


@functools.lru_cache(maxsize=4096)
def _globals(code: CodeType) -> frozenset[str]:
    """The names that code, and the functions within, look up as globals."""
    found = {str(i.argval) for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return frozenset(found.union(*(_globals(inner) for inner in _within(code))))


def _within(code: CodeType) -> Iterator[CodeType]:
    return (constant for constant in code.co_consts if isinstance(constant, CodeType))


def read_by(function: Callable[..., Any], kind: type | None = None) -> frozenset[str]:
    """All names in a function's code, and in that of the methods of `kind` (its class) that it names, and so on."""
    inner = inspect.unwrap(getattr(function, "__func__", function))
    owner = getattr(function, "__self__", None)
    code = getattr(inner, "__code__", None)
    return _names(code, kind or type(owner)) if code is not None else frozenset()


@functools.lru_cache(maxsize=4096)
def _names(code: CodeType, kind: type) -> frozenset[str]:
    found: set[str] = set()
    waiting = [code]
    seen: set[CodeType] = set()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        found.update(current.co_names)
        waiting += _within(current)
        methods = (_function_behind(inspect.getattr_static(kind, name, None)) for name in current.co_names)
        waiting += [method.__code__ for method in methods if method is not None]
    return frozenset(found)
