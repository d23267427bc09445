"""LLVM IR text to native code in this process.

    native = compile_text([kernel, step], ["step_9f2c"])
    native.address("step_9f2c")

Each text becomes one object file, without optimiser passes: the IR is already vectorised and in SSA form. Objects are
kept on disk by content (`cache`) and generated on all cores. The objects of one call are linked into one library.

A function declared in a text is looked for in the texts of the call, then among the published names, then in the
libraries still alive in this process, then in the process itself (libm, libc). What is not found anywhere is an error
of `compile_text`; it never reaches run time. Names shared between calls should hold a hash of their text: where two
live libraries define one name, the younger is taken.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import hashlib
import itertools
import os
import re
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from graphc.runtime import cache
from graphc.runtime.target import available_cores, host

# Levels 1, 2 and 3 gave equally fast kernels; 1 takes about 5 % less time than 2. Level 0 is three times slower code.
CODEGEN_LEVEL = 1

# Passes of code generation that are left out, as LLVM's switches for them: the reduction of loops' address arithmetic,
# and the reordering of instructions before registers are allocated. They took 40 % of the time. Addresses and order are
# as they should be in the text; reordered, more values had to be put aside in memory.
_LEFT_OUT = {"-disable-lsr": ("true", "false"), "-enable-misched": ("false", "true")}

# Held around every call of LLVM from here, and across fork(): so a child never starts with a half-made library, or with
# a lock of llvmlite or LLVM that no thread of its own will release. It also guards the worker pool's state.
lock = threading.RLock()

# Function headers of a module, behind the end of a line, for which Python looks five times as fast as for the beginning
# of one: kind, linkage where it hides the function, name.
_HEADER = re.compile(r'\n[ \t]*(define|declare)\b(?:[ \t]+(internal|private)\b)?[^@\n]*@("[^"\n]+"|[-\w.$]+)[ \t]*\(')


class Native:
    """Functions of one `compile_text`, by name. Their code stays in memory while this object does."""

    def __init__(self, addresses: dict[str, int], modules: tuple[_Module, ...]) -> None:
        self._addresses = addresses
        self._modules = modules

    def address(self, name: str) -> int:
        """The address of a function; valid while this object is alive.

        Raises:
            KeyError: `name` is not one of the names given to `compile_text`.
        """
        if name not in self._addresses:
            raise KeyError(f"native code: no function {name!r}; it has {', '.join(sorted(self._addresses))}")
        return self._addresses[name]

    def function(self, name: str, result: Any, *arguments: Any, keeps_gil: bool = False) -> Callable[..., Any]:
        """The function as a ctypes callable that keeps the code in memory.

        Args:
            name: one of the names given to `compile_text`.
            result: ctypes type of the result, None for void.
            arguments: ctypes types of the arguments.
            keeps_gil: no other Python thread runs meanwhile: for what is over in microseconds.
        Raises:
            KeyError: `name` is not one of the names given to `compile_text`.
        """
        prototype = ctypes.PYFUNCTYPE if keeps_gil else ctypes.CFUNCTYPE
        call = prototype(result, *arguments)(self.address(name))
        call.native = self  # type: ignore[attr-defined]  # keeps the code in memory
        return call


def compile_text(texts: Sequence[str], names: Sequence[str], level: int = CODEGEN_LEVEL) -> Native:
    """Compile and link LLVM IR modules.

    Args:
        texts: modules as text. They may call one another's functions, and those of libraries that are still alive.
        names: functions defined in `texts` whose addresses are wanted.
        level: LLVM's code generation effort, 0 to 3.
    Returns:
        The addresses of `names`, all symbols resolved.
    Raises:
        RuntimeError: a text is not valid IR (with LLVM's message and the lines it means), a declared function is
            nowhere to be found, two texts define the same name, or none defines one of `names`.
        ValueError: `level` is not from 0 to 3.
    """
    with lock:
        return load([source(text, level) for text in dict.fromkeys(texts)], names, level)


def load(sources: Sequence[Source], names: Sequence[str], level: int = CODEGEN_LEVEL) -> Native:
    """Compile and link what `compile_text` would of the sources' texts; the code of a source without a text is cached.

    Raises:
        MissingCodeError: it is not, or not any more.
        RuntimeError, ValueError: as by `compile_text`.
    """
    with lock:
        _unload_retired()
        providers = _providers(sources)
        missing = [name for name in names if name not in providers]
        if missing:
            raise RuntimeError(f"native code: no text defines {', '.join(missing)}; they define {', '.join(providers)}")
        modules = {source.key: module for source in sources if (module := _alive(source, providers))}
        fresh = [source for source in sources if source.key not in modules]
        if fresh:
            modules |= _link(fresh, _objects(fresh, level), providers, modules)
        return Native({name: modules[providers[name]].symbols[name] for name in names}, tuple(modules.values()))


def assembly(text: str, level: int = CODEGEN_LEVEL) -> str:
    """The assembly that `compile_text` would run for one module.

    Raises:
        RuntimeError: `text` is not valid IR.
        ValueError: `level` is not from 0 to 3.
    """
    with lock:
        return _generate(text, level, as_object=False).decode()


def publish(name: str, address: Callable[[], int]) -> None:
    """Let compiled text call `name`, a function that stays in memory for good.

    Args:
        name: its name in IR.
        address: gives its address; called when a text that declares `name` is linked.
    """
    _published[name] = address


class MissingCodeError(LookupError):
    """Object code that was to be in the cache is not there."""


@dataclass(frozen=True)
class Source:
    """One module, with what can be known of it before it is compiled.

    Attributes:
        text: None where only the compiled code is known, by its key.
        key: content address of its object code.
        defines, needs: the functions that others may call, and those of others that it calls.
    """

    text: str | None
    key: str
    defines: tuple[str, ...]
    needs: tuple[str, ...]


def source(text: str, level: int = CODEGEN_LEVEL) -> Source:
    """A module of LLVM IR as a source."""
    if begun := _begun.get((text, level)):
        return begun[0]
    key = hashlib.sha256(f"{toolchain(level)}\n{text}".encode()).hexdigest()
    headers = [(kind, hidden, name.strip('"')) for kind, hidden, name in _HEADER.findall(f"\n{text}")]
    defines = [name for kind, hidden, name in headers if kind == "define" and not hidden]
    needs = [name for kind, _, name in headers if kind == "declare" and not name.startswith("llvm.")]
    return Source(text, key, tuple(defines), tuple(dict.fromkeys(needs)))


@contextlib.contextmanager
def _quick_turns() -> Iterator[None]:
    """Within, a thread that comes back from LLVM gets its turn at once; it has many, and would wait 5 ms for each."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextlib.contextmanager
def ahead(level: int = CODEGEN_LEVEL) -> Iterator[Callable[[str], None]]:
    """Generates code in the background, of texts given to the function that this yields, while others are written.

    What is compiled within finds what was begun.
    """
    with lock, _quick_turns(), _lean(), ThreadPoolExecutor(available_cores(), "graphc-compile") as executor:

        def begin(text: str) -> None:
            if (text, level) not in _begun:
                made = source(text, level)
                if made.key not in _modules:
                    _begun[text, level] = made, executor.submit(_found_or_generated, made, level)

        try:
            yield begin
        finally:
            _begun.clear()
            executor.shutdown(cancel_futures=True)


@dataclass(eq=False)
class _Library:
    """One linked image. Its code is retired when nothing refers to it any more."""

    image: Any
    uses: tuple[_Module, ...]  # called from here


@dataclass(eq=False)
class _Module:
    """One source as loaded in this process."""

    key: str
    symbols: dict[str, int]
    bound: dict[str, str]  # needed name -> key of the source it came from, "" for one outside compiled text
    library: _Library


@dataclass
class _Imports:
    """What a library needs from outside itself, found."""

    addresses: dict[str, int] = field(default_factory=dict)
    modules: dict[str, _Module] = field(default_factory=dict)  # of the names that come from compiled text


_modules: weakref.WeakValueDictionary[str, _Module] = weakref.WeakValueDictionary()  # by key of the source
_exports: weakref.WeakValueDictionary[str, _Module] = weakref.WeakValueDictionary()  # by symbol
_begun: dict[tuple[str, int], tuple[Source, Future[bytes]]] = {}  # what `ahead` generates, by text and level
_published: dict[str, Callable[[], int]] = {}
_retired: deque[Any] = deque()  # images to unload: not when the garbage collector says so, but when `lock` is held
_generating = 0  # how many threads generate code
_settings = threading.Lock()  # held where LLVM's settings follow from that
_machines: dict[int, list[Any]] = {}  # idle target machines by level; a thread takes one for itself
_serial = itertools.count()


def _providers(sources: Iterable[Source]) -> dict[str, str]:
    """Symbol -> key of the source that defines it."""
    providers: dict[str, str] = {}
    for source in sources:
        for name in source.defines:
            if name in providers:
                raise RuntimeError(f"native code: two different texts of one call define {name}")
            providers[name] = source.key
    return providers


def _alive(source: Source, providers: Mapping[str, str]) -> _Module | None:
    """The source as already loaded, if what it calls there is what it would call here."""
    module = _modules.get(source.key)
    if module and all(providers.get(name, key) == key for name, key in module.bound.items()):
        return module
    return None


def _link(
    sources: Sequence[Source], objects: Sequence[bytes], providers: Mapping[str, str], loaded: Mapping[str, _Module]
) -> dict[str, _Module]:
    """Load objects as one library; the modules by key of their source.

    Args:
        sources, objects: what to load, in the same order.
        providers: symbol -> key of the source of this call that defines it.
        loaded: modules of this call that were alive already, by key.
    """
    import llvmlite.binding as llvm

    engine = _engine()
    inside = {name for source in sources for name in source.defines}
    imports = _imports(sources, inside, providers, loaded)
    builder = llvm.JITLibraryBuilder().add_current_process()  # for calls that code generation itself makes: memset
    for item in objects:
        builder.add_object_img(item)
    for name in inside:
        builder.export_symbol(name)
    for name, address in imports.addresses.items():
        builder.import_symbol(name, address)
    try:
        image = builder.link(engine, f"graphc.{next(_serial)}")
    except RuntimeError as error:
        raise RuntimeError(f"native code: cannot link {', '.join(sorted(inside))}: {error}") from None
    library = _Library(image, tuple(imports.modules.values()))
    weakref.finalize(library, _retired.append, image).atexit = False
    origin = {**{name: module.key for name, module in imports.modules.items()}, **providers}
    modules = {}
    for source in sources:
        bound = {name: origin.get(name, "") for name in source.needs}
        module = _Module(source.key, {name: image[name] for name in source.defines}, bound, library)
        modules[source.key] = _modules[source.key] = module
        _exports.update(dict.fromkeys(source.defines, module))
    return modules


def _imports(
    sources: Sequence[Source], inside: set[str], providers: Mapping[str, str], loaded: Mapping[str, _Module]
) -> _Imports:
    """Find every function that `sources` declare and none of them defines."""
    import llvmlite.binding as llvm

    found, missing = _Imports(), []
    for name in dict.fromkeys(name for source in sources for name in source.needs if name not in inside):
        if name in _published and name not in providers:
            found.addresses[name] = _published[name]()
        elif module := loaded[providers[name]] if name in providers else _exports.get(name):
            found.modules[name] = module
            found.addresses[name] = module.symbols[name]
        elif address := llvm.address_of_symbol(name):
            found.addresses[name] = address
        else:
            missing.append(name)
    if missing:
        users = sorted({name for s in sources if not set(s.needs).isdisjoint(missing) for name in s.defines})
        raise RuntimeError(f"native code: {', '.join(users)} calls {', '.join(missing)}, which nothing defines")
    return found


def _objects(sources: Sequence[Source], level: int) -> list[bytes]:
    """The object code of each source: from the cache, or generated on all cores."""
    begun = {made.key: future for made, future in _begun.values()}
    found = {s.key: begun[s.key].result() if s.key in begun else cache.load(s.key) for s in sources}
    missing = sorted((s for s in sources if found[s.key] is None), key=lambda s: len(s.text or ""), reverse=True)
    threads = min(len(missing), available_cores())
    generate = functools.partial(_generate_and_store, level=level)
    if threads > 1:
        with ThreadPoolExecutor(threads, "graphc-compile") as executor:
            generated = list(executor.map(generate, missing))
    else:
        generated = [generate(source) for source in missing]
    found |= {source.key: code for source, code in zip(missing, generated, strict=True)}
    return [code for source in sources if (code := found[source.key]) is not None]


def _found_or_generated(source: Source, level: int) -> bytes:
    code = cache.load(source.key)
    return _generate_and_store(source, level) if code is None else code


def _generate_and_store(source: Source, level: int) -> bytes:
    if source.text is None:
        raise MissingCodeError(f"native code: the code of {', '.join(source.defines)} is not in the cache any more")
    code = _generate(source.text, level, as_object=True)
    cache.store(source.key, code)
    return code


def _generate(text: str, level: int, as_object: bool) -> bytes:
    """Object code or assembly of a module, in a context of its own: any number of threads may be in here."""
    import llvmlite.binding as llvm
    from llvmlite.binding import ffi

    c = _unlocked()
    with _lean(), llvm.create_context() as context, ffi.OutputString() as message:
        parsed = c.LLVMPY_ParseAssembly(context, text.encode(), message)
        if not parsed:
            raise _invalid(text, str(message))
        with llvm.ModuleRef(parsed, context) as module:
            if c.LLVMPY_VerifyModule(module, message):
                raise _invalid(text, str(message))
            with _machine(level) as machine:
                buffer = c.LLVMPY_TargetMachineEmitToMemory(machine, module, int(as_object), message)
            if not buffer:
                raise RuntimeError(f"native code: LLVM cannot generate code: {message}")
        try:
            return ctypes.string_at(c.LLVMPY_GetBufferStart(buffer), c.LLVMPY_GetBufferSize(buffer))
        finally:
            c.LLVMPY_DisposeMemoryBuffer(buffer)


@contextlib.contextmanager
def _lean() -> Iterator[None]:
    """Within, code generation leaves out the passes that our texts have no need of.

    LLVM has no settings for this but those of the whole process, which are as they were where no code of ours is made.
    """
    global _generating
    with _settings:
        _generating += 1
        if _generating == 1:
            _switch(0)
    try:
        yield
    finally:
        with _settings:
            _generating -= 1
            if not _generating:
                _switch(1)


def _switch(to: int) -> None:
    import llvmlite.binding as llvm

    for switch, values in _LEFT_OUT.items():
        llvm.set_option("graphc", f"{switch}={values[to]}")


def _invalid(text: str, message: str) -> RuntimeError:
    """The error for IR that LLVM refuses: its message, and the lines of the text that it means."""
    lines = text.split("\n")
    meant: Sequence[int]
    if position := re.search(r":(\d+):\d+: error", message):
        at = int(position[1]) - 1
        meant = range(max(at - 2, 0), min(at + 3, len(lines)))
    else:  # the verifier repeats the instructions that it means, in its own spacing
        said = {" ".join(line.split()) for line in message.split("\n")[1:]} - {""}
        meant = [i for i, line in enumerate(lines) if " ".join(line.partition(";")[0].split()) in said][:5]
    shown = "\n".join(f"{i + 1:6}  {lines[i]}" for i in meant)
    names = ", ".join(name for kind, _, name in _HEADER.findall(f"\n{text}") if kind == "define") or "a text"
    return RuntimeError(f"native code: {names} is not valid LLVM IR: {message.strip()}\n{shown}")


@functools.cache
def _unlocked() -> ctypes.CDLL:
    """llvmlite's C library with llvmlite's prototypes, called without the lock that it takes around every call.

    With the lock two threads take turns and two modules take twice the time of one. LLVM itself needs no lock between
    threads that share no context and no target machine.
    """
    from llvmlite.binding import ffi

    library = ctypes.CDLL(ffi.lib._name, handle=ffi.lib._handle)
    for name in (
        "LLVMPY_ParseAssembly",
        "LLVMPY_VerifyModule",
        "LLVMPY_TargetMachineEmitToMemory",
        "LLVMPY_GetBufferStart",
        "LLVMPY_GetBufferSize",
        "LLVMPY_DisposeMemoryBuffer",
    ):
        theirs, ours = getattr(ffi.lib, name), getattr(library, name)
        ours.argtypes, ours.restype = theirs.argtypes, theirs.restype
    return library


@contextlib.contextmanager
def _machine(level: int) -> Iterator[Any]:
    """A target machine for the calling thread alone."""
    idle = _machines.setdefault(level, [])
    machine = idle.pop() if idle else _new_machine(level)
    try:
        yield machine
    finally:
        idle.append(machine)


def _new_machine(level: int) -> Any:
    """Position-independent and small: a library is one piece of memory, so its constants are near its code."""
    import llvmlite.binding as llvm

    if level not in range(4):
        raise ValueError(f"native code: expected a code generation level from 0 to 3, got {level}")
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = host()
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=level, reloc="pic", codemodel="small", jit=True
    )


