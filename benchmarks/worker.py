"""The process that runs one framework, in its own interpreter: it answers requests on stdin, a line of JSON each.

    {"do": "open", "workload": {...}, "dropout": true}   -> {"seconds": time to the end of the first step},
                                                            or {"lacks": the model's name}
    {"do": "measure", "seconds": 0.03}                   -> {"wall": s per step, "cpu": s per step, "steps": n}
    {"do": "losses", "count": 5}                         -> {"losses": [...]}
    {"do": "memory"}                                     -> {"peak": bytes}

The parent (`harness.Worker`) keeps several of these and gives each its turn, so that all meet the same noise.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
import traceback
from typing import Any

RING = 4  # batches in use: more than one, so that no framework finds its input where it left it

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Server:
    """What requests call.

    Args:
        framework: "graphc", "mindspore", "torch", "jax" or "tinygrad".
        variant: which of its ways to run.
        threads: how many it may use.
    """

    def __init__(self, framework: str, variant: str, threads: int) -> None:
        self.framework, self.variant, self.threads = framework, variant, threads
        os.environ["BENCHMARK_FRAMEWORK"] = framework
        start = time.perf_counter()
        module = "mindspore" if framework == "graphc" else framework
        self.api = importlib.import_module(f"frameworks.{module}_api")
        self.import_seconds = time.perf_counter() - start
        self.session: Any = None
        self.batches: list[Any] = [()]
        self.block = 1

    def open(self, workload: dict[str, Any], dropout: bool = True) -> dict[str, Any]:
        """Builds a model and makes its first step, if the framework has it in its `MODELS`."""
        from workloads import Workload

        self.session = None
        spec = Workload.from_json(workload)
        if spec.model not in self.api.MODELS:
            return {"lacks": spec.model}
        arrays = spec.batches(RING)
        start = time.perf_counter()
        self.session = self.api.Session(spec, self.variant, self.threads, dropout)
        self.batches = [self.session.prepare(*batch) for batch in arrays]
        self.session.step(*self.batches[0])
        self.session.sync()
        self.block = 1
        return {"seconds": time.perf_counter() - start, "import_seconds": self.import_seconds}

    def open_kernel(self, **case: Any) -> dict[str, Any]:
        """Builds a call of one kernel and makes it once."""
        kernels = importlib.import_module("kernel_sessions")
        self.session, self.batches, self.block = None, [()], 1
        start = time.perf_counter()
        self.session = kernels.SESSIONS[self.framework](case, self.variant, self.threads)
        kernels.touch_memory(2 * case["nbytes"])
        self.session.step()
        return {"seconds": time.perf_counter() - start, "digest": self.session.digest()}

    def losses(self, count: int) -> dict[str, Any]:
        """Makes steps, the first batch always, and returns the loss of each."""
        found = []
        for _ in range(count):
            self.session.step(*self.batches[0])
            found.append(self.session.sync())
        return {"losses": found}

    def measure(self, seconds: float) -> dict[str, Any]:
        """Times a block of steps that takes about so many seconds."""
        wall, cpu, steps = self._block(self.block)
        if wall * steps < 0.7 * seconds:
            self.block = max(1, min(int(seconds / wall), 10 * self.block))
        elif wall * steps > 1.5 * seconds:
            self.block = max(1, int(seconds / wall))
        return {"wall": wall, "cpu": cpu, "steps": steps}

    def _block(self, steps: int) -> tuple[float, float, int]:
        step, batches, count = self.session.step, self.batches, len(self.batches)
        cpu, wall = time.process_time(), time.perf_counter()
        for i in range(steps):
            step(*batches[i % count])
        self.session.sync()
        return (time.perf_counter() - wall) / steps, (time.process_time() - cpu) / steps, steps

    def memory(self) -> dict[str, Any]:
        """The most memory this process has held so far."""
        return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def main() -> None:
    """Serves until stdin ends."""
    options = json.loads(sys.argv[1])
    os.sched_setaffinity(0, options["cpus"])
    for name in THREAD_VARIABLES:
        os.environ[name] = str(options["threads"])
    if options["framework"] == "jax" and options["threads"] == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what frameworks print is no answer
    try:
        server = Server(options["framework"], options["variant"], options["threads"])
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=answers, flush=True)
        return
    print(json.dumps({"import_seconds": server.import_seconds}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(server, request.pop("do"))(**request)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
