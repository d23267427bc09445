"""Training steps of larger and other networks than the five programs, on graphc and on other frameworks, side by side.

    python benchmarks/networks.py --torch-python /opt/torch/bin/python --networks resnet18,lstm --batches 1,32

Convolutional networks of all kinds, recurrent ones, transformers, generators, recommenders, perceptrons, with different
normalisations, activations and optimizers, each at several batch sizes: `workloads.networks` lists them. Peers that
take long are measured when asked for: `--peers torch,jax,mindspore`, and `--compile` for torch.compile.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from harness import Report, add_arguments, contenders, interpreters, thread_count
from programs import measure, print_steps
from workloads import networks

PEERS = ("torch", "jax")
"""Those that are measured when none are named."""


def main(argv: list[str] | None = None) -> None:
    """Measures, prints, and writes what was asked for."""
    names = tuple(dict.fromkeys(workload.name for workload in networks()))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, PEERS)
    parser.add_argument("--networks", default=",".join(names), help=f"some of {','.join(names)}")
    parser.add_argument("--batches", help="batch sizes (default: each network's own)")
    parser.add_argument("--plot", metavar="FILE", help="draw the ratios as bars (needs matplotlib)")
    parser.add_argument("--no-eager", action="store_true", help="leave out graphc's eager mode")
    parser.add_argument("--compile", action="store_true", help="measure torch.compile too")
    args = parser.parse_args(argv)
    chosen = args.networks.split(",")
    if not set(chosen) <= set(names):
        parser.error(f"--networks: expected some of {', '.join(names)}, got {args.networks}")

    report, threads, pythons = Report(), thread_count(args), interpreters(args)
    left_out = {"graphc eager": args.no_eager, "torch compile": not args.compile}
    found = [contender for contender in contenders(pythons) if not left_out.get(contender.name)]
    batches = [int(batch) for batch in args.batches.split(",")] if args.batches else None
    workloads = [workload for workload in networks(batches) if workload.name in chosen]
    with tempfile.TemporaryDirectory() as folder:  # so that no compiled code is found from before
        fresh = {cache: str(Path(folder, cache)) for contender in found for cache in contender.caches}
        figures, wrong, first = measure(workloads, found, pythons, threads, args.rounds, report, fresh)
    cores = "one core, CPU time" if threads == 1 else f"{threads} cores, wall time"
    print_steps(report, f"Training steps of networks, {cores}", figures, wrong, found)
    columns = [contender.name for contender in found]
    rows = [[label, *(f"{by[n]:.2f}" if n in by else "-" for n in columns)] for label, by in first.items()]
    report.table("Time to the first step", ["s, nothing cached", *columns], rows, "Building the network included.")
    steps = {label: {name: f.to_json() for name, f in by.items()} for label, by in figures.items()}
    if args.plot:
        from plots import ratios

        ratios(args.plot, steps)
    report.save(
        args, "networks", {"threads": threads, "loss_disagreements": wrong, "first_step": first, "steps": steps}
    )


if __name__ == "__main__":
    main()
