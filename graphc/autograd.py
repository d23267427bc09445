"""Reverse-mode differentiation: a tape of the ops that ran, and the one sweep back over it.

The vjp rules are written with ops. Under a trace the tape holds stand-ins and the sweep records nodes; in eager mode
it holds values and the sweep runs. Nothing else differs, and since a sweep's own ops go onto any outer tape,
derivatives nest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

from graphc.nested import leaves_of, map_leaves, with_leaves
from graphc.op import TABLE, Later, Op
from graphc.parameter import Parameter
from graphc.place import located
from graphc.state import state
from graphc.tensor import Number, Tensor


class Own:
    """In an entry what an op is elsewhere: part of a program that says its derivative itself (`with_vjp`)."""

    takes_parts = False

    def __init__(self, name: str, vjp: Callable[..., Sequence[Tensor | None]]) -> None:
        self.name, self.vjp = name, vjp


class Entry(NamedTuple):
    """An op that ran on tensors, and what it made."""

    op: Op | Own
    operands: tuple[Tensor, ...]
    attrs: dict[str, Any]
    result: Tensor


class Recalled(Protocol):
    """Ops that were noted without being called: their entries are made when somebody asks for them."""

    @property
    def assigns(self) -> bool:
        """Whether Parameters are assigned to that an entry has read."""

    def recall(self) -> tuple[list[Entry], list[Entry]]:
        """The entries, and identities from Parameters to the values that they had before; lists to write to."""


class Tape:
    """While open (`with Tape() as tape`), notes every op that is applied in this thread."""

    def __init__(self) -> None:
        self._noted: list[Any] = []  # the fields of an Entry each, or a Recalled
        self._before: list[Entry | Recalled] = []
        self._reads: dict[int, list[int]] = {}  # id of a Parameter -> what read the value it has now
        self._made = 0  # of how many of those noted all entries are made
        self._renamed: list[tuple[int, Sequence[tuple[Tensor, Tensor]]]] = []  # how many were noted by then, and pairs
        self.own = False  # whether it has entries of `with_vjp`: Python to call in each sweep

    def record(self, op: Op | Own, operands: tuple[Tensor, ...], attrs: dict[str, Any], result: Tensor) -> None:
        for operand in operands:
            if isinstance(operand, Parameter):
                self._reads.setdefault(id(operand), []).append(len(self._noted))
        self._noted.append((op, operands, attrs, result))

    def recall(self, recalled: Recalled, reads: Sequence[Tensor]) -> None:
        """Notes several ops at once.

        Args:
            reads: the Parameters of which they read the value that they have now.
        """
        for parameter in reads:
            self._reads.setdefault(id(parameter), []).append(len(self._noted))
        self._noted.append(recalled)
        if recalled.assigns:
            self._before.append(recalled)

    def recall_all(self) -> None:
        """Makes all entries while their operands can still be had."""
        for item in self._noted[self._made :]:
            if not isinstance(item, tuple):
                item.recall()
        self._made = len(self._noted)

    @property
    def entries(self) -> list[Entry]:
        """The ops, in order."""
        self._rename()
        found: list[Entry] = []
        for item in self._noted:
            if isinstance(item, tuple):
                found.append(Entry(*item))
            else:
                found += item.recall()[0]
        return found

    @property
    def before(self) -> list[Entry]:
        """Identities from Parameters to the values that they had when they were read."""
        found: list[Entry] = []
        for item in self._before:
            if isinstance(item, Entry):
                found.append(item)
            else:
                found += item.recall()[1]
        return found

    def reads(self, parameter: Tensor) -> bool:
        """Whether an entry reads the value that the Parameter has now."""
        return id(parameter) in self._reads

    def assigned(self, parameter: Parameter, before: Tensor) -> None:
        """Puts the value that a Parameter had in the place of the Parameter, which is given another one."""
        for at in self._reads.pop(id(parameter), ()):
            item = self._noted[at]
            if isinstance(item, tuple):
                self._noted[at] = _replaced(Entry(*item), parameter, before)
            else:
                entries = item.recall()[0]
                entries[:] = [_replaced(entry, parameter, before) for entry in entries]
        self._before.append(Entry(TABLE["identity"], (parameter,), {}, before))

    def rename(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Puts other objects in the place of noted ones: an object has come to stand for another value.

        That is done for all such changes at once when entries are asked for, as a program may write to many elements.

        Args:
            pairs: what is noted, and what takes its place.
        """
        self.recall_all()
        for old, _ in pairs:
            self._reads.pop(id(old), None)
        self._renamed.append((len(self._noted), pairs))

    def _rename(self) -> None:
        """Does what `rename` was asked for, from the last change to the first: of each, its pairs hold for what was
        noted before it, and lead to what later changes made of their new objects."""
        new: dict[int, Tensor] = {}
        end = len(self._noted)
        for start, pairs in (*reversed(self._renamed), (0, ())):
            for at in range(start, end):
                self._noted[at] = self._under_names(self._noted[at], new)
            end = start
            new |= [(id(old), new.get(id(by), by)) for old, by in pairs]
        self._renamed.clear()

    def _under_names(self, item: Any, new: dict[int, Tensor]) -> Any:
        """What was noted, with other objects in the place of those whose ids are given."""
        if isinstance(item, tuple):
            op, operands, attrs, result = item
            return op, tuple([new.get(id(o), o) for o in operands]), attrs, new.get(id(result), result)
        entries = item.recall()[0]
        entries[:] = [Entry(*self._under_names(entry, new)) for entry in entries]
        return item

    def result(self, number: int) -> Tensor:
        """The result of the entry with a number, if none before it were noted in one go."""
        self._rename()
        tensor: Tensor = self._noted[number][3]
        return tensor

    def __enter__(self) -> Tape:
        now = state.now
        now.tapes = (*now.tapes, self)
        return self

    def __exit__(self, *error: object) -> None:
        now = state.now
        now.tapes = now.tapes[:-1] if now.tapes[-1] is self else tuple(t for t in now.tapes if t is not self)


