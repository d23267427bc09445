"""`graphc dump`: any stage of compiling a training step, as text, for Graphviz, or as a page for the browser."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from graphc.cli import recipes
from graphc.cli.errors import UsageError
from graphc.cli.options import model_arguments, output_file

Stages = Iterator[tuple[str, str]]


def arguments(parser: argparse.ArgumentParser) -> None:
    model_arguments(parser, what="; or a folder that `set_context(save_graphs=True)` wrote")
    parser.add_argument(
        "--stage", default="all", metavar="NAME",
        help="traced, pairs, winograd, portions, sparse, simplify, narrow, rows, cse, fold, masked, own_outputs, "
        "layout, join, schedule, kernels, chain, memory, llvm, asm; or all (default)",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("text", "dot", "html"), default="text",
        help="html is one file that needs no network; dot draws graphs and the schedule",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=output_file, metavar="FILE", help="write there instead of to the standard output"
    )


def run(args: argparse.Namespace) -> int:
    folder = Path(args.model)
    if folder.is_dir():
        stages, sources = _written(folder), dict[str, str]()
    else:
        stages, sources = _compiled(args)
    chosen = dict(stages if args.stage == "all" else _only(args.stage, stages))
    text = _formatted(args, chosen, sources)
    if args.output:
        Path(args.output).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


def _formatted(args: argparse.Namespace, stages: dict[str, str], sources: dict[str, str]) -> str:
    from graphc import drawing

    if args.format == "html":
        return drawing.html_page(f"{args.model}: training step", stages, sources)
    if args.format == "text":
        if len(stages) == 1:
            return "".join(f"{text}\n" for text in stages.values())
        return "\n".join(f"; stage {name}\n{text}\n" for name, text in stages.items())
    pictures = [picture for text in stages.values() if (picture := drawing.picture(text))]
    if len(pictures) != 1:
        raise UsageError(f"--format dot draws one graph or schedule: give its stage, such as layout; got {args.stage}")
    return drawing.dot(pictures[0]) + "\n"


def _only(name: str, stages: Stages) -> Stages:
    """The stage of that name; those after it are not computed."""
    seen = []
    for stage, text in stages:
        seen.append(stage)
        if stage == name:
            return iter([(stage, text)])
    raise UsageError(f"there is no stage {name!r}: expected all, {', '.join(seen)}")


def _compiled(args: argparse.Namespace) -> tuple[Stages, dict[str, str]]:
    """The stages of a model's training step, made as they are asked for; and the user's files it comes from."""
    from graphc.compiler import STAGES, stage_texts
    from graphc.programs import set_num_threads
    from graphc.random import set_seed
    from graphc.trace import trace

    recipe = recipes.find(args.model).changed(args.batch_size, args.input, args.lr)
    if args.stage not in ("all", *STAGES):
        raise UsageError(f"there is no stage {args.stage!r}: expected all, {', '.join(STAGES)}")
    if args.threads:
        set_num_threads(args.threads)
    set_seed(args.seed)
    step = recipe.step()

    def training_step(inputs: object, labels: object) -> object:
        return step(inputs, labels)

    name = re.sub(r"\W", "_", f"{recipe.name}_step")
    graph = trace(training_step, recipe.example_batch(), {}, name).graph
    return stage_texts(graph), _sources({node.loc.file for node in graph.nodes if node.loc.file})


def _sources(paths: set[str]) -> dict[str, str]:
    """The files' texts by their short names, as far as they can be read."""
    found = {}
    for path in sorted(paths):
        if path.endswith(".py") and Path(path).is_file():
            found[Path(path).name] = Path(path).read_text(encoding="utf-8", errors="replace")
    return found


def _written(folder: Path) -> Stages:
    """The stages in a folder of dumps: `00_traced.txt`, ..."""
    files = sorted(path for path in folder.glob("*.txt") if re.fullmatch(r"\d+_\w+", path.stem))
    if not files:
        inner = sorted(path.parent.name for path in folder.glob("*/*_traced.txt"))
        hint = f"; one of its folders? ({', '.join(inner[:5])})" if inner else ""
        raise UsageError(f"{folder} holds no dumps such as 00_traced.txt{hint}")
    for path in files:
        yield path.stem.partition("_")[2], path.read_text(encoding="utf-8").rstrip("\n")
