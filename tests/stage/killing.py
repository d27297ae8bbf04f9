"""Commands that are stopped at each system call of theirs that changes something, and die there, or have it fail.

`Traced` is a process that has loaded the whole program and forks a child for every command, which saves a second each
time. The child asks the kernel to stop it (seccomp) and its parent to look (ptrace) before every call in `CALLS`, in
Python, in SoftHSM2 or wherever it is made. Nothing else has an effect that lasts, so the instant after one of them is
the instant before the next; the last is the exit. OpenSC's spy module writes a line after each PKCS#11 call, so with
it in between these are counted too.

`serve` is that process: one JSON object a line on stdin, and for each an answer on stdout.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import signal
import struct
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from stage import loading

# ── What is stopped at ──


class Call(NamedTuple):
    """A system call of Linux on x86-64, and what one of its arguments has to be for it to be of interest."""

    name: str
    number: int
    argument: int = 0
    flags: int = 0  # some of these have to be set in the argument
    above: int = -1  # or it has to be larger: 2 leaves the standard streams out


CALLS = (
    Call("write", 1, above=2),
    Call("open", 2, argument=1, flags=os.O_CREAT | os.O_TRUNC),
    Call("pwrite64", 18, above=2),
    Call("writev", 20, above=2),
    Call("fsync", 74),
    Call("fdatasync", 75),
    Call("truncate", 76),
    Call("ftruncate", 77),
    Call("rename", 82),
    Call("mkdir", 83),
    Call("rmdir", 84),
    Call("creat", 85),
    Call("link", 86),
    Call("unlink", 87),
    Call("symlink", 88),
    Call("exit_group", 231),
    Call("openat", 257, argument=2, flags=os.O_CREAT | os.O_TRUNC),
    Call("mkdirat", 258),
    Call("unlinkat", 263),
    Call("renameat", 264),
    Call("linkat", 265),
    Call("symlinkat", 266),
    Call("fallocate", 285),
    Call("renameat2", 316),
)
IS_POSSIBLE = sys.platform == "linux" and platform.machine() == "x86_64"

_FILLS = {"write", "pwrite64", "writev", "mkdir", "mkdirat", "link", "linkat", "fallocate"}
FAILURES = {"full": (errno.ENOSPC, _FILLS), "read-only": (errno.EROFS, {call.name for call in CALLS} - {"exit_group"})}
"""How a disk fails, from one instant on: with which error, at which calls."""

_LOAD, _EQUAL, _ABOVE, _ANY_SET, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06  # of linux/bpf_common.h
_ALLOW, _TRACE = 0x7FFF0000, 0x7FF00000  # SECCOMP_RET_ of linux/seccomp.h
_NUMBER, _ARGUMENTS = 0, 16  # offsets in struct seccomp_data


def _filter() -> bytes:
    """Assemble the filter that stops at ``CALLS``, each with its index for a message."""
    program = [(_LOAD, 0, 0, _NUMBER)]
    for index, call in enumerate(CALLS):
        stop = (_RETURN, 0, 0, _TRACE | index)
        if call.flags or call.above >= 0:
            test = (_ANY_SET, 0, 1, call.flags) if call.flags else (_ABOVE, 0, 1, call.above)
            load = (_LOAD, 0, 0, _ARGUMENTS + 8 * call.argument)
            program += [(_EQUAL, 0, 4, call.number), load, test, stop, (_RETURN, 0, 0, _ALLOW)]
        else:
            program += [(_EQUAL, 0, 1, call.number), stop]
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


# ── The child ──

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 1, 38, 22, 2
_PTRACE_TRACEME, _PTRACE_CONT, _PTRACE_GETREGS, _PTRACE_SETREGS = 0, 7, 12, 13
_PTRACE_SETOPTIONS, _PTRACE_GETEVENTMSG, _PTRACE_EVENT_SECCOMP = 0x4200, 0x4201, 7
_OPTIONS = 1 << _PTRACE_EVENT_SECCOMP | 1 << 20  # and PTRACE_O_EXITKILL
_RAX, _ORIG_RAX, _REGISTERS = 10, 15, 27  # of struct user_regs_struct

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request: int, pid: int = 0, data: Any = None) -> None:
    if _libc.ptrace(request, pid, None, data) == -1:
        raise OSError(ctypes.get_errno(), "ptrace")


def _be_watched() -> None:
    _ptrace(_PTRACE_TRACEME)
    os.kill(os.getpid(), signal.SIGSTOP)  # until the parent has said what it wants to see
    program = _filter()
    buffer = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    arguments: tuple[tuple[Any, ...], ...] = (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.create_string_buffer(header), 0, 0),
    )
    for each in arguments:
        if _libc.prctl(*each) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


def _child(order: Mapping[str, Any], outputs: Sequence[int]) -> None:
    """Run one command and exit with its status."""
    from frost_hsm import cli
    from frost_hsm.ceremony import store

    status = 99
    try:
        for number, descriptor in enumerate([os.open(os.devnull, os.O_RDONLY), *outputs]):
            os.dup2(descriptor, number)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
        os.chdir(order["directory"])
        store.LOCK_PATIENCE = order["patience"]
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if order["watched"]:
            _be_watched()
        status = cli.run(order["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


# ── The parent ──


def _watch(child: int, order: Mapping[str, Any]) -> tuple[int | None, list[str]]:
    """Follow a child to its end; returns its exit status, or None if it was killed, and the calls it made."""
    calls: list[str] = []
    _, status = os.waitpid(child, 0)
    if not order["watched"]:
        return (None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)), calls
    _ptrace(_PTRACE_SETOPTIONS, child, _OPTIONS)
    _ptrace(_PTRACE_CONT, child)
    while True:
        _, status = os.waitpid(child, 0)
        if not os.WIFSTOPPED(status):
            return (None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)), calls
        deliver = os.WSTOPSIG(status)
        if status >> 16 == _PTRACE_EVENT_SECCOMP:
            deliver = 0
            index = ctypes.c_ulong()
            _ptrace(_PTRACE_GETEVENTMSG, child, ctypes.byref(index))
            calls.append(CALLS[index.value].name)
            _strike(child, order, len(calls), calls[-1])
        try:
            _ptrace(_PTRACE_CONT, child, deliver)
        except ProcessLookupError:
            continue  # killed


def _strike(child: int, order: Mapping[str, Any], instant: int, call: str) -> None:
    """Do what is ordered for an instant, or from one on."""
    if instant < (order["instant"] or sys.maxsize):
        return
    if order["action"] in FAILURES:
        error, failing = FAILURES[order["action"]]
        if call in failing:
            _refuse(child, error)
    elif instant == order["instant"]:
        if order["action"] == "kill":
            os.kill(child, signal.SIGKILL)
        else:
            Path(order["action"]).rename(f"{order['action']}.away")


def _refuse(child: int, error: int) -> None:
    """Have the call that a child is stopped before not made, and answered with an error."""
    registers = (ctypes.c_ulong * _REGISTERS)()
    _ptrace(_PTRACE_GETREGS, child, registers)
    registers[_ORIG_RAX] = ctypes.c_ulong(-1).value
    registers[_RAX] = ctypes.c_ulong(-error).value
    _ptrace(_PTRACE_SETREGS, child, registers)


def serve() -> None:
    """Be that process."""
    loading.load_all()
    for line in sys.stdin:
        order = json.loads(line)
        outputs = [os.memfd_create(name) for name in ("stdout", "stderr")]
        child = os.fork()
        if child == 0:
            _child(order, outputs)
        status, calls = _watch(child, order)
        said = [os.pread(descriptor, 1 << 20, 0).decode() for descriptor in outputs]
        for descriptor in outputs:
            os.close(descriptor)
        print(json.dumps([status, *said, calls]), flush=True)


# ── Whoever orders ──


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit status, None if it was killed; what it wrote; the calls that it made."""

    status: int | None
    stdout: str
    stderr: str
    calls: list[str]


class Traced(AbstractContextManager["Traced"]):
    """``with Traced(environment) as traced: traced.run(directory, arguments, instant=5)``."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        settings = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})}
        self._process = subprocess.Popen(
            [sys.executable, "-c", loading.program("killing")],
            env=settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        directory: Path,
        arguments: Sequence[str],
        *,
        instant: int | None = None,
        action: str = "kill",
        patience: float = 5.0,
        watched: bool = True,
    ) -> Ended:
        """Run ``frost-hsm`` and strike at an instant, counted from 1.

        action: ``kill``; one of `FAILURES`, from that instant on; or a path, which is moved away, to PATH.away.
        patience: seconds to wait for a lock. watched: without it nothing is stopped, struck or told of its calls, which
        is quicker.
        """
        order = {
            "directory": str(directory),
            "arguments": list(arguments),
            "instant": instant,
            "action": action,
            "patience": patience,
            "watched": watched,
        }
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Ended(*json.loads(self._process.stdout.readline()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()
