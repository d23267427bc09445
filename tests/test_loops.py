"""The loop-nest IR: values that are equal are one, what they depend on, guards, substitution, and its text."""

from __future__ import annotations

import pytest

from graphc.dtype import bool_, float32, int32, int64
from graphc.index import Ix, Var
from graphc.loop_builder import LoopBuilder, Reader
from graphc.loops import Buffer, Kernel, Store, TiledKernel, Value, all_values, gathers


@pytest.fixture
def b() -> LoopBuilder:
    return LoopBuilder()


I, J = Var("i", 4), Var("j", 6)  # noqa: E741 (as in a kernel's text)
X, Y = Buffer("x", float32, 24), Buffer("y", float32, 24)


def test_equal_values_are_one(b: LoopBuilder) -> None:
    at = Ix.of(I) * 6 + Ix.of(J)
    assert b.load(X, at) is b.load(X, Ix.of(J) + Ix.of(I) * 6)
    assert b.fn("tanh", b.load(X, at)) is b.fn("tanh", b.load(X, at))
    assert b.load(X, at) is not b.load(Y, at)
    assert b.load(X, at) + b.load(Y, at) is not b.load(Y, at) + b.load(X, at)


def test_constants_are_told_apart_by_bits_and_type(b: LoopBuilder) -> None:
    assert b.const(0.0, float32) is not b.const(-0.0, float32)
    assert b.const(1, int32) is not b.const(1, int64) and b.const(1, int32) is not b.const(True, bool_)
    assert b.const(float("nan"), float32) is b.const(float("nan"), float32)
    assert b.const(0.1, float32) is b.const(0.10000000149011612, float32)


def test_dtypes(b: LoopBuilder) -> None:
    x, y = b.const(1.0, float32), b.const(2.0, float32)
    assert (x + y).dtype is (x - y).dtype is (x * y).dtype is (x / y).dtype is (-x).dtype is float32
    assert b.fn("lt", x, y).dtype is b.fn("isnan", x).dtype is bool_
    assert b.position(Ix.of(I)).dtype is int64 and b.position(3) is b.const(3, int64)
    assert b.cast(x, int32).dtype is int32 and b.cast(x, float32) is x
    assert b.select(b.const(True, bool_), x, y).dtype is float32
    assert b.select(b.const(True, bool_), x, x) is x
    assert b.argmax(4, lambda k: b.load(X, k)).dtype is int64


def test_dependencies(b: LoopBuilder) -> None:
    load = b.load(X, Ix.of(I) * 6 + Ix.of(J))
    assert load.deps == {I, J} and b.const(1.0, float32).deps == frozenset()
    assert (load + b.cast(b.position(Ix.of(J)), float32)).deps == {I, J}
    total = b.sum(6, lambda k: b.load(X, Ix.of(I) * 6 + k))
    assert total.deps == {I} and b.max(4, lambda k: total * b.load(X, k)).deps == {I}
    product = b.contract((6,), lambda k: (b.load(X, Ix.of(I) * 6 + k), b.load(Y, k * 4 + Ix.of(J))))
    assert product.deps == {I, J}
    assert b.given("acc", float32, frozenset((I,))).deps == {I}


def test_reductions_have_variables_of_their_own(b: LoopBuilder) -> None:
    one, two = (b.sum(6, lambda k: b.load(X, k)) for _ in range(2))
    assert one is not two and one.data[1] is not two.data[1]
    for kind in ("sum", "prod", "max", "min", "any", "all", "argmax", "argmin"):
        assert getattr(b, kind)(3, lambda k: b.load(X, k)).data[0] == kind


# Guards


def test_inside_guards_what_it_reads(b: LoopBuilder) -> None:
    zero = b.const(0.0, float32)
    value = b.inside([(Ix.of(I) - 1, 0, 2)], lambda: b.load(X, Ix.of(I) - 1), zero)
    assert str(value) == "select(and(ge((i-1), 0), lt((i-1), 2)), x[i-1] if and(ge((i-1), 0), lt((i-1), 2)), 0.0)"
    assert b.guard is None and not b.load(X, Ix.of(I)).args


