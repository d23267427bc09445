"""How long it takes until a network runs: the first step cold, warm and with another batch size; and each stage.

    python benchmarks/compile_time.py --cases lenet,resnet18 --rounds 5

Every figure is that of a fresh process which has imported graphc and built the network; modules are bytecode, as
those of an installed package are. Cold is with an empty cache on disk; warm is with what that run left there; another
batch is a smaller one, as the last of an epoch is, after the first one in the same process, with an empty cache. A
long graph is an unrolled recurrent network and its gradient.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from harness import HERE, Report, progress
from workloads import PROGRAMS, Workload

NETWORKS = {
    "lenet": PROGRAMS["lenet"],
    "cnn": PROGRAMS["cnn"],
    "resnet18": Workload("resnet18", 32, (3, 32, 32), optimizer="momentum", lr=0.01),
    "transformer": Workload("transformer", 8, (64, 256), sizes={"width": 256, "layers": 12}),
    "lstm1000": Workload("recurrent", 32, (1000, 64), sizes={"kind": "lstm", "inputs": 64, "hidden": 128}),
}
LONG = {f"nodes{count}": count for count in (1_000, 3_000, 10_000)}
CASES = (*NETWORKS, *LONG)

NODES_PER_STEP = 12
"""How many nodes a step of the unrolled network makes."""

Step = Callable[[], Any]


def smaller(batch: int) -> int:
    """The last batch of an epoch, as it might be."""
    return max(batch * 3 // 8, 1)


def unrolled(count: int, batch: int) -> tuple[Any, tuple[Any, ...]]:
    """A function whose graph has about so many nodes, and its arguments."""
    import graphc as ms
    from graphc import ops

    rng = np.random.default_rng(0)
    weight = ms.Parameter(ms.Tensor((rng.standard_normal((16, 16)) / 5).astype(np.float32)), name="weight")
    bias = ms.Parameter(ms.Tensor(np.zeros(16, np.float32)), name="bias")
    steps = round(count / NODES_PER_STEP)

    def forward(x: Any) -> Any:
        for _ in range(steps):
            x = ops.tanh(ops.matmul(x, weight) + bias) * 0.5 + x
        return ops.mean(x)

    x = ms.Tensor(rng.standard_normal((batch, 16)).astype(np.float32))
    return ms.value_and_grad(forward, None, [weight, bias]), (x,)


def prepare(case: str) -> tuple[Step, Step]:
    """The network's step with its own batch, and with a smaller one. Nothing is traced yet."""
    import graphc as ms

    if case in LONG:
        function, arguments = unrolled(LONG[case], 8)
        step, other = ms.jit(function), unrolled(LONG[case], smaller(8))[1]
        return lambda: step(*arguments)[0].asnumpy(), lambda: step(*other)[0].asnumpy()
    os.environ["BENCHMARK_FRAMEWORK"] = "graphc"
    from frameworks import mindspore_api as api

    workload = NETWORKS[case]
    session = api.Session(workload, "graph", len(os.sched_getaffinity(0)), True)
    batches = [w.batches(1)[0] for w in (workload, replace(workload, batch=smaller(workload.batch)))]

    def make(x: Any, y: Any) -> Step:
        def run() -> float:
            session.step(x, y)
            return float(session.sync())

        return run

    return make(*batches[0]), make(*batches[1])


