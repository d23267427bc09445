"""Memory plans: who lives where, and that nobody finds another's values there."""

from __future__ import annotations

from textwrap import dedent

from graphs import Made, graphs
from hypothesis import given, settings
from stages import check_plan, graph_of, prepared, scheduled, training_step

from graphc.arrays import LINE, PAGE
from graphc.passes.fuse import fuse
from graphc.passes.plan_memory import APART, plan_memory
from graphc.schedule import MemoryPlan, Schedule


def planned(text: str) -> tuple[Schedule, MemoryPlan]:
    schedule = fuse(graph_of(text), {})
    plan = plan_memory(schedule)
    check_plan(schedule, plan)
    return schedule, plan


def homes(text: str) -> dict[str, str]:
    """Where each stored value lives, by its op and the order of such ops."""
    schedule, plan = planned(text)
    named: dict[str, str] = {}
    for node in (s for g in schedule.groups for s in g.stores):
        number = sum(key.split(" ")[0] == node.op for key in named)
        named[f"{node.op} {number}"] = str(plan.homes[node])
    return named


SCANS = """
    graph f(%x: f32[100]) {
      %0: f32[100] = tanh(%x)
      %1: f32[100] = cumsum(%0, axis=0)
      %2: f32[100] = exp(%1)
      %3: f32[100] = cumsum(%2, axis=0)
      %4: f32[100] = flip(%3, axes=(0,))
      %5: f32[100] = add(%4, %3)
      return %5
    }"""


def test_values_that_never_live_together_share_bytes() -> None:
    """exp works in place on what it reads; a hand-made kernel never does; the output has a buffer of its own."""
    assert homes(SCANS) == {
        "tanh 0": "arena+0", "cumsum 0": "arena+448", "exp 0": "arena+448", "cumsum 1": "arena+0", "add 0": "output 0",
    }  # fmt: skip


def test_the_text_of_a_plan() -> None:
    schedule, plan = planned(SCANS)
    assert plan.text(schedule) == dedent(
        """\
        memory f: arena 896 bytes, largest live set 896 bytes
          %0                  400 bytes at arena+0, live in groups 0..1
          %1                  400 bytes at arena+448, live in groups 1..2
          %2                  400 bytes at arena+448, live in groups 2..3
          %3                  400 bytes at arena+0, live in groups 3..4"""
    )


def test_updates_are_written_in_place_once_everybody_has_read() -> None:
    assert homes(
        """
        graph f(%x: f32[9]; %w: f32[9]) {
          %0: f32[9] = add(%w, %x)
          %1: f32[9] = flip(%w, axes=(0,))
          %2: f32[3,3] = reshape(%1, shape=(3, 3))
          %3: f32[3,3] = exp(%2)
          update %w <- %0
          return %3
        }"""
    ) == {"exp 0": "output 0", "add 0": "input 1"}


def test_updates_that_read_other_elements_are_not_written_in_place() -> None:
    product = "matmul(%w, %w, transpose_a=False, transpose_b=False)"
    for op in ("flip(%w, axes=(0,))", "transpose(%w, perm=(1, 0))", product):
        found = homes(f"graph f(; %w: f32[8,8]) {{\n  %0: f32[8,8] = {op}\n  update %w <- %0\n  return\n}}")
        assert list(found.values()) == ["arena+0"], op


def test_a_swap_needs_one_copy() -> None:
    found = homes(
        """
        graph f(; %p: f32[8], %q: f32[8]) {
          %0: f32[8] = copy(%q)
          %1: f32[8] = copy(%p)
          update %p <- %0
          update %q <- %1
          return
        }"""
    )
    assert sorted(v.split("+")[0].split(" ")[0] for v in found.values()) == ["arena", "input"]


def test_updates_wait_for_checks() -> None:
    """Nothing is written to a Parameter by a group that may still find an index out of range."""
    found = homes(
        """
        graph f(%i: i64[4]; %w: f32[8], %v: f32[4]) {
          %0: f32[4] = gather(%w, %i, axis=0, batch_dims=0)
          %1: f32[4] = add(%0, %v)
          update %v <- %1
          return
        }"""
    )
    assert list(found.values()) == ["arena+0"]


def test_values_of_different_sizes_do_not_overlap() -> None:
    schedule, plan = planned(
        """
        graph f(%x: f32[3], %y: f64[50]) {
          %0: f32[3] = cumsum(%x, axis=0)
          %1: f64[50] = cumsum(%y, axis=0)
          %2: f32[3] = cumsum(%0, axis=0)
          %3: f64[50] = cumsum(%1, axis=0)
          %4: f32[3] = cumsum(%2, axis=0)
          %5: f64[50] = cumsum(%3, axis=0)
          return %4, %5
        }"""
    )
    assert plan.arena_bytes <= 2 * 64 + 2 * 448 and len(schedule.groups) == 6


def test_long_chains_need_two_buffers() -> None:
    lines = [f"  %{k}: f32[1000] = cumsum(%{k - 1 if k else 'x'}, axis=0)" for k in range(40)]
    _, plan = planned("graph f(%x: f32[1000]) {\n" + "\n".join(lines) + "\n  return %39\n}")
    assert plan.arena_bytes == plan.bound_bytes == 2 * 4032


@settings(max_examples=120, deadline=None, derandomize=True)
@given(graphs(most=16))
def test_random_graphs_have_plans_that_hold(made: Made) -> None:
    for schedule in (fuse(prepared(made.graph), {}), scheduled(made.graph)):
        plan = plan_memory(schedule)
        check_plan(schedule, plan)
        apart = {s: APART * (s.type.nbytes >= PAGE) for g in schedule.groups for s in g.stores if s in plan.live}
        everything = sum(-(-s.type.nbytes // LINE) * LINE + more for s, more in apart.items())
        assert plan.arena_bytes <= everything or any(schedule.layout(n).blocked for n in plan.live)


def test_the_plan_of_a_training_step() -> None:
    """Adam's update of every weight happens in place, and the arena is close to what must live at once."""
    schedule = scheduled(training_step(32))
    plan = plan_memory(schedule)
    check_plan(schedule, plan)
    assert plan.arena_bytes <= 1.3 * plan.bound_bytes
    in_place = [value for _, value in schedule.graph.updates if plan.homes[value].kind == "input"]
    weights = 6 * 3  # each with its two moments
    assert len(in_place) >= weights
