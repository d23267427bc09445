"""The code of the worker pool, as LLVM IR.

Calls and answers travel along a tree, so that no thread signals more than four. A word that is waited for is watched
for some microseconds and then slept on, by workers and by the joining thread alike, so that nothing spins for long on
a core that another process needs.

Where other processes hold the cores, the system wakes a worker on the caller's core, where it can only take turns with
the caller: it moves away. There it may have to wait for a slice of time, and calling it costs more than it brings. So
each call's gain is added up: the time of all pieces less that of the call. A caller that loses by calling computes the
next calls alone for a while, for longer the sooner it loses again. Who computes a piece does not show in a result.
"""

from __future__ import annotations

import signal
import time

from graphc.runtime.target import Target

MAX_THREADS = 256

_FANOUT = 4
_UNEQUAL = 8  # a piece may have so many times the caller's work; where it took longer, it had to wait
_GAIN_NS = 4_000_000  # so much of earlier gains counts at the most
_ALONE_NS = 10_000_000, 320_000_000  # at first, and at most


def pool_ir(target: Target) -> str:
    """The pool as an LLVM IR module for a POSIX system."""
    of_system = (_park_on_futex(target.futex), _MOVE_ON_LINUX) if target.futex else (_PARK_ON_CONDITION, _NEVER_MOVE)
    return "\n".join((_POOL, *of_system, target.processor_ir))


# Signals stay with the thread that Python handles them on, but for those that a fault raises in the worker itself.
_FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGTRAP)

