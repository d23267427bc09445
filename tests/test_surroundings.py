"""What traced code comes to from outside: when that changes, it is traced again; when nothing does, it is not."""

from __future__ import annotations

import copy
import dataclasses
import functools
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import graphc as ms
from graphc import Tensor, nn, ops
from graphc.jit import Jitted

X = ops.ones(2)


class Thing:
    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)

    def times(self, x: Tensor) -> Tensor:
        return x * self.k


@dataclasses.dataclass
class Config:
    k: float = 2.0


class Implied(Thing):
    """Its methods are come to without their names."""

    def __call__(self, x: Tensor) -> Tensor:
        return x * self.k

    def __getitem__(self, x: Tensor) -> Tensor:
        return x * self.k

    def __rmatmul__(self, x: Any) -> Any:
        return x * self.k


class Net(nn.Cell):
    def __init__(self, construct: Callable[..., Tensor], **attributes: Any) -> None:
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)


def net(construct: Callable[..., Tensor], **attributes: Any) -> Net:
    """A Cell of a class of its own."""
    kind = type("Own", (Net,), {"construct": construct, "help": lambda self, x: x * self.o.k, "__module__": __name__})
    return kind(construct, **attributes)  # type: ignore[no-any-return]


Case = tuple[Callable[..., Any], Callable[[], Any]]
"""A function of X that returns 2 * X, and what makes that 3 * X."""


def module_attribute() -> Case:
    return lambda x: x * settings.K, lambda: setattr(settings, "K", 3.0)


def module_function() -> Case:
    return lambda x: settings.f(x), lambda: setattr(settings, "K", 3.0)


def module_class() -> Case:
    return lambda x: x * settings.Class.k, lambda: setattr(settings.Class, "k", 3.0)


def object_in_a_list() -> Case:
    things = [Thing(k=2.0)]
    return lambda x: x * things[0].k, lambda: setattr(things[0], "k", 3.0)


def object_in_a_dict() -> Case:
    things = {"a": (Thing(k=2.0),)}
    return lambda x: x * things["a"][0].k, lambda: setattr(things["a"][0], "k", 3.0)


def tensor_in_a_list() -> Case:
    things: list[Any] = [ops.ones(2) * 2, 1]
    return lambda x: x * things[0], lambda: things.__setitem__(0, ops.ones(2) * 3)


def function_in_a_dict() -> Case:
    things: dict[str, Any] = {"f": lambda x: x * 2.0}
    return lambda x: things["f"](x), lambda: things.update(f=lambda x: x * 3.0)


def default_argument() -> Case:
    thing = Thing(k=2.0)

    def function(x: Tensor, thing: Thing = thing) -> Tensor:
        return x * thing.k

    return function, lambda: setattr(thing, "k", 3.0)


def partial_argument() -> Case:
    thing = Thing(k=2.0)
    return functools.partial(lambda x, thing: x * thing.k, thing=thing), lambda: setattr(thing, "k", 3.0)


def nested_objects() -> Case:
    thing = Thing(inner=types.SimpleNamespace(inner=Config()))
    return lambda x: x * thing.inner.inner.k, lambda: setattr(thing.inner.inner, "k", 3.0)


def object_replaced() -> Case:
    thing = Thing(inner=Config())
    return lambda x: x * thing.inner.k, lambda: setattr(thing, "inner", Config(3.0))


def method_of_an_object() -> Case:
    thing = Thing(k=2.0)
    return lambda x: thing.times(x), lambda: setattr(thing, "k", 3.0)


def called_object() -> Case:
    thing = Implied(k=2.0)
    return lambda x: thing(x), lambda: setattr(thing, "k", 3.0)


def attribute_of_the_class() -> Case:
    thing = Config()
    del thing.k  # what is read is that of the class, until the object has one
    return lambda x: x * thing.k, lambda: setattr(thing, "k", 3.0)


def indexed_object() -> Case:
    thing = Implied(k=2.0)
    return lambda x: thing[x], lambda: setattr(thing, "k", 3.0)


def operator_of_an_object() -> Case:
    things = [Implied(k=2.0)]
    return lambda x: x * (1.0 @ things[0]), lambda: setattr(things[0], "k", 3.0)


def bound_method() -> Case:
    thing = Thing(k=2.0)
    return thing.times, lambda: setattr(thing, "k", 3.0)


def cell_with_an_object() -> Case:
    cell = net(lambda self, x: self.o.times(x), o=Thing(k=2.0))
    return cell, lambda: setattr(cell.o, "k", 3.0)


def cell_with_a_helper() -> Case:
    cell = net(lambda self, x: self.help(x), o=Thing(k=2.0))
    return cell, lambda: setattr(cell.o, "k", 3.0)


