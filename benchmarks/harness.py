"""Measuring side by side: one process per framework, rounds in turn, medians, and what is noise.

    with Workers(contenders(["torch"]), interpreters(args), threads=1) as workers:
        workers.open(workload)
        figures = workers.measure(rounds=15)
        figures["torch eager"].milliseconds

Every framework runs in an interpreter of its own (`--torch-python PATH`, the environment variable
`GRAPHC_BENCH_TORCH_PYTHON`, or this one if it can import it). With one thread all of them are pinned to the same core,
and a step's time is the CPU time of the process, which does not count what other programs took; with all cores it is
the time on the wall. The parent gives each worker its turn in every round, so that a slow minute is slow for all.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import platform
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table
from workloads import Workload

Timed = TypeVar("Timed")

HERE = Path(__file__).resolve().parent

NOISY = 0.10
"""The interquartile range over the median above which a figure is marked as noisy."""

ANSWER_SECONDS = 900
"""How long a worker may take for one answer."""


@dataclass(frozen=True)
class Contender:
    """A framework and one of its ways to run.

    Attributes:
        caches: environment variables that name its folder of compiled code.
    """

    name: str
    framework: str
    variant: str
    caches: tuple[str, ...] = ()

    @property
    def is_peer(self) -> bool:
        """Whether it is what graphc is compared with."""
        return self.framework != "graphc"


CONTENDERS = (
    Contender("graphc graph", "graphc", "graph", ("GRAPHC_CACHE_DIR",)),
    Contender("graphc eager", "graphc", "eager", ("GRAPHC_CACHE_DIR",)),
    Contender("torch eager", "torch", "eager"),
    Contender("torch compile", "torch", "compile", ("TORCHINDUCTOR_CACHE_DIR",)),
    Contender("jax jit", "jax", "jit"),
    Contender("mindspore graph", "mindspore", "graph"),
    Contender("tinygrad jit", "tinygrad", "jit", ("XDG_CACHE_HOME",)),
)

OURS = "graphc graph"
"""What everything is compared with."""

PEERS = tuple(dict.fromkeys(c.framework for c in CONTENDERS if c.is_peer))


class WorkerError(RuntimeError):
    """A framework could not do what it was asked."""


# Figures


@dataclass
class Figure:
    """The samples of one contender on one workload, in seconds per step: of the clock asked for, and of the wall."""

    samples: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(self.samples)

    @property
    def milliseconds(self) -> float:
        """The median, in ms."""
        return self.seconds * 1e3

    @property
    def spread(self) -> float:
        """The interquartile range over the median."""
        if len(self.samples) < 4:
            return 0.0 if len(self.samples) == 1 else (max(self.samples) - min(self.samples)) / self.seconds
        low, _, high = statistics.quantiles(self.samples, n=4)
        return (high - low) / self.seconds

    @property
    def is_noisy(self) -> bool:
        """Whether the figure is not to be relied on."""
        return self.spread > NOISY

    def to_json(self) -> dict[str, Any]:
        """Medians, extremes and samples, in ms."""
        return {
            "ms": self.milliseconds, "min_ms": min(self.samples) * 1e3, "wall_ms": statistics.median(self.wall) * 1e3,
            "spread": self.spread, "noisy": self.is_noisy, "samples_ms": [s * 1e3 for s in self.samples],
        }  # fmt: skip


# Workers


class Worker:
    """A process that runs one contender.

    Args:
        contender: what it runs.
        python: its interpreter.
        cpus: the cores it may use.
        threads: the threads it may use.
        environment: variables to set.
    Raises:
        WorkerError: the framework cannot be imported there.
    """

    def __init__(
        self, contender: Contender, python: str, cpus: Sequence[int], threads: int,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.contender = contender
        options = {
            "framework": contender.framework, "variant": contender.variant, "cpus": list(cpus), "threads": threads
        }
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed with the worker)
        self._process = subprocess.Popen(
            [python, str(HERE / "worker.py"), json.dumps(options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._errors, text=True, env={**os.environ, **(environment or {})},
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.import_seconds = float(self._answer()["import_seconds"])

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Sends a request and waits for its answer.

        Raises:
            WorkerError: the worker failed, died, or did not answer in time.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # then it has died, which reading its answer will tell
            print(json.dumps({"do": do, **request}), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=ANSWER_SECONDS)
        except queue.Empty:
            self.close()
            raise WorkerError(f"{self.contender.name}: no answer within {ANSWER_SECONDS} s") from None
        if not line:
            self._process.wait()
            raise WorkerError(
                f"{self.contender.name}: the worker ended with status {self._process.returncode}:\n{self.log()}"
            )
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.contender.name}: {answer['error']}")
        return answer

    def log(self) -> str:
        """The end of what it wrote to stderr."""
        self._errors.seek(0)
        return self._errors.read()[-2000:]

    def close(self) -> None:
        """Ends the process."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._errors.close()