_POOL = f"""\
; What travels to a thread: call number, asleep, kernel, args, n, pieces, floating-point control, the core of who calls.
%call = type {{ i32, i32, ptr, ptr, i64, i64, i32, i32, [80 x i8] }}
; What travels back: number of the call that is done, awaited, nanoseconds that the piece took.
%answer = type {{ i32, i32, i64, [112 x i8] }}

@calls = internal global [{MAX_THREADS} x %call] zeroinitializer, align 128  ; to thread t; the caller is number 0
@answers = internal global [{MAX_THREADS} x %answer] zeroinitializer, align 128
@busy = internal global i32 0, align 128
@workers = internal global i64 0, align 128
@threads = internal global i64 1
@loss = internal global i64 0  ; ns, of which the caller stops calling workers
@gained = internal global i64 0  ; ns, by calling workers instead of computing alone
@alone_until = internal global i64 0  ; ns; nobody is called before
@alone_for = internal global i64 0  ; ns; how long that was
@spins = internal global i32 1

declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_detach(ptr)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare i32 @sigfillset(ptr)
declare i32 @sigdelset(ptr, i32)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare i64 @llvm.umin.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.umax.i64(i64, i64)
declare i32 @clock_gettime(i32, ptr)

define void @graphc_parallel(ptr %kernel, ptr %args, i64 %n) nounwind {{
entry:
  %any = icmp sgt i64 %n, 0
  br i1 %any, label %count, label %done
count:
  %threads = load atomic i64, ptr @threads monotonic, align 8
  %wanted = call i64 @llvm.umin.i64(i64 %threads, i64 %n)
  %several = icmp ugt i64 %wanted, 1
  br i1 %several, label %try, label %alone
try:
  %taken = cmpxchg ptr @busy, i32 0, i32 1 acquire monotonic
  %ours = extractvalue {{ i32, i1 }} %taken, 1
  br i1 %ours, label %look, label %alone
alone:
  call void %kernel(ptr %args, i64 0, i64 %n)
  br label %done
look:
  %time = call i64 @now()
  %until = load atomic i64, ptr @alone_until monotonic, align 8
  %early = icmp slt i64 %time, %until
  br i1 %early, label %not_yet, label %together
not_yet:
  store atomic i32 0, ptr @busy release, align 4
  br label %alone
together:
  %pieces = call i64 @hire(i64 %wanted)
  %control = call i32 @fp_control()
  %start = call i64 @now()
  call void @share(i64 0, ptr %kernel, ptr %args, i64 %n, i64 %pieces, i32 %control)
  call void @judge(i64 %start, i64 %pieces)
  store atomic i32 0, ptr @busy release, align 4
  br label %done
done:
  ret void
}}

; What a call gained: the time of all pieces less what it took.
define internal void @judge(i64 %start, i64 %pieces) nounwind {{
entry:
  %end = call i64 @now()
  %together = sub i64 %end, %start
  %own_at = getelementptr %answer, ptr @answers, i64 0, i32 2
  %own = load i64, ptr %own_at
  %most_each = mul i64 %own, {_UNEQUAL}
  br label %adding
adding:
  %t = phi i64 [ 0, %entry ], [ %t_next, %adding ]
  %alone = phi i64 [ 0, %entry ], [ %alone_next, %adding ]
  %piece_at = getelementptr %answer, ptr @answers, i64 %t, i32 2
  %piece = load i64, ptr %piece_at
  %believed = call i64 @llvm.umin.i64(i64 %piece, i64 %most_each)
  %alone_next = add i64 %alone, %believed
  %t_next = add i64 %t, 1
  %more = icmp ult i64 %t_next, %pieces
  br i1 %more, label %adding, label %sum
sum:
  %gain = sub i64 %alone_next, %together
  %before = load i64, ptr @gained
  %balance = add i64 %before, %gain
  %gained = call i64 @llvm.smin.i64(i64 %balance, i64 {_GAIN_NS})
  store i64 %gained, ptr @gained
  %loss = load atomic i64, ptr @loss monotonic, align 8
  %least = sub i64 0, %loss
  %lost = icmp slt i64 %gained, %least
  br i1 %lost, label %retreat, label %done
retreat:
  %until = load atomic i64, ptr @alone_until monotonic, align 8
  %since = sub i64 %end, %until
  %for = load i64, ptr @alone_for
  %soon = icmp slt i64 %since, %for
  %doubled = mul i64 %for, 2
  %most = call i64 @llvm.umin.i64(i64 %doubled, i64 {_ALONE_NS[1]})
  %longer = call i64 @llvm.umax.i64(i64 %most, i64 {_ALONE_NS[0]})
  %now_for = select i1 %soon, i64 %longer, i64 {_ALONE_NS[0]}
  %now_until = add i64 %end, %now_for
  store i64 %now_for, ptr @alone_for
  store atomic i64 %now_until, ptr @alone_until monotonic, align 8
  store i64 0, ptr @gained
  br label %done
done:
  ret void
}}

; Nanoseconds of the monotonic clock.
define internal i64 @now() nounwind {{
  %time = alloca [2 x i64], align 8
  call i32 @clock_gettime(i32 {time.CLOCK_MONOTONIC}, ptr %time)
  %nanoseconds_at = getelementptr i64, ptr %time, i64 1
  %seconds = load i64, ptr %time
  %nanoseconds = load i64, ptr %nanoseconds_at
  %whole = mul i64 %seconds, 1000000000
  %ns = add i64 %whole, %nanoseconds
  ret i64 %ns
}}

; Make workers until there are %wanted threads with the caller, or the system refuses; how many there are to use.
define internal i64 @hire(i64 %wanted) nounwind {{
entry:
  %thread = alloca ptr
  %all = alloca [128 x i8], align 8
  %before = alloca [128 x i8], align 8
  %had = load i64, ptr @workers
  %had_threads = add i64 %had, 1
  %enough = icmp uge i64 %had_threads, %wanted
  br i1 %enough, label %done, label %block
block:
  call i32 @sigfillset(ptr %all)
{chr(10).join(f"  call i32 @sigdelset(ptr %all, i32 {int(fault)})" for fault in _FAULTS)}
  call i32 @pthread_sigmask(i32 {int(signal.SIG_SETMASK)}, ptr %all, ptr %before)
  br label %create
create:
  %t = phi i64 [ %had_threads, %block ], [ %next, %created ]
  %number = inttoptr i64 %t to ptr
  %error = call i32 @pthread_create(ptr %thread, ptr null, ptr @worker, ptr %number)
  %refused = icmp ne i32 %error, 0
  br i1 %refused, label %unblock, label %created
created:
  %handle = load ptr, ptr %thread
  call i32 @pthread_detach(ptr %handle)
  store i64 %t, ptr @workers
  %next = add i64 %t, 1
  %more = icmp ult i64 %next, %wanted
  br i1 %more, label %create, label %unblock
unblock:
  call i32 @pthread_sigmask(i32 {int(signal.SIG_SETMASK)}, ptr %before, ptr null)
  br label %done
done:
  %have = load i64, ptr @workers
  %have_threads = add i64 %have, 1
  %use = call i64 @llvm.umin.i64(i64 %have_threads, i64 %wanted)
  ret i64 %use
}}

; Thread %t's part of a call: pass it to its children in the tree, compute its piece, wait for the children.
define internal void @share(i64 %t, ptr %kernel, ptr %args, i64 %n, i64 %pieces, i32 %control) nounwind {{
entry:
  %up = mul i64 %t, {_FANOUT}
  %first = add i64 %up, 1
  %past = add i64 %first, {_FANOUT}
  %end = call i64 @llvm.umin.i64(i64 %past, i64 %pieces)
  %core = call i32 @core()
  br label %calling
calling:
  %c = phi i64 [ %first, %entry ], [ %c_next, %call ]
  %call_more = icmp ult i64 %c, %end
  br i1 %call_more, label %call, label %compute
call:
  %number = getelementptr %call, ptr @calls, i64 %c, i32 0
  %asleep = getelementptr %call, ptr @calls, i64 %c, i32 1
  %c_kernel = getelementptr %call, ptr @calls, i64 %c, i32 2
  %c_args = getelementptr %call, ptr @calls, i64 %c, i32 3
  %c_n = getelementptr %call, ptr @calls, i64 %c, i32 4
  %c_pieces = getelementptr %call, ptr @calls, i64 %c, i32 5
  %c_control = getelementptr %call, ptr @calls, i64 %c, i32 6
  %c_core = getelementptr %call, ptr @calls, i64 %c, i32 7
  store ptr %kernel, ptr %c_kernel
  store ptr %args, ptr %c_args
  store i64 %n, ptr %c_n
  store i64 %pieces, ptr %c_pieces
  store i32 %control, ptr %c_control
  store i32 %core, ptr %c_core
  %last = load atomic i32, ptr %number monotonic, align 4
  %this = add i32 %last, 1
  call void @tell(ptr %number, ptr %asleep, i32 %this)
  %c_next = add i64 %c, 1
  br label %calling
compute:
  %t_next = add i64 %t, 1
  %begin = call i64 @cut(i64 %n, i64 %t, i64 %pieces)
  %stop = call i64 @cut(i64 %n, i64 %t_next, i64 %pieces)
  %start = call i64 @now()
  call void %kernel(ptr %args, i64 %begin, i64 %stop)
  %computed = call i64 @now()
  %took = sub i64 %computed, %start
  %took_at = getelementptr %answer, ptr @answers, i64 %t, i32 2
  store i64 %took, ptr %took_at
  br label %joining
joining:
  %j = phi i64 [ %first, %compute ], [ %j_next, %join ]
  %join_more = icmp ult i64 %j, %end
  br i1 %join_more, label %join, label %done
join:
  %called = getelementptr %call, ptr @calls, i64 %j, i32 0
  %answer = getelementptr %answer, ptr @answers, i64 %j, i32 0
  %awaited = getelementptr %answer, ptr @answers, i64 %j, i32 1
  %awaiting = load atomic i32, ptr %called monotonic, align 4
  %before = sub i32 %awaiting, 1
  call i32 @watch(ptr %answer, ptr %awaited, i32 %before)
  %j_next = add i64 %j, 1
  br label %joining
done:
  ret void
}}

; n * t / pieces, without the overflow of the product.
define internal i64 @cut(i64 %n, i64 %t, i64 %pieces) nounwind {{
  %quotient = udiv i64 %n, %pieces
  %remainder = urem i64 %n, %pieces
  %whole = mul i64 %quotient, %t
  %rest = mul i64 %remainder, %t
  %part = udiv i64 %rest, %pieces
  %at = add i64 %whole, %part
  ret i64 %at
}}

define internal ptr @worker(ptr %t_as_ptr) nounwind {{
entry:
  %t = ptrtoint ptr %t_as_ptr to i64
  %number = getelementptr %call, ptr @calls, i64 %t, i32 0
  %asleep = getelementptr %call, ptr @calls, i64 %t, i32 1
  %t_kernel = getelementptr %call, ptr @calls, i64 %t, i32 2
  %t_args = getelementptr %call, ptr @calls, i64 %t, i32 3
  %t_n = getelementptr %call, ptr @calls, i64 %t, i32 4
  %t_pieces = getelementptr %call, ptr @calls, i64 %t, i32 5
  %t_control = getelementptr %call, ptr @calls, i64 %t, i32 6
  %t_core = getelementptr %call, ptr @calls, i64 %t, i32 7
  %answer = getelementptr %answer, ptr @answers, i64 %t, i32 0
  %awaited = getelementptr %answer, ptr @answers, i64 %t, i32 1
  br label %next
next:
  %last = phi i32 [ 0, %entry ], [ %this, %compute ]
  %this = call i32 @watch(ptr %number, ptr %asleep, i32 %last)
  %kernel = load ptr, ptr %t_kernel
  %args = load ptr, ptr %t_args
  %n = load i64, ptr %t_n
  %pieces = load i64, ptr %t_pieces
  %control = load i32, ptr %t_control
  %callers = load i32, ptr %t_core
  %core = call i32 @core()
  %met = icmp eq i32 %callers, %core
  br i1 %met, label %avoid, label %prepare
avoid:
  call void @move(i32 %core)
  br label %prepare
prepare:
  ; The caller's rounding and subnormals, or the result would depend on who computes a piece.
  %own = call i32 @fp_control()
  %same = icmp eq i32 %control, %own
  br i1 %same, label %compute, label %adopt
adopt:
  call void @set_fp_control(i32 %control)
  br label %compute
compute:
  call void @share(i64 %t, ptr %kernel, ptr %args, i64 %n, i64 %pieces, i32 %control)
  call void @tell(ptr %answer, ptr %awaited, i32 %this)
  br label %next
}}

; Change a word and wake whoever sleeps on it. Either this sees %sleeping or the sleeper sees the new word.
define internal void @tell(ptr %word, ptr %sleeping, i32 %value) nounwind {{
entry:
  store atomic i32 %value, ptr %word seq_cst, align 4
  %flag = load atomic i32, ptr %sleeping seq_cst, align 4
  %none = icmp eq i32 %flag, 0
  br i1 %none, label %done, label %wake
wake:
  call void @unpark(ptr %word)
  br label %done
done:
  ret void
}}

; Wait until a word is no longer %old; its new value.
define internal i32 @watch(ptr %word, ptr %sleeping, i32 %old) nounwind {{
entry:
  %spins = load atomic i32, ptr @spins monotonic, align 4
  br label %look
look:
  %looks = phi i32 [ 0, %entry ], [ %looks_next, %again ]
  %value = load atomic i32, ptr %word acquire, align 4
  %changed = icmp ne i32 %value, %old
  br i1 %changed, label %done, label %again
again:
  call void @relax()
  %looks_next = add i32 %looks, 1
  %patient = icmp ult i32 %looks_next, %spins
  br i1 %patient, label %look, label %tire
tire:
  store atomic i32 1, ptr %sleeping seq_cst, align 4
  fence seq_cst
  br label %sleep
sleep:
  call void @park(ptr %word, i32 %old)
  %late = load atomic i32, ptr %word acquire, align 4
  %woken = icmp ne i32 %late, %old
  br i1 %woken, label %wake, label %sleep
wake:
  store atomic i32 0, ptr %sleeping monotonic, align 4
  br label %done
done:
  %new = phi i32 [ %value, %look ], [ %late, %wake ]
  ret i32 %new
}}

define void @graphc_pool_configure(i64 %threads, i32 %spins, i64 %loss) nounwind {{
  store atomic i64 %loss, ptr @loss monotonic, align 8
  store atomic i64 0, ptr @alone_until monotonic, align 8
  store atomic i32 %spins, ptr @spins monotonic, align 4
  store atomic i64 %threads, ptr @threads monotonic, align 8
  ret void
}}

; The state before the first call. Only while no thread is in the pool: at the start, and in a forked child.
define void @graphc_pool_reset() nounwind {{
  call void @llvm.memset.p0.i64(ptr @calls, i8 0, i64 {MAX_THREADS * 128}, i1 false)
  call void @llvm.memset.p0.i64(ptr @answers, i8 0, i64 {MAX_THREADS * 128}, i1 false)
  store i64 0, ptr @workers
  store i64 0, ptr @gained
  store atomic i64 0, ptr @alone_until monotonic, align 8
  store atomic i32 0, ptr @busy release, align 4
  call void @renew_parking()
  ret void
}}

; Look %spins times at a word that does not change, as @watch does; to be timed.
define void @graphc_pool_spin(i32 %spins) nounwind {{
entry:
  br label %look
look:
  %looks = phi i32 [ 0, %entry ], [ %looks_next, %look ]
  %value = load atomic i32, ptr @calls acquire, align 4
  call void @relax()
  %looks_next = add i32 %looks, 1
  %more = icmp ult i32 %looks_next, %spins
  br i1 %more, label %look, label %done
done:
  ret void
}}
"""


