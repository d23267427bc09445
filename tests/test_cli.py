"""The command line: what each command writes, and that what a user gets wrong is one line and exit code 2."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import graphc
from graphc.cli import COMMANDS, main
from graphc.cli.recipes import RECIPES, find

NETWORKS = '''\
from graphc import nn, ops


class Tiny(nn.Cell):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Dense(36, 8)
        self.fc2 = nn.Dense(8, 4)

    def construct(self, x):
        x = ops.tanh(self.fc1(x.reshape((x.shape[0], -1))))  # line 11
        return self.fc2(x)


class Branches(Tiny):
    def construct(self, x):
        y = super().construct(x)
        return y if y.sum() > 0 else -y  # line 18


class Mismatched(Tiny):
    def construct(self, x):
        return self.fc2(x)


class Needs(nn.Cell):
    def __init__(self, width):
        super().__init__()


def number():
    return 3
'''


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Each test runs in a folder of its own, with a file of networks and a folder of small images in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # a network's folder is put there
    Path("nets.py").write_text(NETWORKS, encoding="utf-8")
    draw = np.random.default_rng(0)
    Path("images").mkdir()
    for part, count in (("train", 80), ("t10k", 20)):
        labels = draw.integers(0, 4, count).astype(np.uint8)
        images = np.repeat(labels * 60, 28 * 28).astype(np.uint8)
        write_idx(f"images/{part}-images-idx3-ubyte.gz", 0x803, (count, 28, 28), images)
        write_idx(f"images/{part}-labels-idx1-ubyte.gz", 0x801, (count,), labels)
    return tmp_path


def write_idx(path, magic, shape, values):
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(struct.pack(f">{1 + len(shape)}I", magic, *shape) + values.tobytes())


TINY = ["nets.py:Tiny", "--input", "1,6,6", "--batch-size", "16"]


# Training


@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_train_prints_loss_and_accuracy_of_each_epoch(mode, capsys):
    assert main(["train", *TINY, "--data", "images", "--epochs", "3", "--lr", "0.05", "--mode", mode]) == 0
    out = capsys.readouterr().out
    losses = [float(loss) for loss in re.findall(r"epoch \d/3   mean loss (\d+\.\d+)   test accuracy", out)]
    assert len(losses) == 3 and losses[2] < losses[0]
    assert f"Tiny: 332 parameters, {mode} mode" in out


def test_both_modes_print_the_same_losses(capsys):
    printed = []
    for mode in ("graph", "eager"):
        main(["train", *TINY, "--data", "images", "--epochs", "2", "--mode", mode, "--seed", "7"])
        printed.append(re.findall(r"mean loss \S+   test accuracy \S+", capsys.readouterr().out))
    assert printed[0] == printed[1] and len(printed[0]) == 2


def test_train_writes_a_checkpoint_that_loads(capsys):
    assert main(["train", *TINY, "--data", "images", "--epochs", "1", "--checkpoint", "tiny.ckpt"]) == 0
    assert graphc.load_checkpoint("tiny.ckpt")["fc1.weight"].shape == (8, 36)
    assert "tiny.ckpt" in capsys.readouterr().out


def test_train_says_where_the_dumps_are_and_they_can_be_drawn(capsys):
    assert main(["train", *TINY, "--data", "images", "--epochs", "1", "--save-graphs", "ir"]) == 0
    out = capsys.readouterr().out
    command = re.search(r"^ +\S*graphc (dump .*?)(?: +#.*)?$", out, re.MULTILINE)[1].split()
    assert main(command) == 0
    assert "<svg" in Path("step.html").read_text(encoding="utf-8")
    shown = Path(re.search(r"less (\S+)", out)[1]).read_text(encoding="utf-8")
    assert "update %fc1.weight <-" in shown, "the folder it names is the training step's"


def test_linear_learns_its_line(capsys):
    assert main(["train", "linear", "--checkpoint", "line.ckpt"]) == 0
    found = graphc.load_checkpoint("line.ckpt")
    assert found["weight"].item() == pytest.approx(2.0, abs=0.05)
    assert found["bias"].item() == pytest.approx(0.5, abs=0.05)


def test_cifar_is_trained_from_its_binary_files(capsys):
    draw = np.random.default_rng(0)
    Path("cifar").mkdir()
    for file in ("data_batch_1.bin", "test_batch.bin"):
        records = draw.integers(0, 256, (128, 1 + 3 * 32 * 32)).astype(np.uint8)
        records[:, 0] %= 10
        records.tofile(f"cifar/{file}")
    assert main(["train", "cifar", "--data", "cifar", "--epochs", "1"]) == 0
    assert "epoch 1/1   mean loss 2.3" in capsys.readouterr().out


# Dumps


def dump(capsys, *arguments):
    assert main(["dump", *arguments]) == 0
    return capsys.readouterr().out


def test_dump_shows_the_whole_step_with_the_users_lines(capsys):
    text = dump(capsys, *TINY, "--stage", "traced")
    assert text.startswith("graph Tiny_step(%inputs: f32[16,1,6,6]")
    assert re.search(r"= tanh\(.*# \S+ nets\.py:11\n", text)
    assert "update %fc2.bias <-" in text and text.count("\n}") == 1


def test_dump_knows_every_stage(capsys):
    from graphc.compiler import STAGES

    whole = dump(capsys, *TINY)
    assert re.findall(r"^; stage (\w+)$", whole, re.MULTILINE) == list(STAGES)
    parser_help = main(["dump", "--help"]) or capsys.readouterr().out
    assert all(stage in parser_help for stage in STAGES)


def test_stages_after_the_one_asked_for_are_not_computed(capsys, monkeypatch):
    import graphc.compiler

    made = []

    def stages(graph):
        for name in graphc.compiler.STAGES:
            made.append(name)
            yield name, "text"

    monkeypatch.setattr(graphc.compiler, "stage_texts", stages)
    dump(capsys, *TINY, "--stage", "cse")
    assert made[-1] == "cse"


@pytest.mark.parametrize("stage", ["traced", "layout", "schedule"])
def test_dot_draws_graphs_and_the_schedule(stage, capsys):
    text = dump(capsys, *TINY, "--stage", stage, "--format", "dot")
    assert text.startswith("digraph") and " -> " in text


def test_html_holds_every_stage_and_the_source(capsys):
    assert main(["dump", *TINY, "--format", "html", "-o", "tiny.html"]) == 0
    page = Path("tiny.html").read_text(encoding="utf-8")
    assert all(f'<section id="{name}">' in page for name in ("traced", "schedule", "memory", "asm", "source"))
    assert "# line 11" in page and 'href="#src-nets.py-11"' in page
    assert not re.search(r"(src|href)=\"(?!#)", page), "nothing is fetched from elsewhere"


@pytest.mark.parametrize("model", RECIPES)
def test_every_model_can_be_dumped(model, capsys):
    text = dump(capsys, model, "--batch-size", "2", "--stage", "memory")
    assert text.startswith(f"memory {model}_step: arena")


# Profile, doctor, bench


def test_profile_prints_a_row_for_each_kernel_and_writes_a_trace(capsys):
    assert main(["profile", *TINY, "--rounds", "3", "--trace", "trace.json", "--json", "figures.json"]) == 0
    out = capsys.readouterr().out
    rows = re.findall(r"^ +(\d+)  (\S+) +3 +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+  \d+% \w+", out, re.MULTILINE)
    events = json.loads(Path("trace.json").read_text(encoding="utf-8"))["traceEvents"]
    kernels = [event for event in events if event.get("cat") == "kernel"]
    figures = json.loads(Path("figures.json").read_text(encoding="utf-8"))
    assert 3 * [name for _, name in rows] == [event["name"] for event in kernels]
    assert [name for _, name in rows] == [kernel["name"] for kernel in figures]
    assert [int(number) for number, _ in rows] == list(range(len(rows)))
    assert all(a["ts"] + a["dur"] <= b["ts"] + 1e-6 for a, b in itertools.pairwise(kernels))
    assert "GFLOP/s" in out and "arena:" in out and "nets.py:11" in out and "limits, 1 thread" in out


def test_profile_of_a_network_of_which_no_graph_can_be_made(capsys):
    branches = ["nets.py:Branches", *TINY[1:]]
    assert main(["profile", *branches, "--rounds", "3"]) == 0
    printed = capsys.readouterr()
    assert printed.out.endswith("batch: f32[16,1,6,6]\n") and "arena" not in printed.out
    assert printed.err.startswith("graphc: warning: Branches_step runs op by op") and printed.err.count("\n") == 1


def test_doctor_finds_this_machine_in_order(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for word in ("graphc", "numpy", "llvmlite", "lanes of float32", "threads", "cache", "entries", "same bits"):
        assert word in out
    assert os.environ["GRAPHC_CACHE_DIR"] in out


def test_doctor_says_that_nothing_is_cached(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "file" / "cache"))
    (tmp_path / "file").touch()
    assert main(["doctor"]) == 0
    assert "cannot be written to" in capsys.readouterr().out


def test_doctor_fails_when_a_kernel_computes_wrongly(capsys, monkeypatch):
    monkeypatch.setattr("graphc.cli.doctor.jit", lambda function: lambda x: function(x) + 1.0)
    assert main(["doctor"]) == 1
    assert "FAILED" in capsys.readouterr().out


def test_bench_runs_the_benchmarks_of_the_checkout_with_their_arguments(capfd, monkeypatch, tmp_path):
    monkeypatch.setattr(graphc, "__file__", str(tmp_path / "graphc" / "__init__.py"))
    Path("benchmarks").mkdir()
    Path("benchmarks/__main__.py").write_text("import sys\nprint(*sys.argv[1:])\nsys.exit(3)\n", encoding="utf-8")
    assert main(["bench", "--rounds", "5"]) == 3
    assert main(["bench", "other", "--threads", "1"]) == 3
    assert capfd.readouterr().out.splitlines() == ["--rounds 5", "other --threads 1"]


def test_bench_outside_a_checkout_says_so(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(graphc, "__file__", str(tmp_path / "graphc" / "__init__.py"))
    assert main(["bench"]) == 2
    assert "checkout" in capsys.readouterr().err


# What users get wrong


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("", "required: COMMAND"),
        ("bake", "invalid choice: 'bake'"),
        ("train", "required: MODEL"),
        ("train resnet", "expected linear, mlp, cnn, cifar, lenet or FILE.py:NAME as MODEL, got 'resnet'"),
        ("train lenet --epochs 0", "expected a whole number at least 1, got '0'"),
        ("train lenet --lr -1", "expected a number above 0, got '-1'"),
        ("train lenet --lr nan", "expected a number above 0, got 'nan'"),
        ("train lenet --threads 1000", "expected a whole number from 1 to 256, got '1000'"),
        ("train lenet --input 1,0", "expected sizes such as 1,28,28, got '1,0'"),
        ("train lenet --mode fast", "invalid choice: 'fast'"),
        ("train lenet --data nowhere", "'nowhere', expected a directory that exists"),
        ("train lenet --checkpoint no/where.ckpt", "expected a file in a folder that exists, got 'no/where.ckpt'"),
        ("train lenet --checkpoint images", "expected a file in a folder that exists, got 'images'"),
        ("train cifar", "give a folder of CIFAR-10's binary files as --data"),
        ("train cifar --data images", "takes images of 3 channels, those in images have 1"),
        ("train linear --data images", "--data is for models of images"),
        ("train mlp --input 784", "expected --input C,H,W, got 784"),
        ("train lenet --data images --batch-size 500", "train_dataset is empty"),
        ("train nowhere.py:Net", "there is no file nowhere.py"),
        ("train nets.py:Missing", "nets.py defines no class or function 'Missing'"),
        ("train nets.py:number", "expected a Cell, got int"),
        ("train nets.py:Needs", "nets.py:Needs cannot be made without arguments"),
        ("dump nets.py:Branches --input 1,6,6", "nets.py:18"),
        ("dump nets.py:Mismatched --input 1,6,6", "nets.py:23\n"),
        ("dump nets.py:Tiny", "nets.py:11 (inputs are 1,28,28 unless --input says otherwise)"),
        ("dump lenet --stage nothing", "there is no stage 'nothing': expected all, traced,"),
        ("dump lenet --stage kernels --format dot", "draws one graph or schedule"),
        ("dump lenet --stage traced -o no/where.txt", "no/where.txt"),
        ("dump lenet --batch-size 1000000000", "Unable to allocate"),
        ("dump images", "images holds no dumps"),
        ("train lenet --steps 3", "graphc train: unrecognized arguments: --steps 3 (see graphc train --help)"),
        ("profile lenet --trace no/where.json", "argument --trace: expected a file in a folder"),
        ("profile lenet --json no/where.json", "argument --json: expected a file in a folder"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(command, message, capsys):
    assert main(command.split()) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1 and captured.err.startswith("graphc"), captured.err


def test_a_file_that_cannot_be_imported_is_a_mistake_too(capsys):
    Path("broken.py").write_text("import nothing_of_this_name\n", encoding="utf-8")
    assert main(["dump", "broken.py:Net"]) == 2
    assert "broken.py cannot be imported: ModuleNotFoundError" in capsys.readouterr().err


def test_debug_shows_the_traceback():
    with pytest.raises(ValueError, match="train_dataset is empty"):
        main(["--debug", "train", "lenet", "--data", "images", "--batch-size", "500"])


def test_help_of_every_command(capsys):
    for command in COMMANDS:
        assert main([command, "--help"]) == 0
        assert f"usage: graphc {command}" in capsys.readouterr().out


def test_recipe_options_replace_its_own():
    recipe = find("lenet").changed(batch_size=4, lr=0.5)
    inputs, labels = recipe.example_batch(recipe.network())
    assert inputs.shape == (4, 1, 32, 32) and labels.asnumpy().tolist() == [0, 1, 2, 3]
    assert (recipe.lr, find("lenet").lr) == (0.5, 0.01)


# As a process


def start(*arguments, **options):
    return subprocess.Popen([sys.executable, "-m", "graphc", *arguments], text=True, **options)


def test_ctrl_c_ends_with_130_and_no_traceback():
    process = start("train", "linear", "--epochs", "100000", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline().startswith("linear")
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and err.strip() == "interrupted"


def test_a_reader_that_has_seen_enough_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m graphc dump nets.py:Tiny --input 1,6,6 --stage llvm | head -1",
        shell=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.stdout and done.stderr == ""


def test_version():
    process = start("--version", stdout=subprocess.PIPE)
    assert process.communicate(timeout=60)[0] == f"graphc {graphc.__version__}\n"


def test_terminals_that_lack_a_letter_show_another():
    command = [sys.executable, "-m", "graphc", "profile", "linear", "--rounds", "1"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "?s each" in done.stdout


# Programs

PROGRAM = """\
import sys
import graphc as ms
from graphc import Tensor, ops