def test_what_cannot_leave_its_buffer_is_read_without_a_guard(b: LoopBuilder) -> None:
    zero = b.const(0.0, float32)
    within = b.inside([(Ix.of(I), 1, 9)], lambda: b.load(X, Ix.of(I)), zero)
    beyond = b.inside([(Ix.of(I), 1, 9)], lambda: b.load(X, Ix.of(I) + X.elements), zero)
    assert str(within) == "select(ge((i), 1), x[i], 0.0)" and " if ge((i), 1)" in str(beyond)
    reader = Reader((4,), int32, lambda index: b.cast(b.load(X, index[0]), int32))
    gathered = b.inside([(Ix.of(I), 1, 9)], lambda: b.load(X, b.gathered(reader, [Ix.of(I)], 4)), zero)
    assert " if ge((i), 1)" in str(gathered)  # an index that nobody has checked may be anything


def test_inside_decides_what_the_ranges_show(b: LoopBuilder) -> None:
    zero = b.const(0.0, float32)

    def read() -> Value:
        return b.load(X, Ix.of(I))

    assert b.inside([(Ix.of(I), 0, 4)], read, zero) is read()
    assert b.inside([], read, zero) is read()
    assert b.inside([(Ix.of(I), 4, 9)], read, zero) is zero
    assert b.inside([(Ix.of(I) - 4, 0, 9)], read, zero) is zero
    assert b.inside([(Ix.of(I), 0, 4), (Ix.of(I), 7, 9)], read, zero) is zero
    assert str(b.inside([(Ix.of(I), 1, 4)], read, zero)).startswith("select(ge((i), 1), ")
    assert str(b.inside([(Ix.of(I), -5, 3)], read, zero)).startswith("select(lt((i), 3), ")


