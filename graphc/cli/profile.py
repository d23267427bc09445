"""`graphc profile`: where the time of a training step goes, kernel by kernel."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graphc.cli import recipes
from graphc.cli.options import model_arguments, whole
from graphc.context import get_context, set_context
from graphc.random import set_seed

if TYPE_CHECKING:
    from graphc.runtime.profile import KernelTime


def arguments(parser: argparse.ArgumentParser) -> None:
    model_arguments(parser)
    parser.add_argument("--rounds", type=whole(1), default=15, metavar="N", help="runs of each kernel (default 15)")
    parser.add_argument("--trace", metavar="FILE", help="write a trace for Perfetto or chrome://tracing")


def run(args: argparse.Namespace) -> int:
    from graphc.jit import Jitted
    from graphc.runtime.profile import kernel_times

    recipe = recipes.find(args.model).changed(args.batch_size, args.input, args.lr)
    if args.threads:
        set_context(runtime_num_threads=args.threads)
    set_seed(args.seed)
    network = recipe.network()
    inputs, labels = recipe.example_batch(network)
    step = Jitted(recipe.step(network), f"{recipe.name}_step")
    began = time.perf_counter()
    step(inputs, labels)
    first = time.perf_counter() - began
    whole_step = _median_seconds(lambda: step(inputs, labels), args.rounds)
    (compiled,) = step.cache.values()
    times = kernel_times(compiled.executable, (inputs, labels), args.rounds)
    _print_table(times)
    threads = get_context("runtime_num_threads")
    print(
        f"kernels one by one, one thread: {sum(t.seconds for t in times) * 1e3:.3f} ms\n"
        f"the step, {threads} thread{'s' * (threads > 1)}: {whole_step * 1e3:.3f} ms; the first one {first:.2f} s\n"
        f"arena: {compiled.executable.arena_bytes:,} bytes; batch: {inputs.type}"
    )
    if args.trace:
        Path(args.trace).write_text(json.dumps(trace_events(recipe.name, times)), encoding="utf-8")
        print(f"trace: {args.trace} (open it at https://ui.perfetto.dev)")
    return 0


def _median_seconds(step: object, rounds: int) -> float:
    assert callable(step)
    samples = []
    for _ in range(max(rounds, 3)):
        began = time.perf_counter()
        step()
        samples.append(time.perf_counter() - began)
    return statistics.median(samples)


def _print_table(times: Sequence[KernelTime]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for heading in ("", "kernel", "µs", "%", "GFLOP/s", "GB/s", "for"):
        table.add_column(heading, justify="left" if heading in ("kernel", "for") else "right", no_wrap=True)
    total = sum(t.seconds for t in times)
    for t in times:
        table.add_row(
            str(t.number), t.name, f"{t.seconds * 1e6:.1f}", f"{100 * t.seconds / total:.1f}",
            f"{_rate(t.flops, t):.1f}", f"{_rate(t.nbytes, t):.1f}", t.where,
        )  # fmt: skip
    console = Console()
    console = console if console.is_terminal else Console(width=140)
    console.print(table)


def _rate(amount: int, time: KernelTime) -> float:
    """Billions a second."""
    return amount / max(time.seconds, 1e-9) / 1e9


def trace_events(name: str, times: Sequence[KernelTime]) -> dict[str, object]:
    """One step in Chrome's trace-event format: each kernel's median time, one after the other.

    Source: Trace Event Format (Google, 2016), complete events ("ph": "X", times in microseconds).
    """
    events: list[dict[str, object]] = [
        {"ph": "M", "pid": 1, "tid": 1, "name": "process_name", "args": {"name": f"graphc {name} step"}},
        {"ph": "M", "pid": 1, "tid": 1, "name": "thread_name", "args": {"name": "kernels"}},
    ]
    now = 0.0
    for t in times:
        details = {
            "kernel": t.number, "source": t.where, "flops": t.flops, "bytes": t.nbytes,
            "GFLOP/s": round(_rate(t.flops, t), 2), "GB/s": round(_rate(t.nbytes, t), 2),
        }  # fmt: skip
        micros = t.seconds * 1e6
        events.append(
            {"ph": "X", "pid": 1, "tid": 1, "name": t.name, "cat": "kernel", "ts": now, "dur": micros, "args": details}
        )
        now += micros
    return {"traceEvents": events, "displayTimeUnit": "ns"}
