"""What a traced function reads from outside: the graph was made from it, so it must be what it was.

    config = {"scale": 2.0}            # a dict of plain values
    FACTOR = 3                         # a global

    @jit
    def f(x):
        return x * config["scale"] * FACTOR

When either changes, the graph of `f` no longer holds, and `f` is traced again; likewise when a variable refers to
another object (a Tensor, a Cell, a function) than before. Everything that the code can reach by its variables counts:
the functions and methods that it calls, the items of lists and dicts, and those attributes of the program's objects,
classes and modules whose names are in the code, or which it comes to without them (`__call__`). A count that only the
surrounding program reads may change.

Not seen are attributes whose names are not in the code (`getattr(x, name)`), and the content of large containers.
"""

from __future__ import annotations

import copy
import dis
import functools
import inspect
import weakref
from collections.abc import Callable, Iterator
from operator import attrgetter, is_
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from graphc.place import is_users
from graphc.tensor import Tensor

Finder = Callable[[], Any]
"""Returns where a variable is: a dict of globals or attributes, a class, or a closure's cell; None if that is gone."""

_PLAIN = (bool, int, float, str, bytes, type(None))
_GONE = object()

MOST_ITEMS, MOST_ELEMENTS = 1_000, 100_000
"""The most items of a container, and elements of an array, whose content is compared."""

MOST_OBJECTS = 100
"""The most items of a container of which it is compared which objects they are."""

MOST_SEEN = 10_000
"""After so many values that code can reach, no more are looked for."""