@functools.cache
def _engine() -> Any:
    """The linker and loader of this process. It lives to the end, for threads may then still be in its code."""
    import llvmlite.binding as llvm

    with _machine(CODEGEN_LEVEL) as machine:
        return llvm.create_lljit_compiler(machine, use_jit_link=True, suppress_errors=True)


def _unload_retired() -> None:
    while _retired:
        _retired.popleft().close()


def _leave_loaded() -> None:
    """Before the interpreter takes its modules apart: what is loaded then stays, for it goes in no order that holds.

    An image closed after its engine crashes, so each gets a reference that nothing ever drops.
    """
    with lock:
        _unload_retired()
        kept = [module.library.image for module in _modules.values()]
        if _engine.cache_info().currsize:
            kept.append(_engine())
        for thing in kept:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


atexit.register(_leave_loaded)


@functools.cache
def toolchain(level: int = CODEGEN_LEVEL) -> str:
    """Everything besides the text that object code depends on."""
    with lock:  # as LLVM is loaded here
        import llvmlite
        import llvmlite.binding as llvm

        target = host()
    parts = ("graphc", cache.VERSION, llvmlite.__version__, llvm.llvm_version_info, target.triple, target.cpu)
    return " ".join(map(str, (*parts, target.features, level, *_LEFT_OUT)))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
