"""IR text to native code: linking, caching, errors, parallel compilation, lifetime."""

import contextlib
import ctypes
import dataclasses
import gc
import os
import subprocess
import sys
import threading

import pytest

from graphc.runtime import cache, jit, target

ADD = "define i32 @add_{0}(i32 %x) {{\n  %y = add i32 %x, {0}\n  ret i32 %y\n}}\n"
TWICE = """\
declare i32 @{callee}(i32)

define i32 @{name}(i32 %x) {{
  %y = call i32 @{callee}(i32 %x)
  %z = call i32 @{callee}(i32 %y)
  ret i32 %z
}}
"""


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "cache"))
    cache.clear()
    gc.collect()
    with jit.lock:
        jit._unload_retired()


@pytest.fixture
def generated(monkeypatch):
    """The texts that code is generated for, in order."""
    texts = []
    original = jit._generate

    def generate(text, level, as_object):
        texts.append(text)
        return original(text, level, as_object)

    monkeypatch.setattr(jit, "_generate", generate)
    return texts


def call(native: jit.Native, name: str, x: int) -> int:
    return native.function(name, ctypes.c_int32, ctypes.c_int32)(x)


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, timeout=60
    )


def test_compiled_function_runs():
    assert call(jit.compile_text([ADD.format(5)], ["add_5"]), "add_5", 37) == 42


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_every_level(level):
    assert call(jit.compile_text([ADD.format(5)], ["add_5"], level), "add_5", 37) == 42


@pytest.mark.parametrize("level", [-1, 4])
def test_other_levels_are_refused(level):
    with pytest.raises(ValueError, match=f"level from 0 to 3, got {level}"):
        jit.compile_text([ADD.format(5)], ["add_5"], level)


def test_texts_of_one_call_call_one_another():
    texts = [TWICE.format(name="four", callee="two"), TWICE.format(name="two", callee="add_1"), ADD.format(1)]
    native = jit.compile_text(texts, ["four", "two"])
    assert (call(native, "four", 0), call(native, "two", 0)) == (4, 2)


def test_later_text_calls_earlier_library(generated):
    kernel = jit.compile_text([ADD.format(3)], ["add_3"])
    step = jit.compile_text([TWICE.format(name="step", callee="add_3")], ["step"])
    del kernel
    gc.collect()
    jit.compile_text([ADD.format(4)], ["add_4"])  # unloads what nobody needs
    assert "add_3" in jit._exports
    assert call(step, "step", 0) == 6
    assert len(generated) == 3


def test_same_text_is_compiled_once(generated):
    first = jit.compile_text([ADD.format(3), ADD.format(3)], ["add_3"])
    second = jit.compile_text([ADD.format(4), ADD.format(3)], ["add_3", "add_4"])
    assert generated == [ADD.format(3), ADD.format(4)]
    assert first.address("add_3") == second.address("add_3")


def test_cached_code_is_not_generated_again(monkeypatch):
    texts = [ADD.format(n) for n in range(3)]
    jit.compile_text(texts, ["add_2"])
    gc.collect()
    monkeypatch.setattr(jit, "_generate", lambda *_: pytest.fail("code was generated"))
    monkeypatch.setattr(jit, "_unlocked", lambda: pytest.fail("LLVM's parser was reached"))
    assert call(jit.compile_text(texts, ["add_2"]), "add_2", 1) == 3
    assert cache.stats().hits == 3


def test_damaged_cache_entry_is_generated_again(generated, tmp_path):
    jit.compile_text([ADD.format(7)], ["add_7"])
    gc.collect()
    (path,) = (tmp_path / "cache").glob("*.o")
    path.write_bytes(path.read_bytes()[:-100])
    assert call(jit.compile_text([ADD.format(7)], ["add_7"]), "add_7", 1) == 8
    assert len(generated) == 2


