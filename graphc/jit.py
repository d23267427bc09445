"""`jit`: a function that is traced and compiled once per signature, and from then on runs as native code."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc import context
from graphc.eager import in_one_piece
from graphc.nested import flatten, with_tensors
from graphc.op_by_op import FEW, REPEATED, VARIED, compile_seconds, pays, run_op_by_op
from graphc.place import leave_out_own_frames, warn
from graphc.state import state
from graphc.tensor import Tensor, TracedValueError, filled, from_numpy, settle
from graphc.trace import Traced, trace

if TYPE_CHECKING:
    from graphc.deferred import Promises
    from graphc.runtime.entry_plan import Expected
    from graphc.runtime.executable import Executable


logger = logging.getLogger("graphc.jit")

EVERY_CALL = 6
"""After so many calls in a row that each needed a trace of their own, a warning says so."""

KEPT = 4
"""How many traces of one signature are kept, each valid for another state of the Cells it visits."""

MOST_REFUSED = 100
"""The most signatures that are remembered as ones that cannot be traced."""

MOST_PASSED = 63
"""Over at most so many changes of Cells a signature is not traced again that was refused for one reason repeatedly."""


class Compiled:
    """One signature of a jitted function: its trace and its executable.

    Args:
        signatures: how many there were before; after a few, one that comes seldom is not compiled (`op_by_op`).
    Attributes:
        in_a_row: how often it ran op by op since another signature came.
    """

    def __init__(self, traced: Traced, signatures: int = 0) -> None:
        self.traced, self._signatures = traced, signatures
        self.in_a_row, self._often = 0, False
        self._seconds = 0.0  # for how long it has run op by op
        self.results = [output.type for output in traced.graph.outputs]
        marks: list[Any] = [object() for _ in self.results]
        self._single = len(marks) == 1 and traced.rebuild(marks) is marks[0]
        self.structure = context.structure
        self._unchanged = traced.surroundings.unchanged if traced.surroundings.any() else None
        self._enter: Callable[..., Any] = _nothing
        self._fits: Callable[..., Any] = _nothing

    @functools.cached_property
    def executable(self) -> Executable:
        """The native code, compiled when it is first needed."""
        from graphc.programs import compile_graph  # loads llvmlite's side of the house; only when needed

        return compile_graph(self.traced.graph, self.traced.bound)

    @functools.cached_property
    def promises(self) -> Promises:
        """The tensors that are promised where it is called and does not run yet."""
        from graphc.deferred import Promises  # built on this module

        return Promises(self.results)

    def still_valid(self) -> bool:
        """Whether all that the trace depends on, besides its arguments, is as it was."""
        if self._unchanged is not None and not self._unchanged():
            return False
        return self.structure == context.structure or self._revalidated()

    def _revalidated(self) -> bool:
        if not self.traced.still_valid():
            return False
        self.structure = context.structure
        return True

    def run(self, leaves: list[Tensor]) -> list[Tensor]:
        """The results; arguments may change."""
        results = self._once(leaves)
        if results is None:
            results = self.executable(leaves)
        if self.traced.changed:
            self.traced.assign(leaves, results)
        return results

    def _once(self, leaves: list[Tensor]) -> list[Tensor] | None:
        """The results op by op, if that is how it runs."""
        if not self.runs_op_by_op:
            return None
        self.in_a_row += 1
        began = perf_counter()
        results = run_op_by_op(self.traced.graph, [*leaves, *self.traced.bound])
        self._seconds += perf_counter() - began
        return results

    @property
    def runs_op_by_op(self) -> bool:
        """Whether it will run op by op: as one of many signatures, which has not come often, if that is better."""
        if not self._often:
            self._often = self._comes_often()
        return not (self._often or self._is_compiled or context.get_context("save_graphs"))

    def _comes_often(self) -> bool:
        """Whether it is to be compiled now."""
        if self._signatures < FEW or not self._seconds:
            return self._signatures < FEW or not pays(self.traced.graph, self._signatures)
        if self._signatures < VARIED or self.in_a_row >= REPEATED - 1:
            return True
        return self._seconds >= compile_seconds(len(self.traced.graph.nodes))

    @property
    def _is_compiled(self) -> bool:
        return "executable" in vars(self)

    # The short way: for arguments that need no look inside, and no change

    def fits(self, args: tuple[Any, ...]) -> bool:
        """Whether the arguments are known to be like those that `expect` had."""
        return bool(self._fits(*args))

    def expect(self, args: tuple[Any, ...]) -> bool:
        """Makes `fits` for arguments like these; whether it can be."""
        expected = self._expected(args)
        if expected is not None and self._fits is _nothing:
            from graphc.runtime.entry import fitting

            self._fits = fitting(expected)
        return expected is not None

    def attempt(self, args: tuple[Any, ...]) -> list[bytearray] | None:
        """The results for arguments that are like those that `prepare` had; None, and nothing is done, for others.

        Raises:
            IndexError: an index read from data is out of range; parameters and other state are as before.
        """
        memory = self._enter(*args)
        if type(memory) is bytes:
            self.executable.fail(memory)
        return memory  # type: ignore[no-any-return]

    def prepare(self, args: tuple[Any, ...], together: bool) -> bool:
        """Makes `attempt` for arguments like these; whether it can be, which takes that it is compiled.

        Args:
            together: small results lie in one memory (`Executable.way`).
        """
        expected = self._expected(args) if self._is_compiled else None
        if expected is not None and self._enter is _nothing:
            self._enter = self.executable.way(expected, together)
        return expected is not None

    def _expected(self, args: tuple[Any, ...]) -> list[Expected] | None:
        from graphc.runtime.entry import expected_of

        expected = [one for value in args if (one := expected_of(value)) is not None]
        return expected if len(expected) == len(args) and not self.traced.changed else None

    def value_in(self, memory: list[bytearray]) -> Any:
        """What the function returns, in the memory that `attempt` returned."""
        if self._single:
            return filled(memory[0], self.results[0])
        return self.traced.rebuild(list(map(filled, memory, self.results)))


def _nothing(*args: Any) -> Any:
    """In place of what is not made yet."""


@dataclass
class Refusal:
    """Why no graph can be made, and when to try again: when a Cell has changed, and not each time one that changes in
    every call (by setting an attribute) comes to the same."""

    kind: type[TracedValueError]
    why: str
    structure: int
    passes: int  # over so many changes
    left: int

    @classmethod
    def of(cls, error: TracedValueError, before: Refusal | None) -> Refusal:
        again = before is not None and before.why == str(error)
        passes = min(2 * before.passes + 1, MOST_PASSED) if again and before is not None else 0
        return cls(type(error), str(error), context.structure, passes, passes)

    def holds(self) -> bool:
        """Whether there is still no graph to be expected."""
        if self.structure == context.structure:
            return True
        self.left -= 1
        return self.left >= 0


class Jitted:
    """A callable that compiles `function` once per signature of shapes, dtypes and other arguments.

    Where the function asks for a value that a graph does not have while it is traced (an `if` on a tensor, a result
    whose shape depends on values), it runs op by op instead, with the same results; or not at all, if `whole`.
    One that it `joins` was traced for the same arguments, and is a part of it; that one runs op by op where such
    arguments come for the first time, and if it has warned that they change, there is no other warning.
    """

    def __init__(
        self, function: Callable[..., Any], name: str | None = None, joins: Jitted | None = None, whole: bool = False
    ) -> None:
        self.function, self._joins, self.whole = function, joins, whole
        self._said = self._warned = False
        called = name or getattr(function, "__name__", type(function).__name__).strip("<>")
        self.name = re.sub(r"[^\w.]", "_", called)  # it names graphs and folders of dumps
        self.cache: dict[Hashable, Compiled] = {}  # by signature: the one in use
        self._kept: dict[Hashable, list[Compiled]] = {}  # the last few that were made, for other states of the Cells
        self._last: tuple[Hashable, Compiled | None] = None, None  # comparing with the last key beats hashing it
        self._ready: Compiled | None = None  # the last entry, if it can be had by a short way
        self._last_key: Hashable = None
        self._in_a_row = 0
        self._refused: dict[Hashable, Refusal] = {}  # signatures that no graph can be made of
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        now = state.now
        try:
            if now.trace is not None or now.tapes:
                if now.trace is not None:
                    now.trace.enter(self.function)
                return self.function(*args, **kwargs)  # part of a larger graph, or of a derivative
            if now.call is not None or now.piece is not None:
                settle()
            ready = self._ready
            if ready is not None and not kwargs and ready.still_valid():
                memory = ready.attempt(args)
                if memory is not None:
                    self._in_a_row = 0
                    return ready.value_in(memory)
            return self._anyhow(args, kwargs)
        except Exception as error:
            leave_out_own_frames(error)
            raise

    def _anyhow(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the function returns, for arguments that are not seen to be like those of the last call."""
        try:
            entry, results = self.slowly(args, kwargs)
        except TracedValueError as error:
            self.check_tolerated(error)
            args, kwargs = with_tensors((args, kwargs))
            with in_one_piece(self.function, (*args, *kwargs.values())):
                return self.function(*args, **kwargs)
        return entry.traced.rebuild(results)

    def check_tolerated(self, error: TracedValueError) -> None:
        """Says once that the function runs as in PYNATIVE_MODE, for it asks for values that a graph does not have.

        Raises:
            TracedValueError: this one, where the program wants a whole graph or none.
        """
        if self.whole or context.get_context("jit_syntax_level") == context.STRICT:
            raise error
        if not self._said:
            self._said = True
            warn(f"{self.name} runs op by op, as in PYNATIVE_MODE; no graph is made: {error}")

    def quickly(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[bytearray] | None:
        """The results in memory, if the arguments are seen to be like those of the last call; None otherwise."""
        ready = self._ready
        if ready is None or kwargs or not ready.still_valid():
            return None
        return ready.attempt(args)

    def slowly(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Compiled, list[Tensor]]:
        """What is compiled for arguments like these (traced now if need be), and the results; `quickly` comes next."""
        key, leaves, args, kwargs = signature(args, kwargs)
        entry = self.entry(key, args, kwargs)
        if entry.traced.changed:
            entry.traced.check_apart(leaves)
        results = entry.run(leaves)
        self._ready = entry if not kwargs and entry.prepare(args, together=self._joins is not None) else None
        return entry, results

    def fitting(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Compiled | None:
        """What is compiled for the arguments, if they are seen to be like those of the last call."""
        ready = self._ready
        if ready is None or kwargs or not (ready.still_valid() and ready.fits(args)):
            return None
        self._in_a_row = 0
        return ready

    def expect(self, entry: Compiled, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Makes `fitting` find the entry for arguments like these."""
        self._ready = entry if not kwargs and entry.expect(args) else None

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """As a method: one compiled function per instance."""
        if instance is None:
            return self
        methods = instance.__dict__.setdefault("_jitted_methods", {})
        if self.name not in methods:
            methods[self.name] = Jitted(self.function.__get__(instance), self.name, whole=self.whole)
        return methods[self.name]

    def lookup(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Compiled, list[Tensor]]:
        """What is compiled for arguments like these (traced now if need be), and the tensors among them."""
        key, leaves, args, kwargs = signature(args, kwargs)
        return self.entry(key, args, kwargs), leaves

    def entry(self, key: Hashable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Compiled:
        """What is compiled for arguments of this signature, traced now if need be."""
        last, entry = self._last
        if last != key:
            entry = self.cache.get(key)
            if entry is not None:
                entry.in_a_row = 0
        if entry is None or not entry.still_valid():
            refused = self._refused.get(key)
            if refused is not None and refused.holds():
                raise refused.kind(refused.why)
            entry = self.cache[key] = self._valid_again(key) or self._traced(key, args, kwargs)
        else:
            self._in_a_row = 0
        self._last = key, entry
        return entry

    def _valid_again(self, key: Hashable) -> Compiled | None:
        """An entry that did not hold for a while and does again (a network back in training mode)."""
        return next((entry for entry in self._kept.get(key, ()) if entry.still_valid()), None)

    def _traced(self, key: Hashable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Compiled:
        self._announce(key)
        try:
            traced = trace(self.function, args, kwargs, self.name)
        except TracedValueError as error:
            if len(self._refused) >= MOST_REFUSED:
                self._refused.clear()
            self._in_a_row = 0  # a warning says already that there is no graph
            self._refused[key] = Refusal.of(error, None if self.whole else self._refused.get(key))
            raise
        entry = Compiled(traced, len(self.cache) if self._joins is None else 0)
        kept = self._kept.setdefault(key, [])
        kept.insert(0, entry)
        del kept[KEPT:]
        return entry

    def _announce(self, key: Hashable) -> None:
        """Says why there is another trace: in the log `graphc.jit`, and once as a warning if every call needs one."""
        before, self._last_key = self._last_key, key
        self._in_a_row += 1
        if before is None:
            logger.info("%s: traced for %s", self.name, signature_text(key))
            return
        if key in self.cache:
            change = f"a Cell or captured tensor changed; still {signature_text(key)}"
        else:
            change = f"{signature_text(before)} became {signature_text(key)}"
        logger.info("%s: traced again: %s", self.name, change)
        if self._in_a_row == EVERY_CALL and not (self._joins and self._joins._warned):
            self._warned = True
            warn(
                f"{self.name} was traced anew in each of the last {EVERY_CALL} calls; last: {change}. Shapes, dtypes "
                "and arguments that are no tensors are part of the signature: pad tensors to a few shapes, and pass "
                "numbers that change as Tensors."
            )


def signature(
    args: tuple[Any, ...], kwargs: dict[str, Any], copy: bool = False
) -> tuple[Hashable, list[Tensor], tuple[Any, ...], dict[str, Any]]:
    """What tells a call from calls that need another trace.

    Args:
        copy: the values of arrays are needed later, when the program may have changed them.
    Returns:
        A key; the tensors among the arguments; and the arguments, with Tensors in the place of arrays.
    """
    parts: list[Hashable] = []
    leaves: list[Tensor] = []
    given: list[Any] = []
    for value in args:
        kind = type(value)
        if kind is np.ndarray:
            value = from_numpy(value.copy() if copy else value)
        elif kind is not Tensor:
            value = with_tensors(value, copy)
            parts.append(flatten(value, leaves)[0])
            given.append(value)
            continue
        parts.append(value.spec)
        leaves.append(value)
        given.append(value)
    if not kwargs:
        return tuple(parts), leaves, tuple(given), kwargs
    kwargs = with_tensors(kwargs, copy)
    return (tuple(parts), flatten(kwargs, leaves)[0]), leaves, tuple(given), kwargs


def signature_text(key: Hashable) -> str:
    """A signature as text: tensors as their types, other arguments as they are."""
    if not isinstance(key, tuple):
        return str(key)
    if key and isinstance(key[0], type):
        items = key[1:]
        if key[0] is dict:
            return ", ".join(f"{k}={signature_text(item)}" for k, item in items)  # type: ignore[misc]
        if key[0] in (tuple, list):
            return "(" + ", ".join(filter(None, map(signature_text, items))) + ")"
    return "(" + ", ".join(map(signature_text, key)) + ")"


def jit(
    function: Callable[..., Any] | None = None, *, capture_mode: str = "trace", jit_level: str = "O0",
    dynamic: int = 0, fullgraph: bool = False, backend: str = "", **options: Any,
) -> Any:
    """Compiles a function or method into native code, by tracing; usable with and without arguments.

    Args:
        function: takes and returns tensors and nested tuples, lists and dicts of them; other arguments are part of the
            signature.
        capture_mode: how the graph is captured; graphc traces, whichever of MindSpore's modes is named.
        fullgraph: what cannot be one graph, for it depends on values, is an error; else it runs op by op.
        jit_level, backend, dynamic: accepted at MindSpore's defaults; every level compiles alike.
    Raises:
        TypeError: `function` cannot be called.
        ValueError: an option that graphc cannot honour.
    """
    if capture_mode not in ("trace", "ast", "bytecode"):
        raise ValueError(f"jit: capture_mode must be 'trace', 'ast' or 'bytecode', got {capture_mode!r}")
    if dynamic:
        raise ValueError("jit: dynamic shapes are not supported; every shape compiles once")
    if backend not in ("", "ms_backend"):
        raise ValueError(f"jit: backend {backend!r} does not exist; graphc has its own")
    if options:
        raise ValueError(f"jit: unknown options {sorted(options)}")
    if jit_level not in ("", "O0", "O1", "O2"):
        raise ValueError(f"jit: jit_level must be O0, O1 or O2, got {jit_level!r}")
    if function is None:
        return lambda f: jit(f, capture_mode=capture_mode, jit_level=jit_level, fullgraph=fullgraph)
    if not callable(function):
        raise TypeError(f"jit: expected a function, got {type(function).__name__}")
    return Jitted(function, whole=bool(fullgraph))