class Paused(Tape):
    """An open tape that notes no ops for a while; what it has noted still follows what is assigned to."""

    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self.reads = tape.reads  # type: ignore[method-assign]
        self.assigned = tape.assigned  # type: ignore[method-assign]
        self.rename = tape.rename  # type: ignore[method-assign]

    def record(self, op: Op | Own, operands: tuple[Tensor, ...], attrs: dict[str, Any], result: Tensor) -> None:
        pass

    def recall(self, recalled: Recalled, reads: Sequence[Tensor]) -> None:
        pass


def _replaced(entry: Entry, old: Tensor, new: Tensor) -> Entry:
    """The entry with another tensor in the place of an operand."""
    return entry._replace(operands=tuple(new if operand is old else operand for operand in entry.operands))


def sweep(tape: Tape, outputs: Sequence[Tensor], cts: Sequence[Tensor], sources: Sequence[Tensor]) -> list[Tensor]:
    """The cotangents of `sources`, given those of `outputs`; zeros for a source that no output depends on.

    Contributions to one tensor are added in the reverse of the order in which the program used it; those that are made
    better together (`Later`) are.
    """
    found = contributions(tape, outputs, cts, sources)
    return [total(found[id(s)]) if id(s) in found else _zeros_like(s) for s in sources]


Contributions = list[Tensor | Later]
"""What a tensor's cotangent is the sum of, in the reverse of the order in which the program used it."""


def contributions(
    tape: Tape, outputs: Sequence[Tensor], cts: Sequence[Tensor], sources: Sequence[Tensor], apart: bool = False
) -> dict[int, Contributions]:
    """The contributions to the cotangents of `sources`, by their ids; none for a source that no output depends on.

    Args:
        apart: those to sources are left as they are; else they are added up as early as can be.
    """
    entries, wanted, uses = _between(tape, sources)
    whole = {id(entry.result) for entry in entries if entry.op.takes_parts}
    if apart:
        whole.update(id(source) for source in sources)
    found: dict[int, Contributions] = {}
    for output, given in zip(outputs, cts, strict=True):
        found.setdefault(id(output), []).append(given)
    trace = state.now.trace
    outer = trace.forward if trace is not None else None
    try:
        for entry in reversed(entries):
            assert entry.op.vjp is not None
            parts: Sequence[Any] = (None,) * len(entry.operands)
            if id(entry.result) in found:
                if trace is not None:
                    trace.forward = entry.result._node  # what is recorded now is part of its derivative
                ct: Any = found[id(entry.result)]
                ct = ct if entry.op.takes_parts else _added(ct)
                parts = entry.op.vjp(ct, entry.result, *entry.operands, **entry.attrs)
            for operand, part in zip(entry.operands, parts, strict=True):
                name = id(operand)
                if name in wanted:
                    uses[name] -= 1
                    if part is not None:
                        made = part if isinstance(part, (Tensor, Later, list)) else part()
                        found.setdefault(name, []).extend(made if isinstance(made, list) else [made])
                    if not uses[name] and name in found and name not in whole:
                        _added(found[name])  # as early as can be: what it is made of need not be kept
    finally:
        if trace is not None:
            trace.forward = outer
    return {id(source): found[id(source)] for source in sources if id(source) in found}