def test_without_a_cache_folder(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "file"))
    assert call(jit.compile_text([ADD.format(5)], ["add_5"]), "add_5", 1) == 6


def test_object_code_depends_on_level_and_target(monkeypatch):
    keys = {jit.source(ADD.format(1), level).key for level in (1, 2)}
    for change in ({"cpu": "other"}, {"features": "+none"}, {"triple": "other-unknown-linux"}):
        monkeypatch.setattr(jit, "host", lambda change=change: dataclasses.replace(target.host(), **change))
        jit.toolchain.cache_clear()
        keys.add(jit.source(ADD.format(1), 1).key)
    jit.toolchain.cache_clear()
    assert len(keys) == 5


def test_own_text_comes_before_a_library_of_the_same_name():
    one = "define i32 @k(i32 %x) {\n  ret i32 1\n}\n"
    two = "define i32 @k(i32 %x) {\n  ret i32 2\n}\n"
    step = TWICE.format(name="step", callee="k")
    with_one = jit.compile_text([step, one], ["step", "k"])
    with_two = jit.compile_text([step, two], ["step", "k"])
    again = jit.compile_text([step, one], ["step", "k"])
    for native, expected in ((with_one, 1), (with_two, 2), (again, 1)):
        assert (call(native, "step", 0), call(native, "k", 0)) == (expected, expected)


def test_code_is_unloaded_with_its_last_user():
    native = jit.compile_text([ADD.format(9)], ["add_9"])
    function = native.function("add_9", ctypes.c_int32, ctypes.c_int32)
    del native
    gc.collect()
    assert "add_9" in jit._exports
    assert function(1) == 10
    del function
    gc.collect()
    assert "add_9" not in jit._exports
    assert len(jit._retired) == 1
    other = jit.compile_text([ADD.format(4)], ["add_4"])
    assert len(jit._retired) == 0
    assert call(other, "add_4", 1) == 5


def test_hidden_functions_may_share_a_name():
    text = """\
define internal i32 @same(i32 %x) {{
  ret i32 {0}
}}

define i32 @f{0}(i32 %x) {{
  %y = call i32 @same(i32 %x)
  ret i32 %y
}}
"""
    native = jit.compile_text([text.format(1), text.format(2)], ["f1", "f2"])
    assert (call(native, "f1", 0), call(native, "f2", 0)) == (1, 2)
    with pytest.raises(RuntimeError, match="no text defines same"):
        jit.compile_text([text.format(1)], ["same"])


def test_functions_of_the_process():
    text = """\
declare float @expf(float)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)

define float @wipe_and_exp(ptr %p, i64 %n, float %x) {
  call void @llvm.memset.p0.i64(ptr %p, i8 7, i64 %n, i1 false)
  %y = call float @expf(float %x)
  ret float %y
}
"""
    native = jit.compile_text([text], ["wipe_and_exp"])
    buffer = ctypes.create_string_buffer(1000)
    function = native.function("wipe_and_exp", ctypes.c_float, ctypes.c_void_p, ctypes.c_int64, ctypes.c_float)
    assert function(buffer, 999, 0.0) == 1.0
    assert buffer.raw == b"\7" * 999 + b"\0"


def test_published_name(monkeypatch):
    monkeypatch.setattr(jit, "_published", dict(jit._published))
    give = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int32)(lambda x: x + 100)
    jit.publish("graphc_test_give", lambda: ctypes.cast(give, ctypes.c_void_p).value)
    native = jit.compile_text([TWICE.format(name="use", callee="graphc_test_give")], ["use"])
    assert call(native, "use", 1) == 201


def test_undefined_function_is_an_error_of_the_compilation():
    texts = [TWICE.format(name="step", callee="graphc_nowhere"), ADD.format(1)]
    with pytest.raises(RuntimeError, match="step calls graphc_nowhere, which nothing defines"):
        jit.compile_text(texts, ["step"])
    assert call(jit.compile_text([ADD.format(1)], ["add_1"]), "add_1", 1) == 2


