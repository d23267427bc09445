"""Noting: the ops of one call in eager mode, recorded as they are called, and run together (`graphc.eager`).

A piece is recognised while it is being noted: a tree holds what was noted before (`graphc.pieces`). A sweep of
gradients follows from the steps before it; where it was noted in that place before, all of it is noted in one go
(`Piece.again`), and no vjp is called. The same holds for functions that only apply ops (`Piece.call`), such as
`ops.softmax`, and for layers that do (`graphc.nn.layer.Layer`); a tape gets its entries when it asks for them.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.autograd import Entry, Tape
from graphc.dispatch import inferred
from graphc.ir import TensorType
from graphc.nested import describe
from graphc.op import TABLE, Op
from graphc.parameter import Parameter
from graphc.pieces import NOTHING, Ending, Root, Step, Stretch, Taped, forest
from graphc.place import user_location
from graphc.state import state
from graphc.tensor import Number, Shared, Tensor, promised

MOST_NOTED = 65_536
"""How many ops are noted before they run, whether or not somebody asks."""

MOST_STRETCHES = 16
"""How many stretches are kept that may follow a step: a number that changes from call to call makes one each time."""


class Mark(NamedTuple):
    """A place in a piece.

    Attributes:
        run: what is being noted, until it runs.
        steps, leaves: how many there are of it.
        looked: how often a value was looked at.
    """

    run: object
    steps: int
    leaves: int
    looked: int


def _place(tensor: Tensor, tensors: list[Tensor]) -> int:
    """Where it is in a list; the list's length if it is not."""
    for place, other in enumerate(tensors):
        if other is tensor:
            return place
    return len(tensors)


