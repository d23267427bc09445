"""Where the time goes, kernel by kernel: `with profile() as p:` around any code.

    with graphc.profile() as p:
        model.train(1, data)
    print(p)                  # a table: time, GFLOP/s, GB/s, the share of the limit that binds, the lines it came from
    p.save("trace.json")      # a timeline; open it at https://ui.perfetto.dev
    p.kernels[0].seconds      # the same figures as values

It lists every compiled kernel that runs while the profile is open, of all threads, in graph mode and eager mode; ops
that eager mode leaves to NumPy are not listed. Results are the same, bit for bit. Outside of the block nothing is
recorded, and a step costs what it always does.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.tensor import settle

if TYPE_CHECKING:
    from graphc.runtime.profile import Call, Work

LONGEST_NAME, MOST_LINES = 28, 5
"""In a table: the most characters of a name, and the most lines of the user's program in a row."""


@dataclass(frozen=True)
class KernelTime:
    """One kernel of one function, over all calls in a profile.

    Attributes:
        function: what it is part of: the name of a graph.
        number: its place in the running order there, from 0.
        name: what it computes.
        calls: how often it ran.
        seconds: of all its calls together.
        median: seconds of the median call, from which rates and the share of the limit are taken.
        flops: operations of one call: additions, multiplications and divisions of floats; a fused multiply-add is two,
            and exp, tanh and their like are as many as the polynomials that compute them. Integers and comparisons are
            none.
        nbytes: bytes that one call must read and write at least, each element once.
        threads: how many share the kernel.
        limit: what bounds it: `FMA` (the rate of multiply-adds), or the level of memory that its bytes fit in: `L1`,
            `L2`, `L3` or `DRAM`.
        fraction: the time that this limit allows, as a part of `median`. More than 1 says that the limits were measured
            while the machine was busier than it was in the profile.
        lines: the lines of the user's program that it comes from, file and number each; for the gradient of an op
            those of the op.
        cell: the path of the Cell that it comes from, "" for none.
    """

    function: str
    number: int
    name: str
    calls: int
    seconds: float
    median: float
    flops: int
    nbytes: int
    threads: int
    limit: str
    fraction: float
    lines: tuple[tuple[str, int], ...]
    cell: str

    @property
    def flops_per_second(self) -> float:
        return self.flops / max(self.median, 1e-9)

    @property
    def bytes_per_second(self) -> float:
        return self.nbytes / max(self.median, 1e-9)

    @property
    def where(self) -> str:
        """Its lines in short, `lenet.py:14, :15`; the Cell's name where there are none."""
        return short_lines(self.lines) or self.cell.rpartition(".")[2]