def test_undefined_function_that_code_generation_calls_is_an_error():
    text = "@x = external global i32\ndefine i32 @f() {\n  %y = load i32, ptr @x\n  ret i32 %y\n}\n"
    with pytest.raises(RuntimeError, match="cannot link f"):
        jit.compile_text([text], ["f"])


def test_wanted_name_must_be_defined():
    with pytest.raises(RuntimeError, match="no text defines missing; they define add_1"):
        jit.compile_text([ADD.format(1)], ["missing"])
    with pytest.raises(KeyError, match="no function 'add_2'; it has add_1"):
        jit.compile_text([ADD.format(1), ADD.format(2)], ["add_1"]).address("add_2")


def test_two_texts_of_a_call_may_not_define_one_name():
    with pytest.raises(RuntimeError, match="two different texts of one call define add_1"):
        jit.compile_text([ADD.format(1), "; other\n" + ADD.format(1)], ["add_1"])


def test_syntax_error_shows_message_and_lines():
    text = ADD.format(1).replace("add i32 %x", "add i32 %q")
    with pytest.raises(RuntimeError) as caught:
        jit.compile_text([ADD.format(2), text], ["add_1"])
    assert "add_1 is not valid LLVM IR" in str(caught.value)
    assert "use of undefined value '%q'" in str(caught.value)
    assert "     2    %y = add i32 %q, 1" in str(caught.value)


def test_verifier_error_shows_message_and_lines():
    text = """\
define i32 @late(i32 %x, i1 %c) {
entry:
  br i1 %c, label %a, label %b
a:
  %y = add  i32 %x, 1  ; only here
  br label %b
b:
  ret i32 %y
}
"""
    with pytest.raises(RuntimeError) as caught:
        jit.compile_text([text], ["late"])
    assert "late is not valid LLVM IR: Instruction does not dominate all uses!" in str(caught.value)
    assert "     5    %y = add  i32 %x, 1  ; only here\n     8    ret i32 %y" in str(caught.value)
    with pytest.raises(RuntimeError, match="late is not valid"):
        jit.assembly(text)


def test_failed_text_is_not_remembered(generated):
    for _ in range(2):
        with pytest.raises(RuntimeError):
            jit.compile_text(["define nonsense @f() {\n}\n"], ["f"])
    assert len(generated) == 2
    assert cache.stats().entries == 0


def test_assembly_names_the_function():
    assert "add_5:" in jit.assembly(ADD.format(5))


def test_two_modules_are_generated_at_once(monkeypatch):
    both = threading.Barrier(2, timeout=20)
    original = jit._generate

    def generate(text, level, as_object):
        both.wait()  # passed only when two threads are in here
        return original(text, level, as_object)

    monkeypatch.setattr(jit, "available_cores", lambda: 2)
    monkeypatch.setattr(jit, "_generate", generate)
    native = jit.compile_text([ADD.format(1), ADD.format(2)], ["add_1", "add_2"])
    assert (call(native, "add_1", 1), call(native, "add_2", 1)) == (2, 3)


def test_code_generation_does_not_take_the_lock_of_llvmlite():
    from llvmlite.binding import ffi

    function = jit._unlocked().LLVMPY_TargetMachineEmitToMemory
    assert isinstance(function, ctypes._CFuncPtr)
    assert function.argtypes == ffi.lib.LLVMPY_TargetMachineEmitToMemory.argtypes


STRIDED = """
define void @strided(ptr %x, i64 %stride, i64 %n) {
entry:
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %next, %body ]
  %more = icmp slt i64 %i, %n
  br i1 %more, label %body, label %done
body:
  %far = mul i64 %i, %stride
  %at = getelementptr float, ptr %x, i64 %far
  store float 0.0, ptr %at
  %next = add i64 %i, 1
  br label %head
done:
  ret void
}
"""


