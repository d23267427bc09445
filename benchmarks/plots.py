"""Pictures of what was measured: kernels under the machine's roofline, and steps as bars. They need matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness import CONTENDERS, Figure

if TYPE_CHECKING:
    from kernel_cases import Case

    from graphc.runtime.limits import Limits


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError:
        raise SystemExit("--plot needs matplotlib, which is not installed: pip install matplotlib") from None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def roofline(path: str, limits: Limits, points: list[tuple[Case, float]]) -> None:
    """Draws kernels by arithmetic intensity (flops per byte) and speed, under the limits of the core.

    Args:
        path: the picture, its kind by its suffix.
        limits: the measured limits.
        points: kernels and their seconds; those without flops are left out.
    """
    plt = _pyplot()
    figure, axes = plt.subplots(figsize=(8, 5))
    intensities = [2**e for e in range(-3, 11)]
    for level, speed in limits.bytes_per_second["triad"].items():
        roof = [min(limits.flops, i * speed) / 1e9 for i in intensities]
        axes.plot(intensities, roof, linewidth=1, label=f"{level}: {speed / 1e9:.0f} GB/s")
    axes.axhline(limits.flops / 1e9, color="black", linewidth=1, label=f"FMA: {limits.flops / 1e9:.0f} GFLOP/s")
    for family in dict.fromkeys(case.family for case, _ in points if case.flops):
        chosen = [(case, seconds) for case, seconds in points if case.family == family and case.flops]
        axes.plot(
            [case.flops / case.nbytes for case, _ in chosen], [case.flops / seconds / 1e9 for case, seconds in chosen],
            "o", markersize=4, label=family,
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="flops per byte", ylabel="GFLOP/s")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path)


def bars(path: str, figures: dict[str, dict[str, Figure]]) -> None:
    """Draws each workload's steps as bars, as multiples of graphc's in graph mode; noisy ones are hatched.

    Args:
        path: the picture, its kind by its suffix.
        figures: for each workload the figure of each contender.
    """
    plt = _pyplot()
    names = [c.name for c in CONTENDERS if any(c.name in by for by in figures.values())]
    figure, axes = plt.subplots(figsize=(1.5 + 1.6 * len(figures), 4))
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        for j, by_name in enumerate(figures.values()):
            if name in by_name and "graphc graph" in by_name:
                multiple = by_name[name].seconds / by_name["graphc graph"].seconds
                axes.bar(
                    j + i * width, multiple, width, color=f"C{i}", label=name if j == 0 else None,
                    hatch="///" if by_name[name].is_noisy else None,
                )  # fmt: skip
                axes.text(j + i * width, multiple, f"{multiple:.2g}", ha="center", va="bottom", fontsize=6)
    axes.set_yscale("log")
    axes.set_ylabel("time per step, in graphc's")
    axes.set_xticks([j + 0.4 - width / 2 for j in range(len(figures))], list(figures), fontsize=8)
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path)