def cell_with_objects_in_a_list() -> Case:
    cell = net(lambda self, x: functools.reduce(lambda y, o: y * o.k, self.objects, x), objects=[Config(), Config(1.0)])
    return cell, lambda: setattr(cell.objects[0], "k", 3.0)


def cell_with_tensors_in_a_list() -> Case:
    cell = net(lambda self, x: x * self.tensors[0], tensors=[ops.ones(2) * 2])
    return cell, lambda: cell.tensors.__setitem__(0, ops.ones(2) * 3)


CASES = {
    case.__name__: case
    for case in (
        module_attribute, module_function, module_class, object_in_a_list, object_in_a_dict, tensor_in_a_list,
        function_in_a_dict, default_argument, partial_argument, nested_objects, object_replaced, method_of_an_object,
        called_object, attribute_of_the_class, indexed_object, operator_of_an_object, bound_method,
        cell_with_an_object, cell_with_a_helper, cell_with_objects_in_a_list, cell_with_tensors_in_a_list,
    )
}  # fmt: skip


@pytest.fixture(autouse=True)
def settings(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module of the program's."""
    file = tmp_path / "settings_of_a_test.py"
    file.write_text("K = 2.0\ndef f(x):\n    return x * K\nclass Class:\n    k = 2.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__("settings_of_a_test")
    monkeypatch.setitem(globals(), "settings", module)
    yield module
    del sys.modules["settings_of_a_test"]


@pytest.mark.parametrize("name", CASES)
def test_what_code_comes_to_is_read_anew_when_it_changes(name: str) -> None:
    ms.set_context(mode=ms.GRAPH_MODE)
    function, change = CASES[name]()
    compiled = function._compiled if isinstance(function, nn.Cell) else ms.jit(function)
    assert isinstance(compiled, Jitted)
    for _ in range(3):
        assert compiled(X).tolist() == [2.0, 2.0]
    assert [len(kept) for kept in compiled._kept.values()] == [1]
    change()
    for _ in range(3):
        assert compiled(X).tolist() == [3.0, 3.0]
    assert [len(kept) for kept in compiled._kept.values()] == [2]


def test_what_a_cell_itself_keeps_is_not_looked_at_in_every_call() -> None:
    cell = net(lambda self, x: next(inner(x) for inner in self.cells()), inner=nn.Dense(2, 2))
    ms.set_context(mode=ms.GRAPH_MODE)
    cell(ops.ones((1, 2)))
    (compiled,) = cell._compiled.cache.values()
    assert not compiled.traced.surroundings._content


def test_what_only_the_program_around_it_changes_does_not_count() -> None:
    class Trainer:
        def __init__(self) -> None:
            self.net, self.scale, self.step, self.losses = nn.Dense(2, 2), 2.0, 0, list[float]()

        def forward(self, x: Tensor) -> Tensor:
            return (self.net(x) * self.scale).sum()

    trainer = Trainer()
    forward = ms.jit(trainer.forward)
    for step in range(4):
        trainer.losses.append(float(forward(ops.ones((1, 2)))))
        trainer.step = step
    assert [len(kept) for kept in forward._kept.values()] == [1]


class Settings(dict[str, Any]):
    """A dict whose items are attributes, and which makes one of any name that it is asked for."""

    def __getattr__(self, name: str) -> Any:
        return self.setdefault(name, Settings())

    def __deepcopy__(self, memo: Any) -> Settings:
        return Settings({name: copy.deepcopy(value, memo) for name, value in self.items()})


def test_an_object_that_answers_to_any_name_may_be_kept_and_its_items_count() -> None:
    class Net(nn.Cell):
        def __init__(self, settings: Settings) -> None:
            super().__init__()
            self.settings = settings

        def construct(self, x: Tensor) -> Tensor:
            return x * self.settings.head.scale

    ms.set_context(mode=ms.GRAPH_MODE)
    settings = Settings(head=Settings(scale=3))
    net = Net(settings)
    assert net(X).tolist() == [3.0, 3.0]
    settings.head["scale"] = 5
    assert net(X).tolist() == [5.0, 5.0]


def test_an_object_whose_class_names_no_module_may_be_kept() -> None:
    kind = type("Made", (Thing,), {})
    kind.__module__ = None  # type: ignore[assignment]  # as SymPy's functions
    cell = net(lambda self, x: x * self.o.k, o=kind(k=2.0))
    ms.set_context(mode=ms.GRAPH_MODE)
    assert cell(X).tolist() == [2.0, 2.0]
    cell.o.k = 3.0
    assert cell(X).tolist() == [3.0, 3.0]
