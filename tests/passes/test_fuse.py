"""Fusion: what runs together, what stays apart, and that every schedule can be run."""

from __future__ import annotations

from textwrap import dedent

import pytest
from graphs import Made, graphs
from hypothesis import given, settings
from stages import check_schedule, graph_of, groups_of, prepared, scheduled, training_step

from graphc.passes.fuse import CHEAP_WORK, fuse
from graphc.schedule import Layout


def test_the_text_of_a_schedule() -> None:
    """A bias and an activation are the epilogue of a matrix product; the broadcast is only an index."""
    graph = graph_of(
        """
        graph f(%x: f32[4,6]; %w: f32[6,8], %b: f32[8]) {
          %0: f32[4,8] = matmul(%x, %w, transpose_a=False, transpose_b=False)
          %1: f32[4,8] = broadcast_to(%b, shape=(4, 8))
          %2: f32[4,8] = add(%0, %1)
          %3: f32[4,8] = tanh(%2)
          %4: f32[4] = sum(%3, run=(1, 2))
          return %3, %4
        }"""
    )
    assert str(fuse(graph, {})) == dedent(
        """\
        schedule f {
          group 0 tiled matmul_add_tanh {
            computes %0 matmul, %1 broadcast_to, %2 add, %3 tanh
            reads    %x, %w, %b
            writes   %3: f32[4,8] rows
          }
          group 1 loops sum {
            computes %4 sum
            reads    %3
            writes   %4: f32[4] rows
          }
        }"""
    )


def body(*lines: str, inputs: str = "%x: f32[4,6]") -> list[list[str]]:
    numbered = "\n".join(f"  {line}" for line in lines)
    return groups_of(f"graph f({inputs}) {{\n{numbered}\n}}")


def test_a_kernel_computes_no_more_than_so_many_nodes_within_views() -> None:
    """To find out how often each is computed takes time with every other one."""

    def turned(count: int) -> list[list[str]]:
        lines, total = [], "%x"
        for k in range(0, 3 * count, 3):
            lines += [
                f"%{k}: f32[6,6] = tanh(%x)",
                f"%{k + 1}: f32[6,6] = transpose(%{k}, perm=(1, 0))",
                f"%{k + 2}: f32[6,6] = add({total}, %{k + 1})",
            ]
            total = f"%{k + 2}"
        return body(*lines, f"return {total}", inputs="%x: f32[6,6]")

    assert len(turned(20)) == 1
    assert 1 < len(turned(55)) < 30


def test_elementwise_chains_and_views_are_one_kernel() -> None:
    assert body(
        "%0: f32[6,4] = transpose(%x, perm=(1, 0))",
        "%1: f32[6,4] = tanh(%0)",
        "%2: f32[24] = reshape(%1, shape=(24,))",
        "%3: f32[8] = slice(%2, begin=(1,), shape=(8,), step=(3,))",
        "%4: f32[10] = pad(%3, 0.5, low=(1,), high=(1,), interior=(0,))",
        "%5: f32[10] = mul(%4, %4)",
        "return %5",
    ) == [["transpose", "tanh", "reshape", "slice", "pad", "mul"]]


def test_a_shared_value_is_computed_once() -> None:
    assert body(
        "%0: f32[4,6] = exp(%x)",
        "%1: f32[4,6] = add(%0, %x)",
        "%2: f32[4,6] = mul(%0, %1)",
        "return %1, %2",
    ) == [["exp", "add", "mul"]]


def test_outputs_of_one_shape_share_loops() -> None:
    assert body("%0: f32[4,6] = exp(%x)", "%1: f32[4,6] = neg(%0)", "return %0, %1") == [["exp", "neg"]]


