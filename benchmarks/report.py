"""README's figures: its marked section and its pictures, from what the benchmarks wrote as JSON.

    python benchmarks/programs.py --json programs.json          # and with --threads all, for the line about cores
    python benchmarks/networks.py --json networks.json
    python benchmarks/kernels.py --json kernels.json
    python benchmarks/report.py programs.json networks.json kernels.json

Each file says what it is, so their order does not matter; what no file has is left out. The text between the two
comments in README.md is replaced, and the pictures, which need matplotlib, are drawn into docs/pictures.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import CONTENDERS, OURS, fastest_peer, markdown_table, number

ROOT = Path(__file__).resolve().parent.parent
BEGIN = "<!-- figures: written by `python benchmarks/report.py` -->"
END = "<!-- end of figures -->"

TITLES = {
    "linear batch 100": "linear regression, batch 100",
    "mlp batch 64": "MLP 784-512-512-10, batch 64",
    "cnn batch 256": "CNN 1-32-64 5x5, dropout, batch 256",
    "cifar batch 64": "CIFAR SimpleCNN, batch 64",
    "lenet batch 32": "LeNet-5, batch 32",
}
HEADINGS = {
    "graphc graph": "graphc, graph", "graphc eager": "graphc, eager", "torch eager": "PyTorch eager",
    "torch compile": "torch.compile", "jax jit": "JAX jit", "mindspore graph": "MindSpore graph",
    "tinygrad jit": "tinygrad jit",
}  # fmt: skip

Results = Mapping[str, Any]
"""What one benchmark wrote."""


def section(results: Sequence[Results], pictures: str = "") -> str:
    """The text between the comments, in Markdown.

    Args:
        results: what the benchmarks wrote.
        pictures: the folder of the pictures, as README refers to it; without it there are none.
    """
    writers = {"programs": _programs, "networks": _networks, "kernels": _kernels}
    parts = [part for result in results for part in writers[result["benchmark"]](result, pictures)]
    return "\n\n".join(parts)


def _programs(result: Results, pictures: str) -> list[str]:
    names = [c.name for c in CONTENDERS if any(c.name in by for by in result["steps"].values())]
    rows = []
    for label, by_name in result["steps"].items():
        best = _best(by_name)
        cells = [_cell(by_name.get(name)) for name in names]
        rows.append([TITLES.get(label, label), *cells, *([_times(best / by_name[OURS]["ms"])] if best else [])])
    columns = ["ms per step", *(HEADINGS[name] for name in names)]
    columns += ["fastest other : graphc"] * (len(rows[0]) > len(columns))
    measured = f"Training steps (batch in, parameters updated), {_conditions(result)}; ~ marks noisy figures:"
    if result["threads"] != 1:
        return [measured, markdown_table(columns, rows)]
    parts = [measured, markdown_table(columns, rows), *_first_steps(result, names)]
    return [*parts, f"![Time per step in multiples of graphc's]({pictures}/steps.svg)"] if pictures else parts


def _first_steps(result: Results, names: Sequence[str]) -> list[str]:
    rows = []
    for label, by_name in result["first_step"].items():
        cells = []
        for name in names:
            times = by_name.get(name, {})
            seconds = " / ".join(f"{times[kind]:.2g}" for kind in ("cold", "warm") if kind in times)
            cells.append(f"{seconds} s, {times['peak'] / 2**20:.0f} MiB" if times else "-")
        rows.append([TITLES.get(label, label), *cells])
    if not rows:
        return []
    columns = ["cold / cached, memory", *(HEADINGS[name] for name in names)]
    return ["Time to the end of the first step, and memory of the process at most:", markdown_table(columns, rows)]


def _networks(result: Results, pictures: str) -> list[str]:
    ratios: dict[str, list[tuple[int, float, float, str]]] = {}
    for label, by_name in result["steps"].items():
        name, _, batch = label.rpartition(" batch ")
        best, eagerly = fastest_peer(by_name, lambda figure: figure["ms"]), by_name.get("graphc eager")
        if best and OURS in by_name:
            ms = best[1]["ms"]
            row = (int(batch), ms / by_name[OURS]["ms"], ms / eagerly["ms"] if eagerly else 0.0, best[0])
            ratios.setdefault(name, []).append(row)
    graph = [row[1] for found in ratios.values() for row in found]
    eager = [row[2] for found in ratios.values() for row in found if row[2]]
    if not graph:
        return []
    rows = []
    for name, measured in ratios.items():
        kinds = (1, 2) if eager else (1,)
        modes = ([f"{row[0]}: {_times(row[i])}" for row in sorted(measured) if row[i]] for i in kinds)
        rows.append([name, *map(", ".join, modes), _who({row[0]: row[3] for row in sorted(measured)})])
    steps = result["steps"].values()
    peers = [HEADINGS[c.name] for c in CONTENDERS if c.is_peer and any(c.name in step for step in steps)]
    theirs = f"the fastest of {', '.join(peers)}" if len(peers) > 1 else peers[0]
    text = (
        f"Other networks, {_conditions(result)}: how many times as long {theirs} takes. "
        f"In graph mode graphc is ahead in {sum(r >= 1 for r in graph)} of {len(graph)} steps, "
        f"{_times(_geometric_mean(graph))} in the geometric mean, {_times(min(graph))} at worst"
    )
    text += f"; in eager mode {_times(_geometric_mean(eager))}." if eager else "."
    columns = ["network", "graph mode, batch: ratio", *(["eager mode"] if eager else []), "fastest other"]
    table = markdown_table(columns, rows)
    parts = [text, f"<details><summary>All of them</summary>\n\n{table}\n\n</details>"]
    return [*parts, f"![Ratios of all networks]({pictures}/networks.svg)"] if pictures else parts


def _who(fastest: Mapping[int, str]) -> str:
    """The fastest peers of a network's batches: `PyTorch eager`, or `1, 32: JAX jit; 128: PyTorch eager`."""
    batches: dict[str, list[str]] = {}
    for batch, name in fastest.items():
        batches.setdefault(HEADINGS[name], []).append(str(batch))
    if len(batches) == 1:
        return next(iter(batches))
    return "; ".join(f"{', '.join(found)}: {name}" for name, found in batches.items())