class Workers:
    """One worker for each contender that can run, each measured in its turn.

    Args:
        contenders: who is to be measured.
        pythons: the interpreter of each framework (see `interpreters`).
        threads: 1, which pins all of them to one core, or more.
        report: is called with a line for each contender that drops out.
        environment: variables to set for all.
    """

    def __init__(
        self, contenders: Iterable[Contender], pythons: dict[str, str], threads: int = 1, report: Any = print,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.threads, self._report = threads, report
        cpus = [quietest_core()] if threads == 1 else sorted(os.sched_getaffinity(0))
        self.workers: dict[str, Worker] = {}
        for contender in contenders:
            if contender.framework not in pythons:
                continue
            try:
                self.workers[contender.name] = Worker(
                    contender, pythons[contender.framework], cpus, threads, environment
                )
            except WorkerError as error:
                report(str(error))
        self._open: dict[str, Worker] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers.values():
            worker.close()

    def open(self, workload: Workload, dropout: bool = True) -> dict[str, float]:
        """Has every worker build the workload and make its first step. Those that lack the model, or fail, sit it out.

        Returns:
            The seconds that it took each.
        """
        answers = self._each_opens(lambda worker: worker.ask("open", workload=workload.to_json(), dropout=dropout))
        return {name: answer["seconds"] for name, answer in answers.items()}

    def open_kernel(self, case: dict[str, Any]) -> dict[str, Any]:
        """Has every worker build a kernel's call; returns each one's digest of the result."""
        answers = self._each_opens(lambda worker: worker.ask("open_kernel", **case))
        return {name: answer["digest"] for name, answer in answers.items()}

    def _each_opens(self, ask: Any) -> dict[str, dict[str, Any]]:
        self._open, answers = {}, {}
        for name, worker in list(self.workers.items()):
            try:
                answer = ask(worker)
            except WorkerError as error:
                self._drop(name, worker, error)
                continue
            if not answer.get("lacks"):
                answers[name], self._open[name] = answer, worker
        return answers

    def _drop(self, name: str, worker: Worker, error: WorkerError) -> None:
        """Leaves a worker out of this workload; out of all of them if its process is gone."""
        self._report(str(error).splitlines()[0])
        self._open.pop(name, None)
        if worker._process.poll() is not None:
            self.workers.pop(name, None)

    def losses(self, count: int = 5) -> dict[str, list[float]]:
        """The loss of each contender's next steps, all on one batch."""
        found = {}
        for name, worker in list(self._open.items()):
            try:
                found[name] = worker.ask("losses", count=count)["losses"]
            except WorkerError as error:
                self._drop(name, worker, error)
        return found

    def measure(self, rounds: int = 15, seconds: float = 0.03, budget: float = 8.0) -> dict[str, Figure]:
        """Measures everyone in turn, `rounds` times.

        Args:
            rounds: samples of each contender.
            seconds: what a sample takes, in which as many steps are made as fit.
            budget: seconds after which a slow contender takes no more samples (but at least 3).
        """
        figures = {name: Figure() for name in self._open}
        spent = dict.fromkeys(self._open, 0.0)
        for number in range(-2, rounds):  # the first two warm up, and find how many steps fill a sample
            for name, worker in list(self._open.items()):
                if number >= 3 and spent[name] > budget:
                    continue
                try:
                    if self.threads > 1:
                        worker.ask("measure", seconds=SPINNING)
                    answer = worker.ask("measure", seconds=seconds)
                except WorkerError as error:
                    self._drop(name, worker, error)
                    continue
                spent[name] += answer["wall"] * answer["steps"]
                if number >= 0:
                    figures[name].wall.append(answer["wall"])
                    figures[name].samples.append(answer["cpu"] if self.threads == 1 else answer["wall"])
        return {name: figure for name, figure in figures.items() if figure.samples}


SPINNING = 0.3
"""Seconds for which threads of the one before may wait for more work on the cores that the next is to use, which runs
for as long before it is measured: OpenMP's do for 0.2. To sleep meanwhile would give the cores to other machines."""


def first_step(
    contender: Contender, python: str, workload: Workload, threads: int
) -> dict[str, float]:
    """Seconds to the end of a workload's first step in a fresh process, without importing; and its memory.

    Returns:
        `cold`, with no compiled code kept from before; `warm`, with what that run kept (only of contenders that keep
        some); `import`; and `peak`, the process's memory in bytes after a few steps more.
    """
    cpus = [quietest_core()] if threads == 1 else sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o700)
        environment = {name: os.path.join(folder, name) for name in contender.caches}
        found: dict[str, float] = {}
        for run in ("cold", "warm") if contender.caches else ("cold",):
            worker = Worker(contender, python, cpus, threads, environment)
            try:
                found[run] = worker.ask("open", workload=workload.to_json())["seconds"]
                found["import"] = worker.import_seconds
                worker.ask("losses", count=2)
                found["peak"] = worker.ask("memory")["peak"]
            finally:
                worker.close()
    return found