def seconds(call: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure_first(case: str) -> dict[str, float]:
    """In this process: the first step, the first with a smaller batch, and a step as all later ones are."""
    step, other = prepare(case)
    found = {"first": seconds(step)}
    found["step"] = min(seconds(step) for _ in range(3))
    found["other"] = seconds(other)
    return found


class Traced(Exception):  # noqa: N818 (no error: it ends a step where its graph is known)
    """A step was traced."""


def measure_stages(case: str) -> dict[str, float]:
    """In this process: the seconds of each stage of a cold compile, one after the other."""
    compiler, jitted = (importlib.import_module(f"graphc.{name}") for name in ("compiler", "jit"))
    from graphc.runtime import jit, pool

    trace = jitted.trace

    def trace_only(*args: Any) -> Any:
        raise Traced(trace(*args).graph)

    jitted.trace = trace_only
    step = prepare(case)[0]
    pool.address()  # the pool is not this network's
    start = time.perf_counter()
    try:
        step()
    except Traced as traced:
        (graph,) = traced.args
    times = {"nodes": float(len(graph.nodes)), "trace": time.perf_counter() - start}
    start, program = time.perf_counter(), None
    for name, _, result in compiler._stages(graph):
        now = time.perf_counter()
        times[name], start, program = now - start, now, result
        if name == "llvm":
            break
    assert program is not None
    times["kernels compiled"] = len(program.texts())
    start = time.perf_counter()
    sources = [jit.source(text) for text in program.texts()]
    times["step"] = time.perf_counter() - start
    times["LLVM"] = seconds(lambda: jit._objects(sources, jit.CODEGEN_LEVEL))
    times["link"] = seconds(lambda: jit.load(sources, [program.step_name]))
    return times


def child(what: str, case: str, cache: str) -> dict[str, float]:
    """What `measure_first` or `measure_stages` finds in a fresh process."""
    command = [sys.executable, str(HERE / "compile_time.py"), "--child", what, "--cases", case]
    environment = {**os.environ, "GRAPHC_CACHE_DIR": cache}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


@contextlib.contextmanager
def bytecode() -> Iterator[None]:
    """Within, processes find all modules as bytecode: an installed package's are, a checkout's may not be."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o700)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        try:
            child("first", "lenet", os.path.join(folder, "objects"))
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def measure(case: str, rounds: int) -> dict[str, list[float]]:
    """The seconds of every round: cold, warm, another batch, and one later step."""
    found: dict[str, list[float]] = {"cold": [], "warm": [], "other batch": [], "step": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o700)
            cold, warm = (child("first", case, folder) for _ in range(2))
        found["cold"].append(cold["first"])
        found["warm"].append(warm["first"])
        found["other batch"].append(cold["other"])
        found["step"].append(warm["step"])
    return found


def main(argv: list[str] | None = None) -> None:
    """Measures, prints, and writes what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default=",".join(CASES), help=f"some of {','.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=3, help="fresh processes for each figure")
    parser.add_argument("--no-stages", action="store_true", help="leave out the split by stages")
    parser.add_argument("--json", metavar="FILE", help="write figures there")
    parser.add_argument("--markdown", metavar="FILE", help="write the tables there, in Markdown")
    parser.add_argument("--child", choices=("first", "stages"), help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    cases = args.cases.split(",")
    if unknown := set(cases) - set(CASES):
        parser.error(f"--cases: expected some of {', '.join(CASES)}, got {', '.join(sorted(unknown))}")
    if args.child:
        print(json.dumps({"first": measure_first, "stages": measure_stages}[args.child](cases[0])))
        return
    report, figures, stages = Report(), {}, {}
    with bytecode():
        for case in cases:
            with progress(report.console, case):
                figures[case] = measure(case, args.rounds)
                if not args.no_stages:
                    with tempfile.TemporaryDirectory() as folder:
                        os.chmod(folder, 0o700)
                        stages[case] = child("stages", case, folder)
    columns = list(next(iter(figures.values())))
    rows = [[case, *(f"{statistics.median(times):.3f}" for times in by.values())] for case, by in figures.items()]
    report.table("Time to the end of the first step", ["s", *columns], rows, f"Medians of {args.rounds} processes.")
    if stages:
        names = list(dict.fromkeys(name for by in stages.values() for name in by))
        shown = [[name, *(_shown(name, by.get(name)) for by in stages.values())] for name in names]
        report.table("Stages of a cold compile, ms", ["ms", *stages], shown, "One after the other, in one process.")
    report.save(args, "compile_time", {"seconds": figures, "stages": stages})


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if name in ("nodes", "kernels compiled") else f"{value * 1e3:.1f}"


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    main()