def _between(tape: Tape, sources: Sequence[Tensor]) -> tuple[list[Entry], set[int], dict[int, int]]:
    """The entries that lead from `sources`, the ids of all that is on the way, and how many of them read each."""
    wanted = {id(source) for source in sources}
    uses: dict[int, int] = {}
    entries = []
    for entry in (*tape.before, *tape.entries):
        used = [id(o) for o in entry.operands if id(o) in wanted]
        if entry.op.vjp is not None and used:
            entries.append(entry)
            wanted.add(id(entry.result))
            for name in used:
                uses[name] = uses.get(name, 0) + 1
    return entries, wanted, uses


def _added(parts: Contributions) -> Tensor:
    """The sum of contributions, which takes their place."""
    parts[:] = [total(parts)]
    return cast(Tensor, parts[0])


def total(parts: Contributions) -> Tensor:
    """The sum of contributions."""
    alike: dict[Any, list[Later]] = {}
    for part in parts:
        if isinstance(part, Later):
            alike.setdefault(part.kind, []).append(part)
    added: Tensor | None = None
    for part in parts:
        term: Tensor | None
        if isinstance(part, Later):
            group = alike[part.kind]
            joined = group[0].joined(group[::-1]) if len(group) > 1 and group[0] is part else None
            if joined is not None:
                group.clear()  # made with the first
            elif not group:
                continue
            term = joined if joined is not None else part()
        else:
            term = part
        added = term if added is None else TABLE["add"](added, term)
    assert added is not None
    return added


def _zeros_like(tensor: Tensor) -> Tensor:
    return TABLE["broadcast_to"](Number.of(0, tensor.dtype), shape=tensor.shape)


def is_differentiated() -> bool:
    """Whether a tape is open: here, or around a loop or samples that are being recorded."""
    now = state.now
    return bool(now.tapes) or (now.trace is not None and now.trace.taped)


def with_vjp(
    name: str, value: Any, operands: Sequence[Tensor], backward: Callable[..., Sequence[Tensor | None]]
) -> Any:
    """`value` as a function of `operands` whose derivative is `backward`, whatever it was computed by.

    Args:
        name: what errors call it.
        value: a Tensor, or a tuple or list (also nested) of Tensors and other things.
        operands: the tensors that gradients flow on to.
        backward: takes a cotangent for each float Tensor of `value` and returns one for each operand (None: zero; a
            function: what it returns, if somebody asks for it). What it does is differentiated like any other code.
    Returns:
        The same values as other objects.
    """
    now = state.now
    tapes = now.tapes
    if not tapes:
        if is_differentiated():
            assert now.trace is not None
            now.trace.refuse_own_derivative(name)
        return value
    outputs = leaves_of(value)
    floats = [i for i, o in enumerate(outputs) if isinstance(o, Tensor) and o.dtype.is_inexact]
    now.tapes = ()  # how the value came about is not to be differentiated
    try:
        for i in floats:
            outputs[i] = TABLE["identity"](outputs[i])
    finally:
        now.tapes = tapes
    results = [outputs[i] for i in floats]
    entries = _own_entries(name, tuple(operands), results, backward) if results else []
    for tape in tapes:
        tape.own = True
        for entry in entries:
            tape.record(*entry)
    return with_leaves(value, iter(outputs))


def _own_entries(
    name: str, operands: tuple[Tensor, ...], results: Sequence[Tensor],
    backward: Callable[..., Sequence[Tensor | None]],
) -> list[Entry]:
    """What a tape notes of results whose derivative is `backward`.

    Several are parts of one joint value, so that `backward` is called once, when the cotangents of all are known.
    """

    def checked(cts: Sequence[Tensor]) -> Sequence[Tensor | None]:
        parts = backward(*cts)
        for operand, part in zip(operands, parts, strict=True):
            if part is None or (callable(part) and not isinstance(part, Tensor)):
                continue
            got = part.spec if isinstance(part, Tensor) else type(part).__name__
            if got != operand.spec:
                kind = ValueError if isinstance(part, Tensor) else TypeError
                raise located(kind(f"{name}: the gradient of {operand.spec} must have its type, got {got}"))
        return parts

    if len(results) == 1:
        return [Entry(Own(name, lambda ct, y, *xs: checked([ct])), operands, {}, results[0])]
    joint, given = Number.of(0, results[0].dtype), dict[int, Tensor]()

    def note(i: int, ct: Tensor) -> tuple[Tensor | None]:
        given[i] = ct
        return (joint if len(given) == 1 else None,)

    def all_given(*_: Tensor) -> Sequence[Tensor | None]:
        cts = [given[i] if i in given else _zeros_like(r) for i, r in enumerate(results)]
        given.clear()
        return checked(cts)

    entries = [Entry(Own(name, all_given), operands, {}, joint)]
    for i, result in enumerate(results):
        entries.append(Entry(Own(name, lambda ct, y, _, i=i: note(i, ct)), (joint,), {}, result))
    return entries