# The machine


def quietest_core() -> int:
    """The core, of those this process may use, that was idle most in the last tenth of a second."""
    cores = sorted(os.sched_getaffinity(0))
    before = _idle_ticks()
    time.sleep(0.1)
    after = _idle_ticks()
    return max(cores, key=lambda core: after.get(core, 0) - before.get(core, 0))


def _idle_ticks() -> dict[int, int]:
    lines = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
    return {int(words[0][3:]): int(words[4]) for words in lines if words[0][:3] == "cpu" and words[0][3:]}


def machine() -> dict[str, Any]:
    """What figures depend on."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    return {
        "cpu": model, "cores": len(os.sched_getaffinity(0)), "system": platform.platform(),
        "python": platform.python_version(), "load": os.getloadavg()[0],
    }  # fmt: skip


# Frameworks


def add_arguments(parser: argparse.ArgumentParser, usual: Sequence[str] = PEERS) -> None:
    """The arguments that all benchmarks of several frameworks share.

    Args:
        usual: the peers that are measured, if installed, when `--peers` is not there.
    """
    parser.add_argument("--threads", choices=("1", "all"), default="1", help="one pinned core, or all of them")
    installed = f"those of {','.join(usual)} that are installed"
    parser.add_argument("--peers", help=f"which to compare with, of {','.join(PEERS)} (default: {installed})")
    parser.set_defaults(usual_peers=tuple(usual))
    parser.add_argument("--rounds", type=int, default=15, help="samples of each figure")
    parser.add_argument("--json", metavar="FILE", help="write figures there")
    parser.add_argument("--markdown", metavar="FILE", help="write the tables there, in Markdown")
    for framework in PEERS:
        parser.add_argument(f"--{framework}-python", metavar="PATH", help=f"the interpreter that has {framework}")


def interpreters(args: argparse.Namespace) -> dict[str, str]:
    """The interpreter of graphc and of each peer that was asked for and can be imported."""
    wanted = args.peers.split(",") if args.peers else args.usual_peers
    unknown = sorted(set(wanted) - set(PEERS) - {"none"})
    if unknown:
        raise SystemExit(f"--peers: expected some of {', '.join(PEERS)} or none, got {', '.join(unknown)}")
    found = {"graphc": sys.executable}
    for framework in PEERS:
        python = getattr(args, f"{framework}_python") or os.environ.get(f"GRAPHC_BENCH_{framework.upper()}_PYTHON")
        if framework in wanted and _has(python or sys.executable, framework):
            found[framework] = python or sys.executable
        elif framework in wanted and (python or args.peers):
            raise SystemExit(f"{framework} cannot be imported by {python or sys.executable}")
    return found


def _has(python: str, module: str) -> bool:
    check = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.run([python, "-c", check], check=False).returncode == 0


def thread_count(args: argparse.Namespace) -> int:
    """The number of threads that `--threads` means."""
    return 1 if args.threads == "1" else len(os.sched_getaffinity(0))


def contenders(pythons: dict[str, str]) -> list[Contender]:
    """Those whose framework is there."""
    return [contender for contender in CONTENDERS if contender.framework in pythons]


def disagreements(losses: dict[str, list[float]], tolerance: float = 1e-3) -> dict[str, float]:
    """The contenders whose losses differ from the median of all, with the greatest difference (relative above 1)."""
    found: dict[str, float] = {}
    for step in range(max(map(len, losses.values()), default=0)):
        finite = [values[step] for values in losses.values() if math.isfinite(values[step])]
        middle = statistics.median(finite) if finite else 0.0
        for name, values in losses.items():
            loss = values[step]
            difference = abs(loss - middle) / max(abs(middle), 1.0) if math.isfinite(loss) else math.inf
            if difference > tolerance:
                found[name] = max(difference, found.get(name, 0.0))
    return found


# Tables


def fastest_peer(
    figures: Mapping[str, Timed], seconds: Callable[[Timed], float]
) -> tuple[str, Timed] | None:
    """The peer with the least time.

    Args:
        figures: of each contender.
        seconds: the time in a figure.
    """
    peers = {c.name for c in CONTENDERS if c.is_peer}
    measured = [(name, figure) for name, figure in figures.items() if name in peers]
    return min(measured, key=lambda pair: seconds(pair[1]), default=None)


def number(value: float) -> str:
    """Three digits that matter."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def cell(figure: Figure | None) -> str:
    """A figure in ms, with a mark where it is noisy."""
    if figure is None:
        return "-"
    return number(figure.milliseconds) + (" ~" if figure.is_noisy else "")