def test_a_softmax_keeps_its_totals_in_registers() -> None:
    assert body(
        "%0: f32[4] = max(%x, run=(1, 2))",
        "%1: f32[4,1] = reshape(%0, shape=(4, 1))",
        "%2: f32[4,6] = broadcast_to(%1, shape=(4, 6))",
        "%3: f32[4,6] = sub(%x, %2)",
        "%4: f32[4,6] = exp(%3)",
        "%5: f32[4] = sum(%4, run=(1, 2))",
        "%6: f32[4,1] = reshape(%5, shape=(4, 1))",
        "%7: f32[4,6] = broadcast_to(%6, shape=(4, 6))",
        "%8: f32[4,6] = div(%4, %7)",
        "return %8",
    ) == [["max", "reshape", "broadcast_to", "sub", "exp"], ["sum", "reshape", "broadcast_to", "div"]]


def test_a_reduction_reads_its_operand_as_it_is_made() -> None:
    assert body("%0: f32[4,6] = exp(%x)", "%1: f32[] = sum(%0, run=(0, 2))", "return %1") == [["exp", "sum"]]


def test_what_would_be_computed_over_and_over_is_stored() -> None:
    """exp of 6 numbers, not of 4 times 6; a total that every element needs."""
    assert body(
        "%0: f32[6] = exp(%x)",
        "%1: f32[400,6] = broadcast_to(%0, shape=(400, 6))",
        "%2: f32[400,6] = neg(%1)",
        "return %2",
        inputs="%x: f32[6]",
    ) == [["exp"], ["broadcast_to", "neg"]]
    assert body(
        "%0: f32[6] = sum(%x, run=(0, 1))",
        "%1: f32[4,6] = broadcast_to(%0, shape=(4, 6))",
        "%2: f32[4,6] = sub(%x, %1)",
        "return %2",
    ) == [["sum"], ["broadcast_to", "sub"]]


def test_what_was_surrounded_is_stored_where_a_reshape_runs_over_its_edges() -> None:
    """Where the edges stay edges, it is only another index."""
    pad = "%0: f32[4,8] = pad(%x, 0.0, low=(0, 1), high=(0, 1), interior=(0, 0))"
    over = body(pad, "%1: f32[2,16] = reshape(%0, shape=(2, 16))", "%2: f32[2] = sum(%1, run=(1, 2))", "return %2")
    assert over == [["pad"], ["reshape", "sum"]]
    kept = body(pad, "%1: f32[2,2,8] = reshape(%0, shape=(2, 2, 8))", "%2: f32[2,2] = sum(%1, run=(2, 3))", "return %2")
    assert kept == [["pad", "reshape", "sum"]]


def test_an_update_is_the_epilogue_of_its_gradient() -> None:
    assert groups_of(
        """
        graph f(%x: f32[4,6], %d: f32[4,8]; %w: f32[6,8], %m: f32[6,8]) {
          %0: f32[6,8] = matmul(%x, %d, transpose_a=True, transpose_b=False)
          %1: f32[6,8] = broadcast_to(0.9, shape=(6, 8))
          %2: f32[6,8] = mul(%m, %1)
          %3: f32[6,8] = add(%2, %0)
          %4: f32[6,8] = broadcast_to(0.1, shape=(6, 8))
          %5: f32[6,8] = mul(%3, %4)
          %6: f32[6,8] = sub(%w, %5)
          update %m <- %3
          update %w <- %6
          return
        }"""
    ) == [["broadcast_to", "mul", "matmul", "add", "broadcast_to", "mul", "sub"]]


def test_contractions_read_memory() -> None:
    assert groups_of(
        """
        graph f(%x: f32[4,6], %w: f32[6,8], %v: f32[8,3]) {
          %0: f32[4,6] = exp(%x)
          %1: f32[8,6] = transpose(%w, perm=(1, 0))
          %2: f32[4,8] = matmul(%0, %1, transpose_a=False, transpose_b=True)
          %3: f32[4,8] = relu(%2)
          %4: f32[4,3] = matmul(%3, %v, transpose_a=False, transpose_b=False)
          return %4
        }"""
    ) == [["exp"], ["transpose", "matmul", "relu"], ["matmul"]]


