"""Pictures of what was measured, from what the benchmarks write as JSON. They need matplotlib.

    bars("steps.svg", programs["steps"])
    ratios("networks.svg", networks["steps"])
    roofline("kernels.svg", kernels["limits"], kernels["kernels"])

An SVG is the same file whenever the figures are the same, and keeps its text as text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import CONTENDERS, OURS, fastest_peer

Steps = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""For each workload, for each contender, its `Figure.to_json()`."""


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError:
        raise SystemExit("pictures need matplotlib, which is not installed: pip install matplotlib") from None
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "graphc", "font.size": 9})
    import matplotlib.pyplot as plt

    return plt


def _save(plt: Any, figure: Any, path: str | Path) -> None:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if str(path).endswith(".svg") else None, dpi=120)
    plt.close(figure)


def roofline(path: str | Path, limits: Mapping[str, Any], kernels: Mapping[str, Mapping[str, Any]]) -> None:
    """Draws kernels by arithmetic intensity (flops per byte) and speed, under the limits of the core.

    Args:
        path: the picture, its kind by its suffix.
        limits: "flops" and "bytes_per_second", measured.
        kernels: by "family: name", their "flops", "bytes" and figures; those without flops are left out.
    """
    plt = _pyplot()
    figure, axes = plt.subplots(figsize=(7.5, 4.5))
    intensities = [2.0**e for e in range(-3, 11)]
    for level, speed in limits["bytes_per_second"]["triad"].items():
        roof = [min(limits["flops"], i * speed) / 1e9 for i in intensities]
        axes.plot(intensities, roof, linewidth=1, label=f"{level}: {speed / 1e9:.0f} GB/s")
    peak = limits["flops"] / 1e9
    axes.axhline(peak, color="black", linewidth=1, label=f"FMA: {peak:.0f} GFLOP/s")
    families: dict[str, list[Mapping[str, Any]]] = {}
    for name, kernel in kernels.items():
        if kernel["flops"] and OURS in kernel:
            families.setdefault(name.split(":")[0], []).append(kernel)
    for family, chosen in families.items():
        x = [kernel["flops"] / kernel["bytes"] for kernel in chosen]
        y = [kernel["flops"] / kernel[OURS]["ms"] / 1e6 for kernel in chosen]
        axes.plot(x, y, "o", markersize=4, label=family)
    axes.set(xscale="log", yscale="log", xlabel="flops per byte", ylabel="GFLOP/s")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    _save(plt, figure, path)


def bars(path: str | Path, steps: Steps) -> None:
    """Draws each workload's steps as bars, as multiples of graphc's in graph mode; noisy ones are hatched.

    Args:
        path: the picture, its kind by its suffix.
        steps: what was measured.
    """
    plt = _pyplot()
    names = [c.name for c in CONTENDERS if any(c.name in by for by in steps.values())]
    figure, axes = plt.subplots(figsize=(1.5 + 1.6 * len(steps), 4))
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        found = [
            (j, by_name[name]["ms"] / by_name[OURS]["ms"], by_name[name]["noisy"])
            for j, by_name in enumerate(steps.values()) if name in by_name and OURS in by_name
        ]  # fmt: skip
        hatches = ["///" if noisy else "" for _, _, noisy in found]
        places, multiples = [j + i * width for j, _, _ in found], [multiple for _, multiple, _ in found]
        axes.bar(places, multiples, width, color=f"C{i}", label=name, hatch=hatches)
        for place, multiple in zip(places, multiples, strict=True):
            axes.text(place, multiple, f"{multiple:.2g}", ha="center", va="bottom", fontsize=6)
    axes.set_yscale("log")
    axes.set_ylabel("time per step, in graphc's")
    axes.set_xticks([j + 0.4 - width / 2 for j in range(len(steps))], list(steps), fontsize=8)
    axes.legend(fontsize=7)
    _save(plt, figure, path)


def ratios(path: str | Path, steps: Steps) -> None:
    """Draws how many times as long as graphc the fastest peer takes: a line for each network, its batches as numbers in
    the colour of that peer.

    Args:
        path: the picture, its kind by its suffix.
        steps: what was measured, by "name batch size"; workloads without a peer's figure are left out.
    """
    plt = _pyplot()
    found: dict[str, dict[str, float]] = {}
    colors: dict[str, str] = {}
    fastest: dict[tuple[str, str], str] = {}
    for label, by_name in steps.items():
        best = fastest_peer(by_name, lambda figure: figure["ms"])
        if best is not None and OURS in by_name:
            name, _, batch = label.rpartition(" batch ")
            found.setdefault(name, {})[batch] = best[1]["ms"] / by_name[OURS]["ms"]
            fastest[name, batch] = colors.setdefault(best[0], f"C{len(colors)}")
    lines = sorted(found.items(), key=lambda line: math.prod(line[1].values()) ** (1 / len(line[1])))
    figure, axes = plt.subplots(figsize=(7.5, 0.8 + 0.17 * len(lines)))
    for row, (name, by_batch) in enumerate(lines):
        axes.plot([min(by_batch.values()), max(by_batch.values())], [row, row], color="0.9", linewidth=3, zorder=1)
        for batch, ratio in by_batch.items():
            axes.text(ratio, row, batch, color=fastest[name, batch], fontsize=7, ha="center", va="center")
    for name, color in colors.items():
        axes.plot([], [], "s", color=color, label=name)
    axes.legend(fontsize=7, loc="lower right")
    axes.axvline(1, color="black", linewidth=1, zorder=0)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}x")
    axes.set_yticks(range(len(lines)), [name for name, _ in lines], fontsize=7)
    axes.set_ylim(-1, len(lines))
    axes.set_xlabel("the fastest other framework : graphc in graph mode, at each batch size")
    axes.grid(alpha=0.3, zorder=0)
    _save(plt, figure, path)