class Profile:
    """What ran while the profile was open; made by `profile()`.

    It can be opened again, and then adds what runs to what it has. Profiles nest, and each has all that runs in it.

    Attributes:
        seconds: how long it was open, without the time that it took itself to prepare steps to be watched.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._calls: list[Call] = []
        self._opened: int | None = None  # when, in nanoseconds of the monotonic clock
        self._start: int | None = None
        self._before = 0  # how many calls there were when it was opened
        self._figures: dict[tuple[int, int], KernelTime] = {}  # by program and number
        self._counted = 0  # how many calls they are of

    def __enter__(self) -> Profile:
        from graphc.runtime.profile import watch

        if self._opened is not None:
            raise RuntimeError("profile: this profile is open already; make another one for what runs inside it")
        settle()  # what was asked for before is not part of it
        self._opened = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        self._start, self._before = self._start or self._opened, len(self._calls)
        watch(self._calls)
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        from graphc.runtime.profile import unwatch

        try:
            if kind is None:
                settle()  # what was asked for inside is
        finally:
            unwatch(self._calls)
            opened, self._opened = self._opened, None
            here = threading.get_native_id()
            preparing = sum(call.preparing for call in self._calls[self._before :] if call.thread == here)
            self.seconds += (time.clock_gettime_ns(time.CLOCK_MONOTONIC) - (opened or 0) - preparing) / 1e9

    @property
    def kernels(self) -> tuple[KernelTime, ...]:
        """Every kernel that ran: by function in the order of their first calls, then in running order.

        The first look measures the limits of the machine, which takes some tenths of a second.
        """
        return tuple(self._by_program([*self._calls]).values())

    def _by_program(self, calls: Sequence[Call]) -> dict[tuple[int, int], KernelTime]:
        if self._counted != len(calls):
            self._figures, self._counted = dict(_kernels(calls)), len(calls)
        return self._figures

    def table(self, sort: str = "time") -> str:
        """The kernels as text, a line each.

        Args:
            sort: "time", those first that took most of it, or "run", in running order.
        Raises:
            ValueError: another `sort`.
        """
        if sort not in ("time", "run"):
            raise ValueError(f"profile: sort must be 'time' or 'run', got {sort!r}")
        kernels = self.kernels
        if not kernels:
            return "no kernel ran"
        if sort == "time":
            kernels = tuple(sorted(kernels, key=lambda k: -k.seconds))
        return "\n".join([*_table(kernels), *self._summary(kernels)])

    def _summary(self, kernels: Sequence[KernelTime]) -> Iterator[str]:
        from graphc.runtime.limits import measured

        functions = len({id(call.program) for call in self._calls})
        yield (
            f"{_count(len(kernels), 'kernel')} of {_count(functions, 'function')}, {_count(len(self._calls), 'call')}: "
            f"{sum(k.seconds for k in kernels) * 1e3:.3f} ms in kernels, {self.seconds * 1e3:.3f} ms in all"
        )
        for threads in sorted({k.threads for k in kernels}):
            yield f"limits, {measured(threads)}"

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return f"<profile: {_count(len(self._calls), 'call')}>"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes every call of every kernel as a timeline that https://ui.perfetto.dev and chrome://tracing open.

        Source: Trace Event Format (Google, 2016), complete events ("ph": "X", times in microseconds). A kernel's event
        lies within that of its function; its arguments are the figures of that call.
        """
        trace = {"traceEvents": [*self._events()], "displayTimeUnit": "ns"}
        Path(path).write_text(json.dumps(trace), encoding="utf-8")

    def save_json(self, path: str | os.PathLike[str]) -> None:
        """Writes the kernels' figures as JSON: a list of objects with the attributes of `KernelTime`."""
        Path(path).write_text(json.dumps([asdict(k) for k in self.kernels], indent=1), encoding="utf-8")

    def _events(self) -> Iterator[dict[str, Any]]:
        calls = [*self._calls]
        start, process = self._start or 0, os.getpid()
        yield {"ph": "M", "pid": process, "name": "process_name", "args": {"name": "graphc"}}
        for thread, name in {call.thread: call.thread_name for call in calls}.items():
            yield {"ph": "M", "pid": process, "tid": thread, "name": "thread_name", "args": {"name": name}}
        figures = self._by_program(calls)

        def event(
            call: Call, name: str, category: str, first: int, last: int, details: dict[str, Any]
        ) -> dict[str, Any]:
            return {
                "ph": "X", "pid": process, "tid": call.thread, "name": name, "cat": category,
                "ts": (first - start) / 1e3, "dur": (last - first) / 1e3, "args": details,
            }  # fmt: skip

        preparing: dict[int, int] = {}  # so far, by thread: it is left out
        for call in calls:
            preparing[call.thread] = preparing.get(call.thread, 0) + call.preparing
            stamps = (call.stamps - preparing[call.thread]).tolist()
            function = call.program.schedule.graph.name
            yield event(call, function, "function", stamps[0], stamps[-1], {"kernels": len(stamps) - 1})
            for number in _ran(call):
                k = figures[id(call.program), number]
                first, last = stamps[number : number + 2]
                took = max(last - first, 1)
                yield event(call, k.name, "kernel", first, last, {
                    "kernel": number, "lines": short_lines(k.lines), "cell": k.cell, "flops": k.flops,
                    "bytes": k.nbytes, "threads": k.threads,
                    "GFLOP/s": round(k.flops / took, 2), "GB/s": round(k.nbytes / took, 2),
                    "limit": k.limit, "of limit": round(k.fraction * k.median * 1e9 / took, 3),
                })  # fmt: skip


def profile() -> Profile:
    """Records every compiled kernel that runs within `with profile() as p:`, of any thread and any mode.

    Gradients that wait for their optimizer, and ops that are noted to run together, run at the edges of the block at
    the latest: what was asked for inside counts, what was asked for before does not. Where the block ends with an
    exception, the profile holds what ran until then.

    Returns:
        The profile: `print(p)`, `p.kernels`, `p.save("trace.json")`.
    """
    return Profile()


