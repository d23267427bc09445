"""Order: what runs sooner than it is written, and that nothing runs before what it needs."""

from __future__ import annotations

from graphs import Made, graphs
from hypothesis import given, settings
from stages import check_schedule, graph_of, groups_of, scheduled


def test_what_frees_more_than_it_keeps_runs_at_once() -> None:
    """The sum is the last to read the product, and waits for nothing."""
    lines = [
        "%0: f32[4,6] = matmul(%x, %w, transpose_a=False, transpose_b=False)",
        "%1: f32[4,6] = matmul(%0, %w, transpose_a=False, transpose_b=False)",
        "%2: f32[4,6] = matmul(%1, %w, transpose_a=False, transpose_b=False)",
        "%3: f32[4] = sum({}, run=(1, 2))",
        "return %2, %3",
    ]
    inputs = "%x: f32[4,6], %w: f32[6,6]"
    for summed, order in {"%0": [0, 1, 3, 2], "%1": [0, 1, 2, 3], "%2": [0, 1, 2, 3]}.items():
        body = "\n".join(line.format(summed) for line in lines)
        groups = groups_of(f"graph f({inputs}) {{\n{body}\n}}")
        assert groups == [[["matmul"], ["matmul"], ["matmul"], ["sum"]][n] for n in order]


def test_a_weight_is_updated_when_its_last_reader_has_run() -> None:
    """The product that reads it comes last, though the new weight could be had at once."""
    graph = graph_of(
        """
        graph f(%x: f32[4,4]; %w: f32[4,4]) {
          %0: f32[4,4] = matmul(%x, %x, transpose_a=False, transpose_b=False)
          %1: f32[4]   = sum(%0, run=(1, 2))
          %2: f32[4,4] = broadcast_to(%1, shape=(4, 4))
          %3: f32[4,4] = mul(%w, %2)
          %4: f32[4,4] = matmul(%0, %w, transpose_a=False, transpose_b=False)
          update %w <- %3
          return %4
        }"""
    )
    ran = [[node.op for node in group.nodes] for group in scheduled(graph).groups]
    assert ran.index(["matmul"], 1) < next(n for n, ops in enumerate(ran) if "mul" in ops)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs())
def test_random_graphs_can_run_so(made: Made) -> None:
    check_schedule(scheduled(made.graph))