class Surroundings:
    """What variables, attributes and containers that code can come to held when they were noted."""

    def __init__(self) -> None:
        # What is traced must not be kept meanwhile: of a variable it is noted how to find it, and which object it was
        self._variables: dict[tuple[int, str], tuple[Finder, str, Any]] = {}
        self._objects: dict[tuple[int, str], tuple[Finder, str, Any]] = {}
        self._contents: dict[int, tuple[Any, Any]] = {}
        self._items: dict[int, tuple[Any, list[Any]]] = {}
        self._methods: dict[type, dict[str, FunctionType]] = {}
        self._functions: dict[int, Callable[[], Any]] = {}  # from where nothing is left to be noted
        self._names: dict[type, set[str]] = {}  # that the code of a class of Cells reads
        # The same as lists, once all is noted
        self._named: list[tuple[Callable[..., Any], str, Any]] = []
        self._cells: list[tuple[CellType, Any]] = []
        self._held: list[tuple[Any, Any]] = []
        self._held_items: list[tuple[Any, list[Any]]] = []
        self._content = False  # whether there are any of these
        self._bound: list[tuple[Callable[..., Any], str, Callable[[], Any]]] = []
        self._bound_cells: list[tuple[CellType, Callable[[], Any]]] = []
        self._classes: list[tuple[attrgetter[Any], type, Any]] = []  # with some of their methods

    def note_function(self, function: Callable[..., Any]) -> None:
        """Notes what a function can come to: its variables, attributes of these and of its `self` whose names are in
        its code, and what the functions and methods among them can come to."""
        known = self._functions.get(id(function))
        if known is None or known() is not function:
            self._explore([function], set())
            if not isinstance(function, MethodType):  # an object that lives no longer than this call
                self._functions[id(function)] = _reference(function)

    def note_cell(self, cell: Any) -> None:
        """Notes what the `construct` of a Cell can come to; the Cell itself knows when its attributes are set."""
        kind = type(cell)
        if kind not in self._names:
            self._names[kind] = self._explore([kind], {"construct", *read_by(kind.construct, kind)})
        names = self._names[kind] - _CELLS_OWN
        self._explore([value for name, value in list(vars(cell).items()) if name in names], names)

    def note_argument(self, value: Any, function: Callable[..., Any]) -> None:
        """Notes what a function can come to by an argument: the signature only says which object it is."""
        if isinstance(value, set) or _is_owner(value):
            code = getattr(getattr(function, "__self__", None), "construct", function)
            self._explore([value], set(read_by(code)))

    # Going through what code can come to

    def _explore(self, values: list[Any], names: set[str]) -> set[str]:
        """Notes what can be come to from functions and other values by the names in the functions' code.

        Returns:
            All of these names, with those that were given.
        """
        waiting, owners, seen = list(values), list[Any](), dict[int, Any]()
        noted: set[tuple[int, str]] = set()
        names, scanned = set(names), 0
        while waiting or len(names) > scanned:
            if not waiting:  # there are new names: attributes that did not count before may be among them
                scanned = len(names)
                for owner in owners:
                    waiting += self._attributes(owner, names, noted)
                continue
            value = waiting.pop()
            if id(value) in seen or len(seen) > MOST_SEEN:
                continue
            seen[id(value)] = value
            function = _function_behind(value)
            if function is not None:
                if _is_own(function):
                    names |= read_by(value)
                    waiting += self._variables_of(function)
                if isinstance(value, MethodType):
                    waiting.append(value.__self__)
            elif isinstance(value, functools.partial):
                waiting += [value.func, *value.args, *value.keywords.values()]
            elif isinstance(value, (list, tuple, dict, set, np.ndarray)):
                self._note_content(value)
                waiting += _items(value)
            elif _is_owner(value):
                owners.append(value)
                waiting += self._attributes(value, names, noted)
        return names

    def _variables_of(self, function: FunctionType) -> list[Any]:
        """Notes the globals and the closure's variables that a function reads; returns their values, and defaults."""
        reference = weakref.ref(function)
        found = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        for home, name, value in outer_variables(function):
            self._note(id(home), functools.partial(_home, reference, name), name, value)
            found.append(value)
        return found

    def _attributes(self, owner: Any, names: set[str], noted: set[tuple[int, str]]) -> list[Any]:
        """Notes the attributes of an object, a class or a module that are among `names`; returns their values."""
        found: list[Any] = []
        if isinstance(owner, type):
            read = names | _IMPLICIT
            owned = {name for base in owner.__mro__ if _is_of_program(base) for name in vars(base) if name in read}
            attributes = [(name, getattr(owner, name, _GONE)) for name in owned]
        else:
            attributes = [(name, value) for name, value in list(vars(owner).items()) if name in names]
            found.append(type(owner))
            self._note_absent(owner, names)
        find = _reference(owner)
        for name, value in attributes:
            if (id(owner), name) not in noted:
                noted.add((id(owner), name))
                found.append(value)
                function = _function_behind(value) if isinstance(owner, type) else None
                if function is None:
                    self._note(id(owner), functools.partial(_namespace, find), name, value)
                elif value is function:  # what wraps a function may be another object each time it is asked for
                    self._methods.setdefault(owner, {})[name] = function
        return found

    # Noting

    def _note_absent(self, owner: Any, names: set[str]) -> None:
        """Notes that an object has none of its own of attributes that it has from its class."""
        home, own = functools.partial(_namespace, _reference(owner)), vars(owner)
        for base in filter(_is_of_program, type(owner).__mro__):
            for name in names.intersection(vars(base)).difference(own):
                if _function_behind(vars(base)[name]) is None:
                    self._variables.setdefault((id(owner), name), (home, name, _GONE))

    def _note(self, owner: int, find: Finder, name: str, value: Any) -> None:
        """Notes a variable: its value if that is plain, otherwise which object it stands for."""
        if isinstance(value, (*_PLAIN, tuple)) and is_plain(value):
            self._variables.setdefault((owner, name), (find, name, value))
        elif not isinstance(value, (ModuleType, type, BuiltinFunctionType)):
            self._objects.setdefault((owner, name), (find, name, id(value)))

    def _note_content(self, value: Any) -> None:
        """Notes what an array or a container holds: plain values, or which objects."""
        if id(value) in self._contents or id(value) in self._items or isinstance(value, tuple):
            return
        if isinstance(value, np.ndarray):
            if value.size <= MOST_ELEMENTS:
                self._contents[id(value)] = value, value.copy()
        elif len(value) <= MOST_ITEMS and is_plain(value):
            self._contents[id(value)] = value, copy.deepcopy(value)
        elif len(value) <= MOST_OBJECTS and not isinstance(value, set) and not any(map(_is_stand_in, _items(value))):
            self._items[id(value)] = value, _items(value)

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
        for container, items in self._held_items:
            if not _same_items(container, items):
                return False
        return not self._held or all(_same(container, content) for container, content in self._held)

    def any(self) -> bool:
        """Whether there is anything that could change."""
        return bool(self._content or self._bound or self._bound_cells or self._classes)

    def settle(self) -> None:
        """Leaves out what tracing itself has changed, such as a count of how often that happens: the noting is over."""
        self._held = [noted for noted in self._contents.values() if _same(*noted)]
        self._held_items = [noted for noted in self._items.values() if _same_items(*noted)]
        for find, name, value in self._variables.values():
            home = find()
            if home is not None and _still(home, name, value):
                if isinstance(home, CellType):
                    self._cells.append((home, value))
                else:
                    self._named.append((_getter(home), name, value))
        for find, name, identity in self._objects.values():
            home = find()
            value = _read(home, name) if home is not None else _GONE
            if id(value) != identity:
                continue
            if isinstance(home, CellType):
                self._bound_cells.append((home, _reference(value)))
            else:
                self._bound.append((_getter(home), name, _reference(value)))
        for noted in (self._variables, self._objects, self._contents, self._items, self._functions, self._names):
            noted.clear()  # type: ignore[attr-defined]  # each is a dict
        self._classes = [(attrgetter(*m), kind, attrgetter(*m)(kind)) for kind, m in self._methods.items()]
        self._methods.clear()
        self._content = bool(self._named or self._cells or self._held or self._held_items)