def ratio(ours: Figure | None, other: tuple[str, Figure] | None) -> str:
    """How many times as long the other takes, and who that is."""
    if ours is None or other is None:
        return "-"
    mark = " ~" if ours.is_noisy or other[1].is_noisy else ""
    return f"{other[1].seconds / ours.seconds:.2f}x ({other[0]}){mark}"


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column names things and whose others are numbers."""
    ruler = ["---"] + ["---:"] * (len(columns) - 1)
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, ruler, *rows))


@dataclass
class Report:
    """Tables, printed and kept as Markdown.

    Attributes:
        console: where they are printed.
    """

    console: Console = field(default_factory=lambda: Console(width=None if sys.stdout.isatty() else 180))
    markdown: list[str] = field(default_factory=list)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], note: str = "") -> None:
        """Prints a table whose first column names things and whose others are numbers."""
        shown = Table(title=title, caption=note or None, title_justify="left", caption_justify="left")
        rows = list(rows)
        for i, column in enumerate(columns):
            shown.add_column(column, justify="left" if i == 0 else "right")
        for row in rows:
            shown.add_row(*row)
        self.markdown += [f"**{title}**", "", markdown_table(columns, rows), "", *([note, ""] if note else [])]
        self.console.print(shown)

    def save(self, args: argparse.Namespace, benchmark: str, figures: dict[str, Any]) -> None:
        """Writes what `--json` and `--markdown` ask for."""
        if args.json:
            written = {"benchmark": benchmark, "machine": machine(), **figures}
            Path(args.json).write_text(json.dumps(written, indent=1) + "\n")
        if args.markdown:
            Path(args.markdown).write_text("\n".join(self.markdown))


@contextlib.contextmanager
def progress(console: Console, text: str) -> Iterator[None]:
    """Says what is being done, on a terminal."""
    if console.is_terminal:
        with console.status(text):
            yield
    else:
        yield