class Piece:
    """The ops that were noted and have not run.

    A step is an op that was noted, or a Parameter that was written; steps are numbered from 0. A leaf is a tensor from
    elsewhere. As an operand step n is the number n, and leaf k is ~k, which is below 0. A stretch is the steps of one
    function or of one sweep; where it was noted before, all of it is noted in one go.
    """

    def __init__(self, root: Root, expected: bool = False) -> None:
        self._root, self.expected = root, expected
        self._lock = threading.RLock()  # another thread may ask for a value
        self.looked = 0  # how often a value was looked at
        self.new = False  # whether something ran op by op
        self._clear()

    def _clear(self) -> None:
        self._at: Step = self._root
        self._made: dict[int, weakref.ref[Tensor]] = {}  # what somebody may hold, by the steps' numbers
        self._count = 0  # of the steps
        self._leaves: list[Tensor] = []
        self._known: dict[int, int] = {}  # id of a leaf -> the operand that it is now: itself, or what was written
        self._written: dict[int, int] = {}  # id of a Parameter that was written -> the leaf that it is
        self._tapes: dict[int, weakref.ref[Tape]] = {}  # those that may still ask what was noted at once
        self._turned: list[tuple[weakref.ref[Tensor], Tensor]] = []  # tensors with other values, and those they had
        self._most = MOST_NOTED

    def note(self, op: Op, operands: tuple[Tensor, ...], attrs: dict[str, Any]) -> Tensor:
        """The result of the op, a tensor that has no value yet.

        Raises:
            TypeError, ValueError: from the op's rule.
        """
        with self._lock:
            known, leaves = self._known, len(self._leaves)
            key: list[Any] = [op]
            if attrs:
                key += attrs.items()
            for operand in operands:
                if operand._promise is self:
                    key.append(operand._place)
                else:
                    number = known.get(id(operand))
                    key.append(self._leaf(operand) if number is None else number)
            step = self._at.after.get(tuple(key))
            if step is None:
                try:
                    type_ = inferred(op, operands, attrs)
                except BaseException:
                    self._forget(leaves)
                    raise
                step = self._new(key, op, tuple(map(self._number, operands)), attrs, type_)
            self._at = step
            number = self._count
            tensor = self._promised(number, step.type)
            self._count = number + 1
            if number + 1 >= self._most:
                self.run()
            return tensor

    def mark(self) -> Mark:
        """Where the piece is now."""
        return Mark(self._made, self._count, len(self._leaves), self.looked)

    def again(self, since: Mark, operands: Sequence[Tensor], make: Callable[[], list[Tensor]]) -> list[Tensor]:
        """What `make()` returns; it is not called where it is known to note the steps that it noted before.

        Args:
            since: a mark; what `make` does depends on nothing but the steps since then and on the operands.
            operands: what it reads.
        """
        with self._lock:
            step = self._at
            if self._made is not since.run:  # it has run, and nothing tells what was noted before
                return make()
            key = since.steps, self._origins(operands)
            stretch = step.stretches.get(key)
            if stretch is not None and self._count + stretch.length < self._most:
                found: list[Tensor] = self._noted(stretch, ())
                return found
            here = self.mark()
            found = make()
            step.stretches[key] = self._stretch(here, (), found, None)
            return found

    def call(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], known_as: Hashable = None,
        reads: Sequence[Parameter] = (),
    ) -> Any:
        """What the function returns; it is not called where it is known to note the steps that it noted before.

        Args:
            function: one that applies ops to its arguments, and depends on nothing else but what `known_as` tells.
            known_as: what stands for the function and for what it reads; by default it does so itself.
            reads: Parameters that it may apply ops to as well, each once.
        """
        with self._lock:
            key: list[Any] = [function if known_as is None else known_as]
            tensors: list[Tensor] = []
            if not describe(args, key, tensors, self._told):
                return function(*args, **kwargs)
            if kwargs:
                key += kwargs
                if not describe(tuple(kwargs.values()), key, tensors, self._told):
                    return function(*args, **kwargs)
            if reads:
                self._describe_parameters(reads, key, tensors)
            stretches, known = self._at.stretches, tuple(key)
            stretch = stretches.get(known)
            if stretch is None and known not in stretches and len(stretches) < MOST_STRETCHES:
                return self._learn(known, function, args, kwargs, tensors)
            if stretch is None or self._count + stretch.length >= self._most:
                return function(*args, **kwargs)
            if stretch.writes and self._conflicts(stretch, tensors):
                return function(*args, **kwargs)
            return self._noted(stretch, tensors)

    def _told(self, tensor: Tensor, before: list[Tensor]) -> Hashable:
        """What tells a tensor among arguments from others, after those before it: the number of the step that made it,
        or ~k if it is leaf k. Of one that no step has read only the type matters, and which of the others it also is.
        """
        if tensor._promise is self:
            return tensor._place
        number = self._origin(tensor)
        if number is not None:
            return number
        if tensor._node is not None:
            return None  # the op that reads the stand-in says so
        return type(tensor), tensor.spec, _place(tensor, before)

    def _describe_parameters(self, parameters: Sequence[Parameter], key: list[Any], tensors: list[Tensor]) -> None:
        """Does as `describe` for the Parameters of a layer, which the key names already and which all differ."""
        if Parameter in map(type, tensors):  # one of them may be an argument too
            describe(parameters, key, tensors, self._told)
            return
        written, known = self._written, self._known
        for parameter in parameters:
            number = written.get(id(parameter)) or known.get(id(parameter))  # of leaves, below 0
            key.append(parameter.spec if number is None else number)
        tensors += parameters

    def _learn(
        self, key: Hashable, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
        tensors: list[Tensor],
    ) -> Any:
        """Calls a function, and keeps the steps that it notes."""
        step, here = self._at, self.mark()
        with Tape() as tape:
            value = function(*args, **kwargs)
        stretch = step.stretches[key] = self._stretch(here, tensors, value, tape)
        forest.steps += 1 if stretch is None else len(stretch.entries)
        return value

    def _stretch(self, since: Mark, operands: Sequence[Tensor], value: Any, tape: Tape | None) -> Stretch | None:
        """The steps since then; None if they depend on more than the steps before and the operands.

        Args:
            value: what they make.
            tape: what noted them.
        """
        if since.run is not self._made or since.looked != self.looked:
            return None  # a value was asked for
        count, brought = since.steps, self._leaves[since.leaves :]
        names = {id(tensor): ~k for k, tensor in reversed([*enumerate(operands)])}
        numbers = tuple(leaf for leaf in brought if type(leaf) is Number and id(leaf) not in names)
        names.update((id(number), ~k) for k, number in enumerate(numbers, len(operands)))
        types: dict[int, TensorType] = {}

        def name(tensor: Tensor) -> int:
            if tensor._promise is not self or tensor._place < count:
                return names[id(tensor)]
            types[tensor._place] = tensor.spec
            return tensor._place

        def taped(entry: Entry) -> Taped:
            assert isinstance(entry.op, Op), "functions of ops alone have no derivatives of their own"
            return entry.op, tuple(map(name, entry.operands)), entry.attrs, name(entry.result)

        try:
            writes = tuple((name(self._leaves[~leaf]), leaf, made) for leaf, made in self._writes(count).items())
            return Stretch(
                self._at, self._count - count, numbers, tuple(map(name, brought)), _form(value, name), types,
                writes, tuple({name(t) for t in operands if tape is not None and tape.reads(t)}),
                [] if tape is None else [*map(taped, tape.entries)], [] if tape is None else [*map(taped, tape.before)],
            )  # fmt: skip
        except KeyError:  # a tensor from elsewhere, or a value that is none
            return None

    def _writes(self, since: int) -> dict[int, int]:
        """The leaves that steps wrote since there were so many, and what was written last to each."""
        writes: dict[int, int] = {}
        step = self._at
        for _ in range(self._count - since):
            if step.op is None:
                leaf, value = step.operands
                writes.setdefault(leaf, value)  # the last one comes first
            assert step.before is not None
            step = step.before
        return writes

    def _origins(self, tensors: Sequence[Tensor]) -> tuple[Hashable, ...]:
        """For each tensor the number of the step that made it, or ~k if it is leaf k.

        Of those that no step has read only the type matters, and which of them are the same tensor.
        """
        origins: list[Hashable] = list(map(self._origin, tensors))
        if None in origins:
            first: dict[int, int] = {}
            for k, tensor in enumerate(tensors):
                if origins[k] is None:
                    origins[k] = tensor.spec, first.setdefault(id(tensor), k)
        return tuple(origins)

    def _origin(self, tensor: Tensor) -> int | None:
        if tensor._promise is self:
            return tensor._place
        leaf = self._written.get(id(tensor))
        return self._known.get(id(tensor)) if leaf is None else leaf

    def _conflicts(self, stretch: Stretch, operands: Sequence[Tensor]) -> bool:
        """Whether a tape has read a Parameter that the stretch writes: only `assign` keeps its value for the tape."""
        return any(tape.reads(operands[~name]) for name, _, _ in stretch.writes for tape in state.now.tapes)

    def _noted(self, stretch: Stretch, operands: Sequence[Tensor]) -> Any:
        """Notes the steps of a stretch in one go; what they make."""
        known, leaves, given = self._known, self._leaves, operands
        if stretch.numbers:
            given = (*operands, *stretch.numbers)
        for name in stretch.leaves:
            leaf = given[~name]
            known[id(leaf)] = ~len(leaves)
            leaves.append(leaf)
        for name, place, number in stretch.writes:
            target = id(given[~name])
            self._written[target], known[target] = place, number
        self._at = stretch.last
        self._count += stretch.length
        if stretch.entries:
            for tape in state.now.tapes:
                known_tape = self._tapes.get(id(tape))
                if known_tape is None or known_tape() is not tape:
                    self._tapes[id(tape)] = weakref.ref(tape)
                tape.recall(_Recalled(self, stretch, given), [given[~name] for name in stretch.reads])
        form = stretch.value
        if type(form) is int and form >= 0:  # one tensor, as a rule, that nobody can have yet
            return self._promised(form, stretch.types[form])
        return self._value(stretch, form, given)

    def _promised(self, number: int, type_: TensorType) -> Tensor:
        """A tensor for what a step makes."""
        tensor = promised(type_, self, number)
        self._made[number] = weakref.ref(tensor)
        return tensor

    def _value(self, stretch: Stretch, form: Any, given: Sequence[Tensor]) -> Any:
        if form is None:
            return None
        if type(form) is not int:
            return form[0]([self._value(stretch, item, given) for item in form[1:]])
        return given[~form] if form < 0 else self._result(form, stretch.types[form])

    def _result(self, number: int, type_: TensorType) -> Tensor:
        """What a step that was noted makes."""
        found = self._made.get(number)
        tensor = found() if found is not None else None
        return self._promised(number, type_) if tensor is None else tensor

    def entries(self, stretch: Stretch, given: Sequence[Tensor]) -> tuple[list[Entry], list[Entry]]:
        """The entries on a tape of steps that were noted in one go."""

        def tensor(name: int) -> Tensor:
            return given[~name] if name < 0 else self._result(name, stretch.types[name])

        def entry(taped: Taped) -> Entry:
            op, names, attrs, result = taped
            return Entry(op, tuple(map(tensor, names)), attrs, tensor(result))

        return [*map(entry, stretch.entries)], [*map(entry, stretch.before)]

    def value_of(self, parameter: Parameter) -> Tensor:
        """What the Parameter holds now, whatever is written to it later."""
        return self.note(TABLE["identity"], (parameter,), {})

    def write(self, target: Parameter, value: Tensor) -> None:
        """Notes that the Parameter holds `value` from here on."""
        with self._lock:
            key: list[Any] = [None]
            for tensor in (target, value):
                if tensor._promise is not self and id(tensor) not in self._known:
                    key.append(self._leaf(tensor))
            leaf, number = self._written.get(id(target), self._number(target)), self._number(value)
            key += (leaf, number)
            step = self._at.after.get(tuple(key))
            self._at = step or self._new(key, None, (leaf, number), {}, NOTHING)
            self._count += 1
            self._written[id(target)], self._known[id(target)] = leaf, number

    def turned(self, tensor: Tensor, changed: Tensor) -> bool:
        """Makes a tensor stand for another value without running what was noted; whether it could."""
        with self._lock:
            if type(tensor) is not Tensor or tensor._node is not None:
                return False
            if tensor._promise is not None and tensor._promise is not self:
                return False
            value = self.note(TABLE["identity"], (changed,), {})  # of which nobody else has the tensor
            if value._promise is not self:
                return False
            self.looked += 1  # no stretch does this again
            if tensor._promise is self:
                del self._made[tensor._place]
            else:
                before = Tensor.__new__(Tensor)
                before._take(tensor)
                self._turned.append((weakref.ref(tensor), before))
                number = self._known.pop(id(tensor), None)
                if number is not None:
                    self._known[id(before)], self._leaves[~number] = number, before
            tensor._take(value)
            self._made[value._place] = weakref.ref(tensor)
            return True

    def renamed(self, tensor: Tensor, changed: Tensor) -> Tensor | None:
        """As `turned`, where tapes have noted the tensor: what has its value from here on; None if that cannot be."""
        with self._lock:
            if type(tensor) is not Tensor or tensor._promise is not self or changed._promise is not self:
                return None
            self.looked += 1
            self._recall_all()  # while the tensor has the value that was noted
            before = Tensor.__new__(Tensor)
            for new, value in ((before, tensor), (tensor, changed)):
                new._take(value)
                self._made[new._place] = weakref.ref(new)
            return before

    def _number(self, tensor: Tensor) -> int:
        """The number that a known tensor is as an operand."""
        return tensor._place if tensor._promise is self else self._known[id(tensor)]

    def _leaf(self, tensor: Tensor) -> Hashable:
        """Adds a leaf; what it adds to the key of the step that reads it first: pieces are alike if it is the same."""
        if tensor._node is not None:
            tensor.numpy_view()  # says that it is a stand-in
        self._known[id(tensor)] = ~len(self._leaves)
        self._leaves.append(tensor)
        if type(tensor) is Shared:
            self._most = 0
        return type(tensor), tensor.spec.shape, tensor.spec.dtype

    def _forget(self, leaves: int) -> None:
        """Takes back all but the first leaves."""
        for leaf in self._leaves[leaves:]:
            del self._known[id(leaf)]
        del self._leaves[leaves:]

    def _new(
        self, key: list[Any], op: Op | None, operands: tuple[int, ...], attrs: dict[str, Any], type_: TensorType
    ) -> Step:
        """A step that comes here for the first time."""
        forest.steps += 1
        return self._at.after.setdefault(tuple(key), Step(self._at, op, operands, attrs, type_, user_location()))

    def fulfil(self, tensor: Tensor) -> None:
        """Gives a tensor that the piece made its value."""
        self.run()

    def run(self) -> None:
        """Runs what was noted, as far as somebody holds its results or Parameters are written.

        Raises:
            IndexError: an index read from data is out of range. Parameters are as before.
        """
        with self._lock:
            if not self._count:
                return
            self._recall_all()  # tapes need the values
            alive = [(number, tensor) for number, made in self._made.items() if (tensor := made()) is not None]
            alive.sort()
            last, leaves, results = self._at, self._leaves, tuple([number for number, _ in alive])
            turned = self._turned
            idle = not alive and not self._written
            self._clear()
            if idle:
                return
            ending = last.endings.get(results)
            if ending is None:
                ending = last.endings[results] = Ending(self._root, last, results)
                forest.steps += len(ending.steps)
            now = state.now
            outer, now.trace = now.trace, None
            try:
                values, compiled = ending.run(leaves, self.expected)
            except BaseException as error:
                for _, tensor in alive:
                    tensor._promise = _Failed(error)
                for ref, before in reversed(turned):
                    if (tensor_now := ref()) is not None:
                        tensor_now._take(before)
                raise
            finally:
                now.trace = outer
            self.new = self.new or not compiled
            for (_, tensor), value in zip(alive, values, strict=True):
                tensor.keep(value)

    def _recall_all(self) -> None:
        """Makes the entries of what tapes noted in one go."""
        for known_tape in self._tapes.values():
            if (tape := known_tape()) is not None:
                tape.recall_all()

    def abandon(self) -> None:
        """Runs what somebody holds, after an error: Parameters that have not been written yet stay as they are."""
        with self._lock:
            if not any(made() is not None for made in self._made.values()):
                self._clear()
                return
            written = [leaf for leaf in self._leaves if id(leaf) in self._written]
            kept = [(leaf, leaf.numpy_view().copy()) for leaf in written]
            with contextlib.suppress(Exception):  # whoever asks for such a result is told why
                self.run()
            for leaf, value in kept:
                np.copyto(leaf.numpy_view(), value)


def _form(value: Any, name: Callable[[Tensor], int]) -> Any:
    """How a value is made of named tensors: a name, None, or (tuple or list, *forms).

    Raises:
        KeyError: it is none of these, or has a tensor without a name.
    """
    if isinstance(value, Tensor):
        return name(value)
    if value is None:
        return None
    if type(value) not in (tuple, list):
        raise KeyError(value)
    return type(value), *[_form(item, name) for item in value]


class _Recalled:
    """What a tape has noted of a stretch; entries are made when it is asked for them."""

    __slots__ = ("_given", "_made", "_piece", "_stretch")

    def __init__(self, piece: Piece, stretch: Stretch, given: Sequence[Tensor]) -> None:
        self._piece, self._stretch, self._given = piece, stretch, given
        self._made: tuple[list[Entry], list[Entry]] | None = None

    def recall(self) -> tuple[list[Entry], list[Entry]]:
        with self._piece._lock:  # another thread may ask
            if self._made is None:
                self._made = self._piece.entries(self._stretch, self._given)
            return self._made

    @property
    def assigns(self) -> bool:
        return bool(self._stretch.before)


class _Failed:
    """The promise of a tensor whose piece could not run."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def fulfil(self, tensor: Tensor) -> None:
        raise self.error