def is_plain(value: Any) -> bool:
    """Whether a value is a number, a string or None, or made of such by tuples, lists, dicts and sets."""
    if isinstance(value, _PLAIN):
        return True
    if isinstance(value, dict):
        return all(is_plain(key) and is_plain(item) for key, item in value.items())
    return isinstance(value, (tuple, list, set, frozenset)) and all(map(is_plain, value))


def _plain_function(function: Any) -> Any:
    """The function itself, of a method or of what wraps it; of any other value the value."""
    plain = function.__func__ if isinstance(function, (MethodType, staticmethod, classmethod)) else function
    return inspect.unwrap(plain) if callable(plain) else plain  # what is none may answer to any name


def _function_behind(attribute: Any) -> FunctionType | None:
    """The function that an attribute of a class runs, if it is a method, a property, or what wraps a function."""
    found = _plain_function(attribute.fget if isinstance(attribute, property) else attribute)
    return found if isinstance(found, FunctionType) else None


def _items(container: Any) -> list[Any]:
    """What a list, tuple or dict holds; arrays and sets hold nothing that code could come to something by."""
    if isinstance(container, dict):
        return list(container.values())
    return list(container) if isinstance(container, (list, tuple)) else []


def _same_items(container: Any, items: list[Any]) -> bool:
    return len(container) == len(items) and all(map(is_, _items(container), items))


def _is_stand_in(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_traced


def _is_own(function: FunctionType) -> bool:
    """Whether it is a function that the program defines."""
    return (function.__module__ or "").partition(".")[0] not in _OTHERS and is_users(function.__code__.co_filename)


def _home(reference: weakref.ref[FunctionType], name: str) -> dict[str, Any] | CellType | None:
    """Where a function's variable is: its closure's cell, or the dict of its globals; None if the function is gone."""
    function = reference()
    if function is None:
        return None
    free = function.__code__.co_freevars
    return (function.__closure__ or ())[free.index(name)] if name in free else function.__globals__


def _reference(value: Any) -> Callable[[], Any]:
    """A function that returns the value, and keeps it only if it must."""
    try:
        return weakref.ref(value)
    except TypeError:  # a list, a number of NumPy's
        return lambda: value


def _is_owner(value: Any) -> bool:
    """Whether it is a class or a module of the program, or an object of such a class, as its settings may be; no Cell,
    which knows itself when an attribute is set, and nothing that was made while it is traced."""
    if isinstance(value, type):
        return _is_of_program(value)
    if isinstance(value, ModuleType):
        file = getattr(value, "__file__", None)
        return value.__name__.partition(".")[0] not in _OTHERS and file is not None and is_users(file)
    kind = type(value)
    if not _is_of_program(kind) or hasattr(kind, "construct") or not hasattr(value, "__dict__"):
        return False
    return not any(map(_is_stand_in, vars(value).values()))


def _is_of_program(kind: type) -> bool:
    """Whether it is a class that the program defines. One that is made by a call may name no module."""
    return (kind.__module__ or "").partition(".")[0] not in _OTHERS


_OTHERS = ("builtins", "graphc", "numpy")

_IMPLICIT = frozenset(
    f"__{name}__" for name in (
        "abs", "add", "bool", "call", "contains", "enter", "exit", "float", "floordiv", "ge", "getattr", "getitem",
        "gt", "index", "int", "invert", "iter", "le", "len", "lt", "matmul", "mod", "mul", "neg", "next", "pos", "pow",
        "radd", "rfloordiv", "rmatmul", "rmod", "rmul", "rpow", "rsub", "rtruediv", "sub", "truediv",
    )
)  # fmt: skip
"""Methods that code comes to without their names."""

_CELLS_OWN = frozenset(("_buffers", "_cells", "_flags", "_hooks", "_params"))
"""Where a Cell itself keeps what it knows."""


def _namespace(find: Callable[[], Any]) -> Any:
    """Where the attributes of an object, a class or a module are; None if it is gone."""
    owner = find()
    return owner if owner is None or isinstance(owner, type) else vars(owner)


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