def test_addresses_in_loops_stay_as_written(monkeypatch):
    lean = jit.assembly(STRIDED)
    with monkeypatch.context() as patch:
        patch.setattr(jit, "_lean", contextlib.nullcontext)
        assert "imul" not in jit.assembly(STRIDED)  # LLVM turns the product into a sum, where it is let
    assert "imul" in lean
    assert jit.assembly(STRIDED) == lean


def test_llvms_settings_are_as_they_were_once_nothing_is_generated(monkeypatch):
    import llvmlite.binding as llvm

    told: list[str] = []
    monkeypatch.setattr(llvm, "set_option", lambda name, option: told.append(option))
    with jit._lean():
        with pytest.raises(RuntimeError), jit._lean():
            raise RuntimeError
        assert told == ["-disable-lsr=true", "-enable-misched=false"]
    assert told[2:] == ["-disable-lsr=false", "-enable-misched=true"]


def test_python_threads_may_compile_at_once():
    results = {}

    def work(n: int) -> None:
        texts = [ADD.format(m) for m in range(n, n + 5)]
        native = jit.compile_text(texts, [f"add_{n}", f"add_{n + 4}"])
        results[n] = (call(native, f"add_{n}", 0), call(native, f"add_{n + 4}", 0))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: (n, n + 4) for n in range(8)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_fork_while_another_thread_compiles():
    code = f"""
import ctypes, os, threading
from graphc.runtime import jit
ADD = {ADD!r}
def work(numbers):
    for n in numbers:
        native = jit.compile_text([ADD.format(n)], [f"add_{{n}}"])
        assert native.function(f"add_{{n}}", ctypes.c_int32, ctypes.c_int32)(1) == n + 1
thread = threading.Thread(target=work, args=(range(60),))
thread.start()
for child in range(5):
    pid = os.fork()
    if pid == 0:
        work(range(1000 + child, 1003 + child))
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
thread.join()
"""
    result = run(code)
    assert result.returncode == 0, result.stderr


def test_importing_does_not_load_llvm():
    result = run(
        "import sys, graphc.runtime.target, graphc.runtime.jit, graphc.runtime.cache, graphc.runtime.pool\n"
        "sys.exit('llvmlite' in sys.modules)"
    )
    assert result.returncode == 0, result.stderr


def test_host_is_sane():
    machine = target.host()
    assert machine.lanes in (4, 8, 16)
    assert machine.registers in (16, 32)
    assert 1 <= machine.cores <= os.cpu_count()
    assert 8 << 10 <= machine.l1d <= machine.l2 <= max(machine.l3, machine.l2)
    assert machine is target.host()


def test_vectors_of_processors():
    assert target._vectors("x86_64", {"avx512f": True, "avx512vl": True, "avx2": True}) == (16, 32)
    assert target._vectors("x86_64", {"avx512f": False, "avx2": True}) == (8, 16)
    assert target._vectors("x86_64", {"avx": True}) == (4, 16)
    assert target._vectors("aarch64", {"neon": True}) == (4, 32)


@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_lanes_can_be_narrowed(lanes):
    code = "from graphc.runtime.target import host; print(host().lanes, host().registers)"
    result = run(code, GRAPHC_TARGET_LANES=str(lanes))
    if lanes > target.host().lanes:
        assert "this machine's vectors have" in result.stderr
    else:
        assert result.stdout.split()[0] == str(lanes)
        assert result.stdout.split()[1] == str(target.host().registers if lanes == target.host().lanes else 16) or (
            target.host().arch != "x86_64"
        )


@pytest.mark.parametrize("lanes", ["5", "wide", "-4"])
def test_lanes_must_be_a_width(lanes):
    result = run("from graphc.runtime.target import host; host()", GRAPHC_TARGET_LANES=lanes)
    assert f"GRAPHC_TARGET_LANES: expected 4, 8 or 16, got '{lanes}'" in result.stderr