def _park_on_futex(number: int) -> str:
    """Sleeping on a word itself: the kernel compares it again before it lets the thread sleep."""
    private_wait, private_wake = 128, 129
    return f"""\
declare i64 @syscall(i64, ...)

define internal void @park(ptr %word, i32 %old) nounwind {{
  call i64 (i64, ...) @syscall(i64 {number}, ptr %word, i32 {private_wait}, i32 %old, ptr null, ptr null, i32 0)
  ret void
}}

define internal void @unpark(ptr %word) nounwind {{
  call i64 (i64, ...) @syscall(i64 {number}, ptr %word, i32 {private_wake}, i32 1, ptr null, ptr null, i32 0)
  ret void
}}

define internal void @renew_parking() nounwind {{
  ret void
}}
"""


# The C library's set of cores has 1024 bits. To leave a core is to forbid it for a moment.
_MOVE_ON_LINUX = """\
declare i32 @sched_getcpu()
declare i32 @sched_getaffinity(i32, i64, ptr)
declare i32 @sched_setaffinity(i32, i64, ptr)

define internal i32 @core() nounwind {
  %core = call i32 @sched_getcpu()
  ret i32 %core
}

define internal void @move(i32 %core) nounwind {
entry:
  %cores = alloca [128 x i8], align 8
  %error = call i32 @sched_getaffinity(i32 0, i64 128, ptr %cores)
  %known = icmp sge i32 %error, 0
  %number = zext i32 %core to i64
  %inside = icmp ult i64 %number, 1024
  %possible = and i1 %known, %inside
  br i1 %possible, label %leave, label %done
leave:
  %byte = lshr i64 %number, 3
  %at = getelementptr i8, ptr %cores, i64 %byte
  %number8 = trunc i64 %number to i8
  %bit = and i8 %number8, 7
  %mask = shl i8 1, %bit
  %others = xor i8 %mask, -1
  %before = load i8, ptr %at
  %without = and i8 %before, %others
  store i8 %without, ptr %at
  call i32 @sched_setaffinity(i32 0, i64 128, ptr %cores)
  store i8 %before, ptr %at
  call i32 @sched_setaffinity(i32 0, i64 128, ptr %cores)
  br label %done
done:
  ret void
}
"""

