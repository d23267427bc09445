"""The training steps of the five programs, on graphc and on other frameworks, side by side.

    python benchmarks/programs.py --threads 1 --torch-python /opt/torch/bin/python --json programs.json

A step starts from NumPy arrays and ends when the parameters are updated. Every framework starts from the same weights
and sees the same data; before timing, the losses of the first steps are compared.
"""

from __future__ import annotations

import argparse
from typing import Any

from harness import (
    OURS,
    Contender,
    Figure,
    Report,
    WorkerError,
    Workers,
    add_arguments,
    cell,
    contenders,
    disagreements,
    fastest_peer,
    first_step,
    interpreters,
    number,
    progress,
    ratio,
    thread_count,
)
from workloads import PROGRAMS, Workload

Measured = tuple[dict[str, dict[str, Figure]], dict[str, dict[str, float]], dict[str, dict[str, float]]]


def measure(
    workloads: list[Workload], found: list[Contender], pythons: dict[str, str], threads: int, rounds: int,
    report: Report, environment: dict[str, str] | None = None,
) -> Measured:
    """Measures each workload by every contender.

    Returns:
        The figures, who disagreed about losses (and by how much), and the seconds to the end of the first step.
    """
    figures, wrong, first = {}, {}, {}
    with Workers(found, pythons, threads, report.console.print, environment) as workers:
        for workload in workloads:
            with progress(report.console, workload.label):
                first[workload.label] = workers.open(workload, dropout=False)
                wrong[workload.label] = disagreements(workers.losses())
                if workload.dropout:
                    workers.open(workload)
                figures[workload.label] = workers.measure(rounds)
    return figures, wrong, first


def print_steps(
    report: Report, title: str, figures: dict[str, dict[str, Figure]], wrong: dict[str, dict[str, float]],
    found: list[Contender],
) -> None:
    """The table of steps, then who disagreed about losses."""
    names = [contender.name for contender in found]
    rows = []
    for label, measured in figures.items():
        best = fastest_peer(measured, lambda figure: figure.seconds)
        ratios = [ratio(measured.get(name), best) for name in (OURS, "graphc eager")]
        rows.append([label, *(cell(measured.get(name)) for name in names), *ratios])
    columns = ["ms per step", *names, "graph: best peer", "eager: best peer"]
    report.table(title, columns, rows, "~ noisy: interquartile range above 10 % of the median")
    for label, differences in wrong.items():
        for name, difference in differences.items():
            report.console.print(f"[red]{label}: the losses of {name} differ by {difference:.2g}[/red]")
    if not any(wrong.values()):
        report.console.print("The losses of the first five steps agree to 1e-3 everywhere.")


def print_first_steps(
    report: Report, workloads: list[Workload], found: list[Contender], pythons: dict[str, str], threads: int
) -> dict[str, Any]:
    """The tables of times to the first step and of memory."""
    names = [contender.name for contender in found]
    results: dict[str, dict[str, dict[str, float]]] = {}
    for workload in workloads:
        results[workload.label] = {}
        for contender in found:
            with progress(report.console, f"first step: {workload.label}, {contender.name}"):
                try:
                    times = first_step(contender, pythons[contender.framework], workload, threads)
                    results[workload.label][contender.name] = times
                except WorkerError as error:
                    report.console.print(str(error).splitlines()[0])
    rows, memory = [], []
    for label, by_name in results.items():
        row, peaks = [label], [label]
        for name in names:
            times = by_name.get(name, {})
            row.append("-" if not times else " / ".join(f"{times[k]:.2f}" for k in ("cold", "warm") if k in times))
            peaks.append("-" if not times else number(times["peak"] / 2**20))
        rows.append(row)
        memory.append(peaks)
    report.table(
        "Time to the first step, s", ["s, cold / warm cache", *names], rows, "Without importing the framework."
    )
    report.table("Memory of the process", ["MiB at most", *names], memory)
    return results


def main(argv: list[str] | None = None) -> None:
    """Measures, prints, and writes what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--programs", default=",".join(PROGRAMS), help=f"some of {','.join(PROGRAMS)}")
    parser.add_argument("--plot", metavar="FILE", help="draw the steps as bars (needs matplotlib)")
    parser.add_argument("--no-first", action="store_true", help="leave out times to the first step and memory")
    args = parser.parse_args(argv)
    unknown = set(args.programs.split(",")) - set(PROGRAMS)
    if unknown:
        parser.error(f"--programs: expected some of {', '.join(PROGRAMS)}, got {', '.join(sorted(unknown))}")

    report, threads = Report(), thread_count(args)
    workloads = [PROGRAMS[name] for name in args.programs.split(",")]
    pythons = interpreters(args)
    found = contenders(pythons)
    figures, wrong, _ = measure(workloads, found, pythons, threads, args.rounds, report)
    cores = "one core, CPU time" if threads == 1 else f"{threads} cores, wall time"
    print_steps(report, f"Training steps, {cores}", figures, wrong, found)
    first = {} if args.no_first else print_first_steps(report, workloads, found, pythons, threads)
    steps = {label: {name: f.to_json() for name, f in by.items()} for label, by in figures.items()}
    if args.plot:
        from plots import bars

        bars(args.plot, steps)
    report.save(
        args, "programs", {"threads": threads, "first_step": first, "loss_disagreements": wrong, "steps": steps}
    )


if __name__ == "__main__":
    main()