def test_guards_nest(b: LoopBuilder) -> None:
    zero = b.const(0.0, float32)
    seen: list[Value | None] = []

    def inner() -> Value:
        seen.append(b.guard)
        return b.load(X, Ix.of(I))

    b.inside([(Ix.of(I), 1, 9)], lambda: b.inside([(Ix.of(J), 1, 9)], inner, zero), zero)
    assert str(seen[0]) == "and(ge((i), 1), ge((j), 1))"
    with pytest.raises(ZeroDivisionError):
        b.inside([(Ix.of(I), 1, 9)], lambda: 1 // 0, zero)  # type: ignore[arg-type, return-value]
    assert b.guard is None


def test_unguarded(b: LoopBuilder) -> None:
    def read() -> Value:
        with b.unguarded():
            assert b.guard is None
            return b.load(X, Ix.of(I))

    assert "if" not in str(b.inside([(Ix.of(I), 1, 9)], read, b.const(0.0, float32)))


def test_gathered_indices_remember_guard_position_and_extent(b: LoopBuilder) -> None:
    indices = Buffer("at", int32, 24)
    reader = Reader((4, 6), int32, lambda index: b.load(indices, Ix.of(index[0]) * 6 + Ix.of(index[1])))
    at = b.gathered(reader, [Ix.of(I), Ix.of(J)], 24, "label")
    ((atom, _),) = at.terms
    assert (atom.extent, atom.what, atom.guard) == (24, "label", None)  # type: ignore[union-attr]
    assert str(atom.position) == "6*i+j" and atom.value.dtype is int64  # type: ignore[union-attr]
    value = b.load(X, at)
    assert gathers(Kernel("k", (I, J), (Store(Y, Ix.of(I), value),))) == [atom]
    moved = value.substitute({J: Ix.of(2)})
    ((new, _),) = moved.data[1].terms
    assert str(new.position) == "6*i+2" and str(new.value) == "i64(at[6*i+2])"
    guarded: list[Ix] = []
    b.inside([(Ix.of(I), 1, 9)], lambda: b.load(X, guarded.append(b.gathered(reader, [Ix.of(I), 0], 4)) or guarded[0]),
             b.const(0.0, float32))  # fmt: skip
    assert guarded[0].terms[0][0].guard is b.fn("ge", b.position(Ix.of(I)), b.const(1, int64))  # type: ignore[union-attr]


# Rewriting


def test_substitute(b: LoopBuilder) -> None:
    value = b.fn("exp", b.load(X, Ix.of(I) * 6 + Ix.of(J)) + b.cast(b.position(Ix.of(J)), float32))
    new = Var("t", 24)
    assert str(value.substitute({I: Ix.of(new) // 6, J: Ix.of(new) % 6})) == "exp(add(x[t], f32(((t)%6))))"
    assert str(value.substitute({J: Ix.of(5)})) == "exp(add(x[6*i+5], f32(5)))"
    assert value.substitute({}) is value and value.substitute({Var("other", 2): Ix.of(0)}) is value


def test_substitute_reaches_into_reductions_and_guards(b: LoopBuilder) -> None:
    total = b.sum(6, lambda k: b.inside([(k, 1, 6)], lambda: b.load(X, Ix.of(I) * 6 + k), b.const(0.0, float32)))
    fixed = total.substitute({I: Ix.of(3)})
    assert fixed.deps == frozenset() and str(fixed).count("+18") == 1


def test_substitution_of_a_shared_expression_is_done_once(b: LoopBuilder) -> None:
    value = b.load(X, Ix.of(I))
    for _ in range(2000):
        value = value * value + value
    assert len(list(all_values([value.substitute({I: Ix.of(J)})]))) == 4001


def test_all_values_comes_to_operands_first_and_into_indices(b: LoopBuilder) -> None:
    indices = Buffer("at", int64, 4)
    at = b.gathered(Reader((4,), int64, lambda index: b.load(indices, Ix.of(index[0]))), [Ix.of(I)], 24)
    value = b.load(X, at) + b.const(1.0, float32)
    seen = list(all_values([value]))
    assert [v.kind for v in seen] == ["load", "load", "const", "fn"] and len(set(seen)) == len(seen)


# Kernels


def test_kernel_text_and_buffers(b: LoopBuilder) -> None:
    at = Ix.of(I) * 6 + Ix.of(J)
    top = b.max(6, lambda k: b.load(X, Ix.of(I) * 6 + k))
    kernel = Kernel("softmax", (I, J), (Store(Y, at, b.fn("exp", b.load(X, at) - top)),), vector=J)
    assert str(kernel) == (
        "kernel softmax(x: f32[24], y: f32[24]) {\n"
        "  for i in 0..4 {\n"
        "    for j in 0..6 vector {\n"
        f"      y[6*i+j] = exp(sub(x[6*i+j], max {top.data[1]} in 0..6 of (x[6*i+{top.data[1]}])))\n"
        "    }\n"
        "  }\n"
        "}"
    )
    assert kernel.reads == (X,) and kernel.writes == (Y,)


def test_a_kernel_that_reads_what_it_writes(b: LoopBuilder) -> None:
    kernel = Kernel("update", (I,), (Store(X, Ix.of(I), -b.load(X, Ix.of(I))), Store(Y, Ix.of(I), b.load(X, Ix.of(I)))))
    assert kernel.reads == (X,) and kernel.writes == (X, Y)


def test_tiled_kernel_text(b: LoopBuilder) -> None:
    k = Var("k", 8)
    acc = b.given("acc", float32, frozenset((I, J)))
    kernel = TiledKernel(
        "matmul", (I, J), (k,), b.load(X, Ix.of(I) * 8 + Ix.of(k)), b.load(Y, Ix.of(k) * 6 + Ix.of(J)), acc, J,
        (Store(Buffer("z", float32, 24), Ix.of(I) * 6 + Ix.of(J), b.fn("tanh", acc)),),
    )  # fmt: skip
    assert str(kernel) == (
        "kernel matmul(x: f32[24], y: f32[24], z: f32[24]) {\n"
        "  tile i in 0..4, j in 0..6 vector {\n"
        "    acc = contract k in 0..8 of (x[8*i+k] * y[j+6*k])\n"
        "    z[6*i+j] = tanh(acc)\n"
        "  }\n"
        "}"
    )


def test_the_text_of_shared_expressions_names_them(b: LoopBuilder) -> None:
    value = b.load(X, Ix.of(I))
    for _ in range(40):
        value = value * value + value
    text = str(Kernel("squares", (I,), (Store(Y, Ix.of(I), value),)))
    assert len(text) < 5000
    assert "    t0 = add(mul(x[i], x[i]), x[i])\n    t1 = add(mul(t0, t0), t0)\n" in text
    assert "    y[i] = add(mul(t38, t38), t38)\n" in text
