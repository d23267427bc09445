"""Single kernels: graphc beside PyTorch, and both beside what the machine can do.

    python benchmarks/kernels.py --torch-python /opt/torch/bin/python --families matmul,convolution

A time is that of the call from Python, as users make it, but results are made in memory that was used before: fresh
pages from the system would cost more than most kernels, in every framework. The limits are measured: multiply-adds in
registers, and the bandwidth of the level of memory that a kernel's operands and results fit in.
"""

from __future__ import annotations

import argparse
from typing import Any

from harness import (
    CONTENDERS,
    OURS,
    Figure,
    Report,
    Workers,
    add_arguments,
    interpreters,
    number,
    progress,
    thread_count,
)
from kernel_cases import Case, cases

from graphc.runtime.limits import Limits, measure

THEIRS = "torch eager"
KEEP_MEMORY = {
    "GLIBC_TUNABLES": "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=1099511627776:"
    "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0"
}
"""What tells glibc to keep the memory that is freed, and to join it to what is free beside it."""
TOLERANCE = 1e-3


def print_limits(report: Report, limits: Limits) -> None:
    """The table of what the machine can do."""
    rows = [
        [kind, *(number(speeds[level] / 1e9) for level in limits.levels)]
        for kind, speeds in limits.bytes_per_second.items()
    ]
    report.table(f"Limits of one core: {limits.flops / 1e9:.0f} GFLOP/s; GB/s of", ["", *limits.levels], rows)


def row(case: Case, figures: dict[str, Figure], limits: Limits) -> list[str]:
    """A kernel's line: times, their ratio, speeds, and the share of the limit that binds."""
    ours, theirs = figures[OURS], figures.get(THEIRS)
    least, binding = limits.seconds(case.flops, case.nbytes, case.traffic)

    def micro(figure: Figure) -> str:
        return number(figure.seconds * 1e6) + (" ~" if figure.is_noisy else "")

    return [
        case.name, micro(ours), micro(theirs) if theirs else "-",
        f"{theirs.seconds / ours.seconds:.2f}x" if theirs else "-",
        number(case.flops / ours.seconds / 1e9) if case.flops else "-", number(case.nbytes / ours.seconds / 1e9),
        f"{least / ours.seconds:.0%} of {binding}",
    ]  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    """Measures, prints, and writes what was asked for."""
    families = tuple(dict.fromkeys(case.family for case in cases()))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--families", default=",".join(families), help=f"some of {','.join(families)}")
    parser.add_argument("--only", default="", help="kernels whose name holds this")
    parser.add_argument("--plot", metavar="FILE", help="draw them beside the machine's roofline (needs matplotlib)")
    args = parser.parse_args(argv)
    unknown = set(args.families.split(",")) - set(families)
    if unknown:
        parser.error(f"--families: expected some of {', '.join(families)}, got {', '.join(sorted(unknown))}")

    report, pythons = Report(), interpreters(args)
    limits = measure()
    print_limits(report, limits)
    found = [c for c in CONTENDERS if c.name in (OURS, THEIRS) and c.framework in pythons]
    results: dict[str, Any] = {}
    with Workers(found, pythons, thread_count(args), report.console.print, KEEP_MEMORY) as workers:
        for family in args.families.split(","):
            rows = []
            for case in cases():
                if case.family != family or args.only not in case.name:
                    continue
                with progress(report.console, case.name):
                    digests = workers.open_kernel(case.to_json())
                    figures = workers.measure(args.rounds, seconds=0.01, budget=2.0)
                if OURS not in figures:
                    continue
                if THEIRS in digests and abs(digests[OURS] - digests[THEIRS]) > TOLERANCE * abs(digests[THEIRS]):
                    report.console.print(f"[red]{case.name}: results differ, {digests}[/red]")
                rows.append(row(case, figures, limits))
                results[f"{family}: {case.name}"] = {
                    "flops": case.flops, "bytes": case.nbytes, **{name: f.to_json() for name, f in figures.items()}
                }  # fmt: skip
            columns = [family, "graphc, us", "torch, us", "torch / graphc", "GFLOP/s", "GB/s", "share of the limit"]
            if rows:
                report.table(f"Kernels: {family}", columns, rows)
    speeds = {"flops": limits.flops, "bytes_per_second": limits.bytes_per_second}
    if args.plot:
        from plots import roofline

        roofline(args.plot, speeds, results)
    report.save(args, "kernels", {"threads": thread_count(args), "limits": speeds, "kernels": results})


if __name__ == "__main__":
    main()