def differentiate(
    function: Callable[..., Any], args: tuple[Any, ...], positions: Sequence[int], weights: Sequence[Parameter],
    has_aux: bool, sens: Any = None, integers: bool = False,
) -> tuple[Any, list[Any], list[Tensor]]:
    """Runs `function(*args)` on a tape and sweeps back.

    Args:
        integers: the arguments at `positions` may also be, or hold, Tensors of integers and bools, whose gradients are
            zeros of their types; else they are errors.
    Returns:
        What the function returned, the gradients of the arguments at `positions`, the gradients of `weights` (zeros for
        those that require none). An argument is a float Tensor, or a tuple or list of them (also nested), of which the
        gradients are of its form.
    """
    now = state.now
    piece = now.piece if now.trace is None and not now.tapes else None
    mark = piece.mark() if piece is not None else None
    ran = Ran.of(function, args, positions, weights, has_aux, integers)
    if piece is None or mark is None or sens is not None or ran.tape.own:
        grads = ran.swept(sens)
    else:
        grads = piece.again(mark, [*ran.heads, *ran.sources], ran.swept)
    return ran.value, *ran.formed(grads)


@dataclass(frozen=True)
class Ran:
    """A function that ran on a tape.

    Attributes:
        value: what it returned; `heads`: the float Tensors of it that are differentiated.
        args: what it was called with; `positions`: of those that it is differentiated by.
        sources: what the tape calls these, and the weights that are trained.
    """

    tape: Tape
    value: Any
    heads: list[Tensor]
    args: tuple[Any, ...]
    positions: Sequence[int]
    weights: Sequence[Parameter]
    sources: list[Tensor]

    @staticmethod
    def of(
        function: Callable[..., Any], args: tuple[Any, ...], positions: Sequence[int], weights: Sequence[Parameter],
        has_aux: bool, integers: bool,
    ) -> Ran:
        """The function while it runs; see `differentiate`."""
        for position in positions:
            if not 0 <= position < len(args):
                raise located(ValueError(f"grad: position {position} out of range for {len(args)} arguments"))
        # A fresh name for each argument: the same tensor passed twice has two gradients.
        inner, distinct = list(args), list(dict.fromkeys(positions))
        by_position = {position: _differentiable(args[position], position, integers) for position in distinct}
        with Tape() as tape:
            for position, tensors in by_position.items():
                inner[position] = with_leaves(args[position], iter([TABLE["identity"](tensor) for tensor in tensors]))
            value = function(*inner)
        given = [tape.result(i) for i in range(sum(map(len, by_position.values())))]
        heads = _heads(value, has_aux)
        if state.now.trace is not None:
            state.now.trace.differentiated(weights)
        sources = given + [weight for weight in weights if weight.requires_grad]
        return Ran(tape, value, heads, args, positions, weights, sources)

    def swept(self, sens: Any = None) -> list[Tensor]:
        """The cotangents of the sources, given those of the heads: ones, or `sens`."""
        if sens is None:
            cts = [TABLE["broadcast_to"](Number.of(1, h.dtype), shape=h.shape) for h in self.heads]
        else:
            cts = _checked_sens(sens, self.value, self.heads)
        return sweep(self.tape, self.heads, cts, self.sources)

    def formed(self, grads: Sequence[Tensor]) -> tuple[list[Any], list[Tensor]]:
        """The cotangents of the sources as those of the arguments at `positions`, and of the weights."""
        each = iter(grads)
        by_input = {p: with_leaves(self.args[p], each) for p in dict.fromkeys(self.positions)}
        by_weight = [_hooked(w, next(each)) if w.requires_grad else _zeros_like(w) for w in self.weights]
        return [by_input[position] for position in self.positions], by_weight

    def keep(self) -> Any:
        """Makes the tape independent of what tensors and Parameters become from here on: it may be swept at any time.

        Returns:
            What the function returned, as tensors of their own.
        """
        tape = self.tape
        tape.recall_all()
        entries = tape.entries
        made = {id(entry.result) for entry in entries}
        outside = {id(o): o for entry in entries for o in entry.operands if id(o) not in made}
        now_held = [(tensor, TABLE["identity"](tensor)) for tensor in outside.values()]
        tape.rename([(tensor, held) for tensor, held in now_held if not isinstance(tensor, Parameter)])
        for tensor, held in now_held:
            if isinstance(tensor, Parameter):
                tape.assigned(tensor, held)
        return map_leaves(lambda leaf: TABLE["identity"](leaf) if isinstance(leaf, Tensor) else leaf, self.value)


