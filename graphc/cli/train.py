"""`graphc train`: a network, a recipe, a folder of images; loss and accuracy of each epoch."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from graphc.cli import data, recipes
from graphc.cli.options import model_arguments, output_file, whole
from graphc.context import GRAPH_MODE, PYNATIVE_MODE, get_context, set_context
from graphc.random import set_seed
from graphc.serialization import save_checkpoint
from graphc.train.callbacks import Callback, RunContext, loss_of
from graphc.train.model import Model
from graphc.train.progress import ProgressBar


def arguments(parser: argparse.ArgumentParser) -> None:
    model_arguments(parser)
    parser.add_argument("--mode", choices=("graph", "eager"), default="graph", help="compiled (default), or op by op")
    parser.add_argument(
        "--data", metavar="DIR", help="MNIST's, Fashion-MNIST's or CIFAR-10's files (default: what comes with graphc)"
    )
    parser.add_argument("--epochs", type=whole(1), metavar="N", help="passes over the data (default: the model's own)")
    parser.add_argument("--save-graphs", metavar="DIR", help="write the text of every stage of every compile there")
    parser.add_argument("--checkpoint", type=output_file, metavar="FILE", help="write the trained Parameters there")


def run(args: argparse.Namespace) -> int:
    recipe = recipes.find(args.model).changed(args.batch_size, args.input, args.lr)
    set_context(mode=GRAPH_MODE if args.mode == "graph" else PYNATIVE_MODE)
    if args.threads:
        set_context(runtime_num_threads=args.threads)
    if args.save_graphs:
        set_context(save_graphs=True, save_graphs_path=args.save_graphs)
    set_seed(args.seed)

    train, test, origin = data.datasets(recipe, args.data)
    network = recipe.network()
    model = Model(
        network, recipe.loss(), recipe.optimizer(network.trainable_params(), recipe.lr),
        metrics={"accuracy" if recipe.classes else "mae"},
    )  # fmt: skip
    threads = get_context("runtime_num_threads")
    print(
        f"{recipe.name}: {sum(p.size for p in network.get_parameters()):,} parameters, {args.mode} mode, "
        f"{threads} thread{'s' * (threads > 1)}\ndata: {origin}",
        flush=True,
    )
    report = Report()
    bar = [ProgressBar()] if sys.stdout.isatty() else []
    model.fit(args.epochs or recipe.epochs, train, test, callbacks=[*bar, report])
    print(report.summary())
    if args.checkpoint:
        save_checkpoint(network, args.checkpoint)
        print(f"checkpoint: {args.checkpoint}")
    if args.save_graphs:
        print(_dumps(Path(args.save_graphs)))
    return 0


class Report(Callback):
    """Times steps; prints each epoch's mean loss, and the metric on the test data."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.losses: list[Any] = []
        self.metric = ""
        self.seconds = self._epoch_began = self._step_began = 0.0

    def on_train_epoch_begin(self, run_context: RunContext) -> None:
        self.losses = []
        self._epoch_began = time.perf_counter()

    def on_train_step_begin(self, run_context: RunContext) -> None:
        self._step_began = time.perf_counter()

    def on_train_step_end(self, run_context: RunContext) -> None:
        self.steps.append(time.perf_counter() - self._step_began)
        self.losses.append(run_context.original_args().net_outputs)

    def on_train_epoch_end(self, run_context: RunContext) -> None:
        seconds = time.perf_counter() - self._epoch_began
        self.seconds += seconds
        cb_params = run_context.original_args()
        self.metric = ", ".join(f"{name} {value:.4f}" for name, value in cb_params.metrics.items())
        mean = statistics.fmean(loss_of(loss) or 0.0 for loss in self.losses)
        epochs = cb_params.epoch_num
        print(
            f"epoch {cb_params.cur_epoch_num:{len(str(epochs))}}/{epochs}   mean loss {mean:.4f}   "
            f"test {self.metric}   {seconds:.2f} s",
            flush=True,
        )

    def summary(self) -> str:
        """Time of all epochs with their evaluations, of the first step (which compiles) and of the others."""
        text = f"trained in {self.seconds:.2f} s: first step {self.steps[0]:.2f} s"
        if len(self.steps) > 1:
            text += f", then {statistics.median(self.steps[1:]) * 1e3:.3f} ms each"
        return f"{text}; test {self.metric}"


def _dumps(folder: Path) -> str:
    """Where the dumps are, and how to look at them."""
    compiles = sorted(path for path in folder.iterdir() if path.is_dir())
    step = next((path for path in compiles if _updates(path)), compiles[0])
    stages = sorted(step.glob("*.txt"))
    return "\n".join((
        f"\ngraph dumps: {folder}/, one folder for each compile; the training step is {step}/",
        *(f"  {stage.name:24} {_lines(stage):>7,} lines" for stage in stages),
        "look at them:",
        f"  less {stages[0]}",
        f"  {_program()} dump {step} --format html -o step.html    # a page for the browser, with drawings",
    ))  # fmt: skip


def _program() -> str:
    """What this command line was called by."""
    return sys.argv[0] if os.path.basename(sys.argv[0]) == "graphc" else "graphc"


def _updates(folder: Path) -> bool:
    """Whether what was compiled updates Parameters, as a training step does."""
    return "\n  update " in (folder / "00_traced.txt").read_text(encoding="utf-8")


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())