def _kernels(result: Results, pictures: str) -> list[str]:
    kernels = [kernel for kernel in result["kernels"].values() if OURS in kernel]
    against = [kernel["torch eager"]["ms"] / kernel[OURS]["ms"] for kernel in kernels if "torch eager" in kernel]
    text = f"{len(kernels)} single kernels, {_conditions(result)}"
    if against:
        ahead = sum(r >= 1 for r in against)
        text += f": {ahead} are at least as fast as PyTorch's, {_times(_geometric_mean(against))} in the geometric mean"
    return [text + ".", *([f"![Kernels under the roofline]({pictures}/kernels.svg)"] if pictures else [])]


def _conditions(result: Results) -> str:
    threads = result["threads"]
    cores = "CPU time of one core" if threads == 1 else f"time on the wall with {threads} cores"
    return f"{cores}, {result['machine']['cpu']}"


def _best(by_name: Mapping[str, Any]) -> float | None:
    best = fastest_peer(by_name, lambda figure: figure["ms"])
    return best[1]["ms"] if best else None


def _cell(figure: Mapping[str, Any] | None) -> str:
    return "-" if figure is None else number(figure["ms"]) + (" ~" if figure["noisy"] else "")


def _times(ratio: float) -> str:
    return f"{ratio:.2f}x" if ratio < 1.995 else f"{ratio:.1f}x"


def _geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def rewritten(page: str, text: str) -> str:
    """The page with this text between the two comments.

    Raises:
        ValueError: the page has not got them, once each and in order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise ValueError(f"expected one `{BEGIN}` and, below it, one `{END}`")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def draw(results: Sequence[Results], folder: Path) -> None:
    """Draws the pictures that README refers to."""
    from plots import bars, ratios, roofline

    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        if result["benchmark"] == "programs" and result["threads"] == 1:
            bars(folder / "steps.svg", result["steps"])
        elif result["benchmark"] == "networks":
            ratios(folder / "networks.svg", result["steps"])
        elif result["benchmark"] == "kernels":
            roofline(folder / "kernels.svg", result["limits"], result["kernels"])


def main(argv: list[str] | None = None) -> None:
    """Rewrites the section and draws the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, help="what programs, networks and kernels wrote with --json")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md", help="the page to rewrite")
    parser.add_argument("--pictures", type=Path, help="where to draw (default: docs/pictures beside the page)")
    parser.add_argument("--no-pictures", action="store_true", help="only text (needs no matplotlib)")
    args = parser.parse_args(argv)
    order = ("programs", "networks", "kernels")
    results = [json.loads(path.read_text()) for path in args.files]
    for path, result in zip(args.files, results, strict=True):
        if result.get("benchmark") not in order:
            parser.error(f"{path}: expected figures of {', '.join(order)}, got {result.get('benchmark')}")
    results.sort(key=lambda result: (order.index(result["benchmark"]), result["threads"]))
    pictures = args.pictures or args.readme.parent / "docs" / "pictures"
    if not args.no_pictures:
        draw(results, pictures)
    folder = "" if args.no_pictures else os.path.relpath(pictures, args.readme.parent)
    args.readme.write_text(rewritten(args.readme.read_text(), section(results, folder)))


if __name__ == "__main__":
    main()
