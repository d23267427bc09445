"""`graphc profile`: where the time of a training step goes, kernel by kernel (`graphc.profile` is what it uses)."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from graphc.cli import recipes
from graphc.cli.options import model_arguments, output_file, whole
from graphc.context import get_context, set_context
from graphc.profile import profile
from graphc.random import set_seed


def arguments(parser: argparse.ArgumentParser) -> None:
    model_arguments(parser)
    parser.add_argument("--rounds", type=whole(1), default=15, metavar="N", help="steps that are timed (default 15)")
    parser.add_argument(
        "--sort", choices=("run", "time"), default="run", help="in running order (default), or by the time they take"
    )
    parser.add_argument(
        "--trace", type=output_file, metavar="FILE", help="write a timeline for Perfetto or chrome://tracing"
    )
    parser.add_argument("--json", type=output_file, metavar="FILE", help="write the kernels' figures")


def run(args: argparse.Namespace) -> int:
    from graphc.jit import Jitted

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
    with profile():
        step(inputs, labels)  # compiles the step that reads the clock
    with profile() as p:
        for _ in range(args.rounds):
            step(inputs, labels)
    print(p.table(args.sort))
    threads = get_context("runtime_num_threads")
    print(f"the step, {threads} thread{'s' * (threads > 1)}: {whole_step * 1e3:.3f} ms; the first one {first:.2f} s")
    arenas = [compiled.executable.arena_bytes for compiled in step.cache.values()]  # of no graph if it runs op by op
    print("".join(f"arena: {nbytes:,} bytes; " for nbytes in arenas) + f"batch: {inputs.spec}")
    if args.trace:
        p.save(args.trace)
        print(f"trace: {args.trace} (open it at https://ui.perfetto.dev)")
    if args.json:
        p.save_json(args.json)
        print(f"figures: {args.json}")
    return 0


def _median_seconds(step: Callable[[], Any], rounds: int) -> float:
    samples = []
    for _ in range(max(rounds, 3)):
        began = time.perf_counter()
        step()
        samples.append(time.perf_counter() - began)
    return statistics.median(samples)