print(sys.argv[1:], __name__)

@ms.jit
def root(x):
    return ops.sqrt(x) * 2.0  # line 9

print(root(Tensor([4.0, float(sys.argv[1])])))
if len(sys.argv) > 2:
    sys.exit(int(sys.argv[2]))
"""


@pytest.fixture
def program():
    """A program, run in a process of its own."""
    Path("program.py").write_text(PROGRAM, encoding="utf-8")

    def run(*given):
        command = [sys.executable, "-m", "graphc", "run", *given]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    return run


def test_run_runs_a_program_as_python_does(program):
    done = program("program.py", "9", "3", "--profile")
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout == "['9', '3', '--profile'] __main__\n[4. 6.]\n"
    done = program("program.py", "nine")
    assert done.returncode == 1
    assert done.stderr.startswith('Traceback (most recent call last):\n  File "program.py", line 11, in <module>\n')
    done = program("nosuch.py")
    assert (done.returncode, done.stderr) == (2, "graphc run: there is no file nosuch.py\n")


def test_run_looks_into_a_program(program):
    done = program("--profile", "--trace", "trace.json", "--save-graphs", "ir", "--log-traces", "program.py", "9")
    assert done.returncode == 0
    assert "1 kernel of 1 function, 1 call: " in done.stdout and "program.py:9" in done.stdout
    assert done.stderr == "graphc: root: traced for (f32[2])\n"
    assert "sqrt_mul" in Path("trace.json").read_text(encoding="utf-8")
    assert "program.py:9" in Path("ir/00_root/00_traced.txt").read_text(encoding="utf-8")


def test_run_finds_where_nan_comes_from(program):
    done = program("--detect-anomaly", "program.py", "-1")
    assert done.returncode == 1
    assert "FloatingPointError: what root returns has NaN, from sqrt (program.py:9): 1 of 2" in done.stderr