def test_a_consumer_that_also_needs_a_third_group_waits_for_it() -> None:
    """The running sums need all of the product, and the division both: it cannot be the product's epilogue."""
    assert groups_of(
        """
        graph f(%x: f32[4,6], %w: f32[6,8]) {
          %0: f32[4,8] = matmul(%x, %w, transpose_a=False, transpose_b=False)
          %1: f32[4,8] = cumsum(%0, axis=1)
          %2: f32[4,8] = div(%0, %1)
          %3: f32[4,8] = relu(%0)
          return %2, %3
        }"""
    ) == [["matmul", "relu"], ["cumsum"], ["div"]]


def test_a_total_is_computed_before_the_loops_that_need_it() -> None:
    assert body(
        "%0: f32[] = sum(%x, run=(0, 2))",
        "%1: f32[4,6] = broadcast_to(%0, shape=(4, 6))",
        "%2: f32[4,6] = div(%x, %1)",
        "return %2",
    ) == [["sum", "broadcast_to", "div"]]


def test_what_computes_several_neighbours_at_once_stands_alone() -> None:
    """It reads memory, as each element is read for several of its own; and no one computes in its loops."""
    attrs = "matrix=((1, 1), (1, -1))"
    assert body(
        "%0: f32[2,3,4,4] = exp(%x)",
        f"%1: f32[2,2,2,3,2,2] = to_tiles(%0, {attrs}, step=2, low=(0, 0), count=(2, 2))",
        "%2: f32[2,2,2,3,2,2] = tanh(%1)",
        f"%3: f32[2,3,4,4] = from_tiles(%2, {attrs})",
        "%4: f32[2,3,4,4] = tanh(%3)",
        "return %4",
        inputs="%x: f32[2,3,4,4]",
    ) == [["exp"], ["to_tiles"], ["tanh"], ["from_tiles"], ["tanh"]]


def test_hand_made_kernels_stand_alone() -> None:
    assert body(
        "%0: f32[4,6] = exp(%x)",
        "%1: f32[4,6] = cumsum(%0, axis=1)",
        "%2: f32[4,6] = neg(%1)",
        "%3: i64[4,6] = argsort(%2, descending=False)",
        "return %3",
    ) == [["exp"], ["cumsum"], ["neg"], ["argsort"]]


def test_readers_of_a_parameter_run_before_its_update() -> None:
    schedule = fuse(
        graph_of(
            """
            graph f(%x: f32[9]; %w: f32[9]) {
              %0: f32[9] = add(%w, %x)
              %1: f32[9] = flip(%w, axes=(0,))
              %2: f32[3,3] = reshape(%1, shape=(3, 3))
              %3: f32[3,3] = exp(%2)
              update %w <- %0
              return %3
            }"""
        ),
        {},
    )
    assert [g.nodes[-1].op for g in schedule.groups] == ["exp", "add"]


def test_checks_run_before_updates() -> None:
    schedule = fuse(
        graph_of(
            """
            graph f(%x: f32[9], %i: i64[2]; %w: f32[9]) {
              %0: f32[9] = add(%w, %x)
              %1: f32[2] = gather(%x, %i, axis=0, batch_dims=0)
              update %w <- %0
              return %1
            }"""
        ),
        {},
    )
    assert [g.nodes[-1].op for g in schedule.groups] == ["gather", "add"]


@pytest.mark.parametrize("op", ["neg", "flip"])
def test_long_chains_are_cut(op: str) -> None:
    attrs = ", axes=(0,)" if op == "flip" else ""
    lines = [f"  %{k}: f32[5] = {op}(%{k - 1 if k else 'x'}{attrs})" for k in range(300)]
    graph = graph_of("graph f(%x: f32[5]) {\n" + "\n".join(lines) + "\n  return %299\n}")
    schedule = fuse(graph, {})
    check_schedule(schedule)
    assert 300 // 64 <= len(schedule.groups) <= 12