_NEVER_MOVE = """\
define internal i32 @core() nounwind {
  ret i32 0
}

define internal void @move(i32 %core) nounwind {
  ret void
}
"""

# Sleeping on one condition variable for all words.
_PARK_ON_CONDITION = """\
@mutex = internal global [128 x i8] zeroinitializer, align 16
@condition = internal global [128 x i8] zeroinitializer, align 16

declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)

define internal void @park(ptr %word, i32 %old) nounwind {
entry:
  call i32 @pthread_mutex_lock(ptr @mutex)
  %value = load atomic i32, ptr %word acquire, align 4
  %changed = icmp ne i32 %value, %old
  br i1 %changed, label %leave, label %wait
wait:
  call i32 @pthread_cond_wait(ptr @condition, ptr @mutex)
  br label %leave
leave:
  call i32 @pthread_mutex_unlock(ptr @mutex)
  ret void
}

define internal void @unpark(ptr %word) nounwind {
  call i32 @pthread_mutex_lock(ptr @mutex)
  call i32 @pthread_cond_broadcast(ptr @condition)
  call i32 @pthread_mutex_unlock(ptr @mutex)
  ret void
}

define internal void @renew_parking() nounwind {
  call i32 @pthread_mutex_init(ptr @mutex, ptr null)
  call i32 @pthread_cond_init(ptr @condition, ptr null)
  ret void
}
"""
