"""The pieces of eager mode that have run before: a tree of their steps, and how each piece runs.

The nodes of the tree are `Step`s, its edges ops with their operands. So a piece is recognised while it is being noted
(`graphc.noting`), beginning at the `Root` of the line that called it. Where one ended there is an `Ending`: the first
time it runs op by op, later compiled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from time import perf_counter
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphc.dtype import bool_
from graphc.ir import NOWHERE, Graph, Location, Node, TensorType, constant_node
from graphc.nested import describe
from graphc.op import Op
from graphc.op_by_op import REPEATED, VARIED, compile_seconds, pays, run_op_by_op
from graphc.parameter import Parameter
from graphc.place import user_line
from graphc.tensor import Number, Tensor
from graphc.trace import Trace

if TYPE_CHECKING:
    from graphc.runtime.executable import Executable

MOST_STEPS, MOST_COMPILED, MOST_CALLS = 50_000, 256, 4
"""How many steps, and compiled pieces, are kept, or those of so many of the longest calls if these are more: a training
step of a large network must not be forgotten before it comes again. When there are more, all are forgotten, but not
where they vary."""

MOST_KINDS = 1_000
"""How many kinds of arguments are known of a line where pieces vary."""

NOTHING = TensorType((), bool_)
"""In place of a type, where a step makes no value."""


class Step:
    """An op in a piece, after all those that came before it.

    Attributes:
        before: the step before, None for the first of all, which has no op.
        op: the op, or None where a Parameter is written.
        operands: for each the number of the step that made it, or ~k for leaf k of the piece; of a write the leaf that
            is written and the value.
        after: the steps that came next so far, by op, attributes and operands.
        stretches: several steps that came next at once so far, by what asked for them; None where they may differ.
        endings: where a piece ended here: by the numbers of the steps whose results were needed.
    """

    __slots__ = ("after", "attrs", "before", "endings", "loc", "op", "operands", "stretches", "type")

    def __init__(
        self, before: Step | None, op: Op | None, operands: tuple[int, ...], attrs: dict[str, Any], type_: TensorType,
        loc: Location,
    ) -> None:
        self.before, self.op, self.operands, self.attrs, self.type, self.loc = before, op, operands, attrs, type_, loc
        self.after: dict[Hashable, Step] = {}
        self.stretches: dict[Hashable, Stretch | None] = {}
        self.endings: dict[tuple[int, ...], Ending] = {}

    def path(self) -> list[Step]:
        """The steps up to this one, from the first with an op."""
        steps = []
        step: Step = self
        while step.before is not None:
            steps.append(step)
            step = step.before
        return steps[::-1]


Taped = tuple[Op, tuple[int, ...], dict[str, Any], int]


class Stretch(NamedTuple):
    """Steps that always follow one another.

    A tensor is the number of its step here, if it is one of these, or ~k if it is operand k: the operands are what the
    stretch is asked for with, then its numbers.

    Attributes:
        last: the last of them.
        length: how many they are.
        numbers: the Python numbers that they bring.
        leaves: all leaves that they bring.
        value: what they make: a tensor, None, or (tuple or list, *values).
        types: of the results that are named here.
        writes: of each operand that is written: it, its leaf, and what it is from now on as an operand of a step.
        reads: the Parameters that a tape notes as read, and not written since.
        entries, before: what a tape notes: op, operands, attributes, result.
    """

    last: Step
    length: int
    numbers: tuple[Number, ...]
    leaves: tuple[int, ...]
    value: Any
    types: dict[int, TensorType]
    writes: tuple[tuple[int, int, int], ...]
    reads: tuple[int, ...]
    entries: list[Taped]
    before: list[Taped]


class Kind:
    """Calls with arguments alike, from a line where pieces vary.

    Attributes:
        seconds: how long those took that were not noted.
        in_vain: how often one was noted, and its piece had not come before; of the first time that is to be expected.
    """

    __slots__ = ("in_vain", "seconds")

    def __init__(self) -> None:
        self.seconds, self.in_vain = 0.0, 0


class Root(Step):
    """Before the first op of every piece that is called from one line.

    Attributes:
        name: of what is called there.
        pieces: how many different ones there were.
        longest: the steps of the longest of them.
    """

    __slots__ = ("_before", "_kinds", "_new_ones", "_now", "longest", "name", "pieces")

    def __init__(self, name: str) -> None:
        super().__init__(None, None, (), {}, NOTHING, NOWHERE)
        self.name, self.pieces, self.longest = name, 0, 0
        self._new_ones = 0  # calls in a row that ran op by op, until there are so many that pieces are known to vary
        self._before: list[int] = []  # the endings of the call before, by id
        self._now: list[int] = []  # those of this one
        self._kinds: dict[Hashable, Kind] = {}

    @property
    def varies(self) -> bool:
        """Whether pieces are known to vary here."""
        return self._new_ones >= VARIED

    def without_pieces(self) -> Root:
        """It before any piece; what is known of calls stays."""
        bare = Root(self.name)
        bare.longest, bare._new_ones, bare._kinds = self.longest, self._new_ones, self._kinds
        return bare

    def kind(self, args: Sequence[Any]) -> Kind | None:
        """What is known of calls with such arguments; None where pieces do not vary, and all are to be noted."""
        if not self.varies:
            return None
        key: list[Any] = []
        known = tuple(key) if describe(args, key, [], lambda tensor, _: tensor.spec) else None
        found = self._kinds.get(known)
        if found is None:
            if len(self._kinds) >= MOST_KINDS:
                self._kinds.clear()
            found = self._kinds[known] = Kind()
        return found

    def pays(self, kind: Kind) -> bool:
        """Whether it pays to note the next call of a kind."""
        seconds = compile_seconds(self.longest)
        return kind.seconds >= (seconds if kind.in_vain < 2 else seconds * 2**kind.in_vain)

    def noted(self, new: bool, kind: Kind | None) -> None:
        """A call was noted.

        Args:
            new: whether something that it noted ran op by op.
        """
        repeated, self._before, self._now = self._now == self._before, self._now, []
        if kind is not None:
            kind.in_vain = kind.in_vain + 1 if new else 0
        elif not self.varies:
            self._new_ones = self._new_ones + 1 if new and not repeated else 0

    def repeats(self, ending: Ending) -> bool:
        """Notes that a piece ran; whether one did in the call before, too."""
        self._now.append(id(ending))
        return id(ending) in self._before


class Ending:
    """A piece, and the results that are needed of it: runs op by op the first time, later compiled.

    Python numbers are constants of the compiled graph, until one changes: then it becomes an input.

    Attributes:
        results: the numbers of the steps whose results are needed.
        steps: those that the results and the writes depend on, with their numbers.
        seconds: for how long it has run op by op.
    """

    def __init__(self, root: Root, last: Step, results: tuple[int, ...]) -> None:
        root.pieces += 1
        self.root, self.results = root, results
        self.steps = _needed(last.path(), results)
        self.seconds = 0.0
        self._in_a_row = 0
        root.longest = max(root.longest, len(self.steps))
        self._numbers: list[np.ndarray | None] | None = None  # None: changes from run to run
        self._compiled: tuple[Executable, list[int]] | None = None  # with the leaf behind each of its inputs
        self._lock = threading.Lock()

    def run(self, leaves: Sequence[Tensor], expected: bool = False) -> tuple[list[Tensor], bool]:
        """The results for these leaves; Parameters are written when all else is done.

        Args:
            expected: its arguments have come often.
        Returns:
            They, and whether it was compiled.
        """
        with self._lock:
            known = self._numbers == [] or self._know(leaves)
            self._in_a_row = self._in_a_row + 1 if self.root.repeats(self) else 1
            if self._compiled is None:
                graph, inputs = self._graph(leaves)
                often = expected or self.root.pieces <= VARIED or self._in_a_row >= REPEATED
                often = often or self.seconds >= compile_seconds(len(self.steps))
                if (known and often) or not pays(graph, self.root.pieces - 1):
                    self._compiled = self._compile(graph, [leaves[k] for k in inputs]), inputs
            compiled = self._compiled
        if compiled is None:
            began = perf_counter()
            results = run_op_by_op(graph, [leaves[k] for k in inputs])
            self.seconds += perf_counter() - began
            return results, False
        executable, inputs = compiled
        return executable([leaves[k] for k in inputs]), True

    def _know(self, leaves: Sequence[Tensor]) -> bool:
        """Whether the piece was here before. What was compiled for another number is forgotten."""
        numbers = [leaf._array for leaf in leaves if type(leaf) is Number]
        if self._numbers is None:
            self._numbers = [*numbers]
            return False
        for i, (known, number) in enumerate(zip(self._numbers, numbers, strict=True)):
            if known is not None and known is not number:
                self._numbers[i] = self._compiled = None
        return True

    def _graph(self, leaves: Sequence[Tensor]) -> tuple[Graph, list[int]]:
        """The piece as a graph, and the leaf behind each of its inputs."""
        naming = Trace()
        numbers = iter(self._numbers or ())
        nodes: dict[int, Node] = {}
        inputs: list[int] = []
        for k, leaf in enumerate(leaves):
            number = next(numbers) if type(leaf) is Number else None
            if number is not None:
                nodes[~k] = constant_node(number.item(), leaf.dtype)
            else:
                nodes[~k] = naming.add_input(leaf.name if isinstance(leaf, Parameter) else f"x{k}", leaf.spec, None)
                inputs.append(k)
        inputs.sort(key=lambda k: isinstance(leaves[k], Parameter))  # after the arguments
        arguments = sum(not isinstance(leaves[k], Parameter) for k in inputs)
        updates: dict[Node, Node] = {}
        for place, step in self.steps:
            operands = tuple(nodes[operand] for operand in step.operands)
            if step.op is None:
                updates[operands[0]] = operands[1]
            else:
                nodes[place] = Node(step.op.name, operands, step.attrs, step.type, step.loc)
        graph = Graph(
            self.root.name, tuple(nodes[~k] for k in inputs), tuple(nodes[place] for place in self.results),
            tuple((target, value) for target, value in updates.items() if target is not value), arguments,
        )  # fmt: skip
        return graph, inputs

    def _compile(self, graph: Graph, inputs: Sequence[Tensor]) -> Executable:
        from graphc.programs import compile_graph  # brings llvmlite, and so is imported when something is compiled

        forest.compiled += 1
        return compile_graph(graph, inputs[graph.arguments :])


def _needed(path: list[Step], results: tuple[int, ...]) -> list[tuple[int, Step]]:
    """The steps, with their numbers, that the results and the writes depend on."""
    needed = set(results)
    kept = []
    for number in range(len(path) - 1, -1, -1):
        step = path[number]
        if number in needed or step.op is None:
            needed.update(step.operands)
            kept.append((number, step))
    return kept[::-1]


class Forest:
    """All pieces so far."""

    def __init__(self) -> None:
        self.roots: dict[Hashable, Root] = {}
        self.steps = self.compiled = 0
        self._before = self._longest = (0, 0)  # steps and compiled pieces: before the last call; the most that one made

    def root(self, called: Callable[..., Any]) -> Root:
        """Where pieces begin: one for each function or class, and line of the program that calls it.

        So whatever comes again comes from the same lines, and its errors name them.
        """
        self._longest = (
            max(self._longest[0], self.steps - self._before[0]), max(self._longest[1], self.compiled - self._before[1])
        )  # fmt: skip
        steps, compiled = (MOST_CALLS * made for made in self._longest)
        if self.steps > max(MOST_STEPS, steps) or self.compiled > max(MOST_COMPILED, compiled):
            self.roots = {key: root.without_pieces() for key, root in self.roots.items() if root.varies}
            self.steps = self.compiled = 0
        self._before = (self.steps, self.compiled)
        key = (called.__code__ if isinstance(called, (FunctionType, MethodType)) else type(called), user_line())
        found = self.roots.get(key)
        if found is None:
            name = str(getattr(called, "__name__", type(called).__name__)).strip("<>")
            found = self.roots[key] = Root(name)
        return found


forest = Forest()