def test_wide_sums_are_one_group() -> None:
    """A limit on depth is none on width."""
    lines = [f"  %{k}: f32[5] = mul(%x{k}, %x{k})" for k in range(40)]
    total = [f"  %{40 + k}: f32[5] = add(%{2 * k}, %{2 * k + 1})" for k in range(39)]
    inputs = ", ".join(f"%x{k}: f32[5]" for k in range(40))
    graph = graph_of(f"graph f({inputs}) {{\n" + "\n".join([*lines, *total]) + "\n  return %78\n}")
    assert len(fuse(graph, {}).groups) == 1


@settings(max_examples=120, deadline=None, derandomize=True)
@given(graphs(most=16))
def test_random_graphs_have_schedules_that_run(made: Made) -> None:
    check_schedule(fuse(prepared(made.graph), {}))
    check_schedule(scheduled(made.graph))


@pytest.mark.parametrize("batch", [2, 16, 32])
def test_a_training_step_has_a_schedule_that_runs(batch: int) -> None:
    schedule = scheduled(training_step(batch))
    check_schedule(schedule)
    assert len(schedule.groups) < len(schedule.graph.nodes) / 4


def test_a_long_chain_before_a_sum() -> None:
    """Longer than Python's stack is deep: it is cut, and each part is computed once."""
    lines = ["%0: f32[4,6] = add(%x, %x)"]
    lines += [f"%{n}: f32[4,6] = add(%{n - 1}, %{n - 1})" for n in range(1, 1200)]
    lines += ["%1200: f32[] = sum(%1199, run=(0, 2))", "return %1200"]
    schedule = fuse(graph_of("graph f(%x: f32[4,6]) {\n" + "\n".join(f"  {line}" for line in lines) + "\n}"), {})
    check_schedule(schedule)
    assert sum(len(g.nodes) for g in schedule.groups) == 1201


ROWS = """
    graph f(%x: f32[64,512]) {{
      %0: f32[64] = sum(%x, run=(1, 2))
      %1: f32[64,1] = reshape(%0, shape=(64, 1))
      %2: f32[64,512] = broadcast_to(%1, shape=(64, 512))
      %3: f32[64,512] = {}
      %4: f32[64,512] = mul(%3, %3)
      %5: f32[64] = sum(%4, run=(1, 2))
      %6: f32[64,1] = reshape(%5, shape=(64, 1))
      %7: f32[64,512] = broadcast_to(%6, shape=(64, 512))
      %8: f32[64,512] = div(%3, %7)
      return %8
    }}"""


def test_a_normalisation_is_one_kernel() -> None:
    """The mean of a row is known before its variance, and that before its elements; a difference is no work."""
    (group,) = groups_of(ROWS.format("sub(%x, %2)"))
    assert group == ["sum", "reshape", "broadcast_to", "sub", "mul", "sum", "reshape", "broadcast_to", "div"]


TWICE = """
    graph f(%x: f32[8,64], %s: f32[8,1]) {{
      %0: f32[8,64] = {}
      %1: f32[8,64] = broadcast_to(%s, shape=(8, 64))
      %2: f32[8,64] = sub(%0, %1)
      %3: f32[8] = sum(%2, run=(1, 2))
      %4: f32[64] = sum(%2, run=(0, 1))
      return {}%3, %4
    }}"""