class Profiler:
    """A profile as MindSpore's programs make one: from here to `analyse`, which writes it into a folder.

        profiler = ms.Profiler(output_path="figures")
        model.train(1, dataset)
        profiler.analyse()

    Args:
        output_path: the folder; it is made. `kernels.txt` is what `print(profile)` shows, `kernels.json` and
            `trace.json` are what `Profile.save_json` and `Profile.save` write.
        start_profile: whether it begins at once, rather than with `start`.
    """

    def __init__(self, output_path: str | os.PathLike[str] = "./data", start_profile: bool = True) -> None:
        self.profile, self._folder, self._runs = Profile(), Path(output_path), False
        if start_profile:
            self.start()

    def start(self) -> None:
        """Begins, or goes on after `stop`.

        Raises:
            RuntimeError: it runs already.
        """
        if self._runs:
            raise RuntimeError("Profiler.start: it runs already")
        self.profile.__enter__()
        self._runs = True

    def stop(self) -> None:
        """Ends, or pauses.

        Raises:
            RuntimeError: it does not run.
        """
        if not self._runs:
            raise RuntimeError("Profiler.stop: it does not run; start it before")
        self._runs = False
        self.profile.__exit__(None)

    def analyse(self) -> None:
        """Ends, if it runs, and writes what was seen."""
        if self._runs:
            self.stop()
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "kernels.txt").write_text(f"{self.profile}\n", encoding="utf-8")
        self.profile.save_json(self._folder / "kernels.json")
        self.profile.save(self._folder / "trace.json")


def _ran(call: Call) -> Iterator[int]:
    """The numbers of the kernels that ran, in order; those that have nothing to compute did not."""
    return (number for number, code in enumerate(call.program.codes[: len(call.stamps) - 1]) if code.units)


def _kernels(calls: Iterable[Call]) -> Iterator[tuple[tuple[int, int], KernelTime]]:
    """The figures of each kernel, by program and number."""
    from graphc.runtime.profile import work

    by_program: dict[int, list[Call]] = {}
    for call in calls:
        by_program.setdefault(id(call.program), []).append(call)
    for group in by_program.values():
        program = group[0].program
        called = tuple(dict.fromkeys((call.loc.file, call.loc.line) for call in group if call.loc.file))
        samples: dict[int, list[int]] = {}
        for call in group:
            took = np.diff(call.stamps).tolist()
            for number in _ran(call):
                samples.setdefault(number, []).append(took[number])
        for number in sorted(samples):
            function, name = program.schedule.graph.name, program.schedule.runs[number].name
            yield (id(program), number), _kernel(
                function, number, name, samples[number], work(program, number), group[-1].threads, called
            )  # fmt: skip


def _kernel(
    function: str, number: int, name: str, nanoseconds: Sequence[int], work: Work, threads: int,
    called: tuple[tuple[str, int], ...],
) -> KernelTime:
    from graphc.runtime.limits import measured, traffic_kind

    threads = min(threads, work.units)
    median = float(np.median(nanoseconds)) / 1e9
    nbytes = work.read + work.written
    least, limit = measured(threads).seconds(
        work.flops, nbytes, traffic_kind(work.read, work.written), work.itemsize
    )  # fmt: skip
    return KernelTime(
        function, number, name, len(nanoseconds), sum(nanoseconds) / 1e9, median, work.flops, nbytes, threads, limit,
        least / max(median, 1e-9), work.lines or called, work.cell,
    )  # fmt: skip


# Text


def short_lines(lines: Sequence[tuple[str, int]]) -> str:
    """Lines of programs, each file named once: `lenet.py:14, :15, loss.py:3`; `+2` says that two more follow."""
    words, last = [], ""
    for file, line in lines[:MOST_LINES]:
        words.append(f"{'' if file == last else os.path.basename(file)}:{line}")
        last = file
    return ", ".join(words) + (f" +{len(lines) - MOST_LINES}" if len(lines) > MOST_LINES else "")


def _table(kernels: Sequence[KernelTime]) -> Iterator[str]:
    """The heading and a line for each kernel; the function's name only where there are several."""
    several = len({k.function for k in kernels}) > 1
    total = max(sum(k.seconds for k in kernels), 1e-9)
    heading = ["", "kernel", "calls", "ms", "%", "µs each", "GFLOP/s", "GB/s", "of limit", "in", "lines"]
    rows = [heading]
    for k in kernels:
        limit = f"{100 * k.fraction:.0f}% {k.limit}" + f" x{k.threads}" * (k.threads > 1)
        rows.append([
            str(k.number), _cut(k.name), str(k.calls), f"{k.seconds * 1e3:.3f}", f"{100 * k.seconds / total:.1f}",
            f"{k.median * 1e6:.1f}", f"{k.flops_per_second / 1e9:.1f}", f"{k.bytes_per_second / 1e9:.1f}", limit,
            _cut(k.function), k.where,
        ])  # fmt: skip
    columns = [c for c in range(len(heading)) if several or heading[c] != "in"]
    widths = {c: max(len(row[c]) for row in rows) for c in columns}
    left = ("kernel", "of limit", "in", "lines")
    for row in rows:
        cells = (row[c].ljust(widths[c]) if heading[c] in left else row[c].rjust(widths[c]) for c in columns)
        yield ("  " + "  ".join(cells)).rstrip()


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