def _hooked(weight: Parameter, gradient: Tensor) -> Tensor:
    """The gradient as the Parameter's hooks leave it."""
    for hook in weight.gradient_hooks:
        (changed,) = hook(gradient)
        if not isinstance(changed, Tensor) or changed.spec != weight.spec:
            got = changed.spec if isinstance(changed, Tensor) else type(changed).__name__
            raise located(ValueError(f"{weight.name}: a hook must return a gradient of type {weight.spec}, got {got}"))
        gradient = changed
    return gradient


def _differentiable(value: Any, position: int, integers: bool) -> list[Tensor]:
    """The float Tensors that an argument is: one, or those in a tuple, list or dict."""
    tensors = leaves_of(value)
    for tensor in tensors:
        if not isinstance(tensor, Tensor) or not (integers or tensor.dtype.is_inexact):
            got = tensor.spec if isinstance(tensor, Tensor) else type(tensor).__name__
            raise located(TypeError(f"grad: argument {position} must be a float Tensor, got {got}"))
    return tensors


def _checked_sens(sens: Any, value: Any, heads: list[Tensor]) -> list[Tensor]:
    """The cotangents of the heads, which come alone, or in the form that the function's value has.

    One number may be given in another float type or shape than the one number it belongs to: programs scale a loss of
    shape (1,) by what they keep as a scalar.
    """
    cts, outputs = leaves_of(sens), leaves_of(value)
    if len(cts) == len(outputs) != len(heads):
        cts = [ct for ct, output in zip(cts, outputs) if isinstance(output, Tensor) and output.dtype.is_inexact]
    if len(cts) == len(heads):
        cts = [_as_one_number(ct, head) for ct, head in zip(cts, heads, strict=True)]
    if [c.spec if isinstance(c, Tensor) else None for c in cts] != [h.spec for h in heads]:
        got = ", ".join(str(c.spec) if isinstance(c, Tensor) else type(c).__name__ for c in cts)
        expected = ", ".join(str(h.spec) for h in heads)
        raise located(ValueError(f"grad: sens must have the type of the function's value, {expected}, got {got}"))
    return cts


def _as_one_number(ct: Any, head: Tensor) -> Any:
    """The cotangent with the type of its head, if both are one float number."""
    if not isinstance(ct, Tensor) or ct.spec == head.spec or ct.size != 1 or head.size != 1:
        return ct
    if not (ct.dtype.is_float and head.dtype.is_float):
        return ct
    return TABLE["reshape"](TABLE["cast"](ct, dtype=head.dtype), shape=head.shape)


def _heads(value: Any, has_aux: bool) -> list[Tensor]:
    """The float tensors to differentiate: of the first of several if the rest is auxiliary, otherwise of all."""
    if type(value) is Tensor and value.spec.dtype.is_inexact and not has_aux:
        return [value]
    if has_aux and (not isinstance(value, (tuple, list)) or len(value) < 2):
        got = value.spec if isinstance(value, Tensor) else type(value).__name__
        raise located(ValueError(f"grad: with has_aux the function must return (loss, *others), got {got}"))
    outputs = leaves_of(value[0] if has_aux else value)
    heads = [output for output in outputs if isinstance(output, Tensor) and output.dtype.is_inexact]
    constant = (Tensor, int, float, type(None))
    wrong = next((output for output in outputs if not isinstance(output, constant)), None if heads else value)
    if wrong is not None or not heads:
        got = wrong.spec if isinstance(wrong, Tensor) else type(wrong).__name__
        raise located(TypeError(f"grad: the function must return float Tensors to differentiate, got {got}"))
    return heads