def test_what_is_as_cheap_as_its_load_is_computed_by_all_who_read_it() -> None:
    """Loading what it is made of takes as long; unless that would be stored for it alone."""
    kept = groups_of(TWICE.format("exp(%x)", "%0, "))
    assert kept == [["exp"], ["broadcast_to", "sub", "sum"], ["broadcast_to", "sub", "sum"]]
    rectified = groups_of(TWICE.format("exp(%x)", "%0, ").replace("sub(%0, %1)", "relu(%0)"))
    assert rectified == [["exp"], ["relu", "sum"], ["relu", "sum"]]
    halved = groups_of(TWICE.format("exp(%x)", "%0, ").replace("broadcast_to(%s", "broadcast_to(0.5"))
    assert halved == kept, "a number is no value that must be read"
    alone = groups_of(TWICE.format("exp(%x)", ""))
    assert alone == [["exp", "broadcast_to", "sub"], ["sum"], ["sum"]]
    longer = groups_of(TWICE.format("exp(%x)", "%0, ").replace("sub(", "div("))
    assert longer == [["exp", "broadcast_to", "div"], ["sum"], ["sum"]]


def test_a_number_and_a_view_take_no_load_of_their_own() -> None:
    """What is made of a turned value and a number is computed again wherever it is read, from that one value."""
    text = """
        graph f(%x: f32[64,32]; %y: f32[32,64]) {
          %0: f32[32,64] = transpose(%x, perm=(1, 0))
          %1: f32[32,64] = broadcast_to(0.5, shape=(32, 64))
          %2: f32[32,64] = mul(%0, %1)
          %3: f32[32,64] = tanh(%2)
          %4: f32[32] = sum(%3, run=(1, 2))
          %5: f32[32,64] = div(%y, %2)
          return %4, %5
        }"""
    groups = groups_of(text)
    assert [[op for op in group if op != "broadcast_to"] for group in groups] == [
        ["transpose", "mul", "tanh", "sum"], ["transpose", "mul", "div"]
    ]  # fmt: skip


@pytest.mark.parametrize(("rows", "stored"), [(8, []), (7, [["broadcast_to", "broadcast_to", "sub"]])])
def test_differences_of_all_pairs_are_computed_by_all_who_read_them(rows: int, stored: list[list[str]]) -> None:
    """What they are made of is in the cache, if it is far smaller."""
    lines = (
        f"%0: f32[{rows},64] = broadcast_to(%x, shape=({rows}, 64))",
        f"%1: f32[{rows},64] = broadcast_to(%y, shape=({rows}, 64))",
        f"%2: f32[{rows},64] = sub(%0, %1)",
        f"%3: f32[{rows}] = sum(%2, run=(1, 2))",
        "%4: f32[64] = sum(%2, run=(0, 1))",
        "return %3, %4",
    )
    groups = body(*lines, inputs=f"%x: f32[{rows},1], %y: f32[64]")
    apart = [["broadcast_to", "broadcast_to", "sub", "sum"]] * 2
    assert groups == (stored + [["sum"]] * 2 if stored else apart)


def test_long_chains_of_what_is_cheap_are_stored_in_between() -> None:
    """Each value of a recurrence has another reader: none is computed again from the first."""
    lines, results = [], []
    for n in range(20):
        before = f"%{3 * n - 3}" if n else "%x"
        lines += [f"%{3 * n}: f32[8,64] = mul({before}, {before})", f"%{3 * n + 1}: f32[8] = sum(%{3 * n}, run=(1, 2))"]
        lines += [f"%{3 * n + 2}: f32[64] = sum(%{3 * n}, run=(0, 1))"]
        results += [f"%{3 * n + 1}", f"%{3 * n + 2}"]
    groups = body(*lines, f"return {', '.join(results)}", inputs="%x: f32[8,64]")
    sums = [group for group in groups if "sum" in group]
    assert len(sums) == 40 and max(group.count("mul") for group in sums) == CHEAP_WORK


def test_what_takes_longer_than_a_load_is_computed_once() -> None:
    """A function, or what would be read from two places."""
    assert len(groups_of(ROWS.format("pow(%x, %2)"))) > 1
    two = ROWS.format("sub(%x, %y)").replace("(%x: f32[64,512])", "(%x: f32[64,512], %y: f32[64,512])")
    assert len(groups_of(two)) > 1


POOLED = """
    graph f(%x: f32[2,3,8,8]; %w: f32[3,3,3,3]) {{
      %0: f32[2,3,8,8] = conv(%x, %w, groups=1, stride=(1, 1), dilation=(1, 1), low=(1, 1), size=(8, 8))
      %1: f32[2,3,4,4] = max_pool(%0, {window})
      %2: f32[2,3,4,4] = tanh(%1)
      %3: f32[2,3,4,4] = exp(%2)
      %4: i32[2,3,4,4] = max_pool_index(%0, {window})
      %5: f32[2,3,8,8] = max_pool_grad(%3, %4, size=(8, 8), {window})
      return {results}
    }}"""
WINDOW = "kernel=(2, 2), stride=(2, 2), padding=((0, 0), (0, 0)), dilation=(1, 1)"


def test_where_a_maximum_stands_is_found_beside_it() -> None:
    schedule = fuse(graph_of(POOLED.format(window=WINDOW, results="%3, %5")), {})
    assert [[n.op for n in group.nodes] for group in schedule.groups] == [
        ["conv"], ["max_pool", "tanh", "exp", "max_pool_index"], ["max_pool_grad"],
    ]  # fmt: skip


def test_reductions_over_the_same_elements_are_one() -> None:
    groups = body(
        "%0: f32[4] = max(%x, run=(1, 2))",
        "%1: f32[4] = min(%x, run=(1, 2))",
        "%2: f32[6] = max(%x, run=(0, 1))",
        "return %0, %1, %2",
    )
    assert groups == [["max", "min"], ["max"]]


@pytest.mark.parametrize("taps, apart", [(4, True), (16, False)])
def test_short_runs_of_turned_memory_are_turned_by_themselves(taps: int, apart: bool) -> None:
    """What is computed of them then fills its vectors."""
    graph = graph_of(
        f"""
        graph f(%x: f32[20,30,{taps}]; %w: f32[30,20,{taps}]) {{
          %0: f32[20,30,{taps}] = exp(%x)
          %1: f32[30,20,{taps}] = transpose(%0, perm=(1, 0, 2))
          %2: f32[30,20,{taps}] = flip(%1, axes=(2,))
          %3: f32[30,20,{taps}] = sub(%w, %2)
          update %w <- %3
          return %0
        }}"""
    )
    (gradient,) = (node for node in graph.nodes if node.op == "exp")
    schedule = fuse(graph, {gradient: Layout(gradient.shape, False, (1, 2, 0))})
    assert [g.name for g in schedule.groups] == (["exp", "flip", "sub"] if apart else ["exp", "flip_sub"])


@pytest.mark.parametrize(
    ("split", "perm", "of", "apart"),
    [
        ("(4, 2, 2, 8, 8)", "(0, 3, 1, 4, 2)", "exp", False),  # woven: vectors along the rows
        ("(4, 2, 2, 8, 8)", "(0, 3, 1, 4, 2)", "with another", True),
        ("(4, 2, 2, 8, 8)", "(0, 3, 4, 2, 1)", "exp", True),
        ("(4, 2, 2, 8, 8)", "(3, 0, 1, 2, 4)", "exp", True),  # rows of eight, half a vector
        ("(4, 2, 2, 8, 8)", "(3, 0, 1, 2, 4)", "neg", False),
        ("(4, 4, 4, 16)", "(1, 0, 2, 3)", "exp", False),
    ],
)
def test_what_is_read_in_short_runs_is_turned_by_itself(split: str, perm: str, of: str, apart: bool) -> None:
    """If vectors that are not full, of what is computed, take longer than to store it."""
    shape = [int(n) for n in split.strip("()").split(",")]
    out = [shape[int(axis)] for axis in perm.strip("()").split(",")]
    views = f"%0: f32{shape} = reshape(%x, shape={split})", f"%1: f32{out} = transpose(%0, perm={perm})"
    last = f"%2: f32{out} = {of}(%1)" if of != "with another" else f"%2: f32{out} = add(%1, %y)"
    lines = [line.replace(", ", ",", line.split("]")[0].count(", ")) for line in (*views, last)]
    inputs = f"%x: f32[16,64], %y: f32[{','.join(map(str, out))}]"
    assert len(body(*lines, "return %2", inputs=inputs)) == 1 + apart


@pytest.mark.parametrize("of", ["prod(%x, run=(0, 1))", "sum(%x, run=(0, 1))"])
def test_a_reduction_whose_axes_are_turned_is_stored(of: str) -> None:
    """In the order of the turned result it would read its operand in jumps."""
    lines = [f"%0: f32[40,30] = {of}", "%1: f32[40,30] = neg(%0)", "%2: f32[30,40] = transpose(%1, perm=(1, 0))"]
    groups = body(*lines, "return %2", inputs="%x: f32[20,40,30]")
    assert groups == [[of[: of.index("(")], "neg"], ["transpose"]]


@pytest.mark.parametrize(
    ("run", "apart"), [((0, 3), True), ((1, 3), True), ((0, 2), False), ((2, 3), False), ((1, 2), False)]
)
def test_what_was_surrounded_is_stored_where_a_reduction_runs_over_its_edges(run: tuple[int, int], apart: bool) -> None:
    shape = [n for axis, n in enumerate((4, 5, 9)) if not run[0] <= axis < run[1]]
    lines = [
        "%0: f32[4,5,9] = pad(%x, 0.0, low=(0, 0, 1), high=(0, 0, 1), interior=(0, 0, 0))",
        "%1: f32[4,5,9] = exp(%0)",
        f"%2: f32{str(shape).replace(' ', '')} = sum(%1, run={run})",
    ]
    groups = body(*lines, "return %2", inputs="%x: f32[4,5,7]")
    assert (groups[0] == ["pad"]) == apart


@pytest.mark.parametrize(("places", "apart"), [(4, False), (17, True)])
def test_a_reduction_of_which_most_is_looked_up_is_stored(places: int, apart: bool) -> None:
    """Summed where it is looked up, it would read apart in every lane; where little of it is, less is summed so."""
    lines = ["%0: f32[12,17] = sum(%x, run=(1, 2))", f"%1: f32[12,{places}] = gather(%0, %i, axis=1, batch_dims=0)"]
    groups = body(*lines, "return %1", inputs=f"%x: f32[12,20,17], %i: i32[{places}]")
    assert groups == ([["sum"], ["gather"]] if apart else [["sum", "gather"]])


@pytest.mark.parametrize(("rows", "apart"), [(8, False), (64, True)])
def test_a_long_total_is_made_once(rows: int, apart: bool) -> None:
    """Its readers' work comes in parts, of threads and of blocks of rows, each of which would make it again."""
    lines = [
        "%0: f32[] = sum(%x, run=(0, 2))", f"%1: f32[{rows},20] = broadcast_to(%0, shape=({rows}, 20))",
        f"%2: f32[{rows},20] = div(%x, %1)",
    ]  # fmt: skip
    groups = body(*lines, "return %2", inputs=f"%x: f32[{rows},20]")
    assert groups == ([["sum"], ["broadcast_to", "div"]] if apart else [["sum", "broadcast_to", "div"]])


def test_what_many_are_reduced_to_is_not_computed_twice() -> None:
    lines = [
        "%0: f32[12,30] = sum(%x, run=(0, 1))", "%1: f32[2,12,30] = broadcast_to(%0, shape=(2, 12, 30))",
        "%2: f32[2,12,30] = exp(%1)",
    ]  # fmt: skip
    assert body(*lines, "return %2", inputs="%x: f32[20,12,30]") == [["sum"], ["broadcast_to", "exp"]]
