"""Closes the doors around a submission, then becomes its worker. Started by :mod:`facelab.coursework.sandbox`.

It is a program of its own, with the standard library only: ``python jail.py SETTINGS CHANNEL``. Settings (JSON) say
which layer to use:

``landlock``
    a user, process, network and IPC namespace where the system allows them; limits; the kernel's Landlock, which leaves
    only the files that are named, no TCP and, from its sixth version, no signals to others; and a filter of system
    calls (seccomp) against what Landlock does not know: sockets of any kind, changes of modes, times and owners, other
    processes' memory and limits, new namespaces, kernel interfaces that no notebook needs.
``inner``
    the same limits and the same filter, for a process that bubblewrap has already enclosed.
``none``
    limits only.

What comes first waits for the rest and ends it: all processes of a submission end with it, whatever they did to hide.
"""

import contextlib
import ctypes
import json
import os
import platform
import resource
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.prctl.argtypes = [ctypes.c_int, *4 * [ctypes.c_ulong]]
_FAILED = 70  # what this program ends with where it cannot start the worker

_CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = (
    0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 22, 24, 36, 38

# linux/landlock.h; system calls of the same number on every machine
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEV = 1, 2, 4, 8, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OLDEST = 3  # Landlock before it lets files be emptied

# Numbers of system calls (asm/unistd_64.h, asm-generic/unistd.h): x86-64, ARM 64; None where there is none.
_SILENT = {  # answered "done", and nothing is done: libraries change modes of their own files
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
}  # fmt: skip
_REFUSED = {
    "socket": (41, 198), "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16), "setxattrat": (463, 463),
    "removexattrat": (466, 466), "file_setattr": (469, 469), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "mount_setattr": (442, 442), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "open_by_handle_at": (304, 265), "mq_open": (240, 180), "shmget": (29, 194),
    "msgget": (68, 186), "semget": (64, 190), "setpriority": (141, 140), "ioprio_set": (251, 30),
    "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274),
}  # fmt: skip
_UNKNOWN = {"io_uring_setup": (425, 425), "clone3": (435, 435)}  # as on an old kernel: libraries go another way
_SIGNALS = {
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424),
}  # fmt: skip
_PRLIMIT, _CLONE = (302, 261), (56, 220)
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # AUDIT_ARCH of linux/audit.h


def main(settings: dict[str, Any], channel: int) -> None:
    """Enclose this process as the settings say, and run the worker in it or in a child.

    Args:
        settings: ``layer``, ``parent`` (process that started this one), ``worker`` (path of worker.py), ``read`` and
            ``write`` (paths), ``limits`` (names of ``resource.RLIMIT_*`` and values).
        channel: the descriptor that the worker speaks on.
    """
    if settings["layer"] == "inner":
        _enclose(settings, channel, apart=True)
    _die_with(settings["parent"], signal.SIGTERM)
    apart = settings["layer"] == "landlock" and _namespaces()
    _die_with(settings["parent"], signal.SIGTERM)  # a new user namespace forgets it
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda *_: sys.exit(0))
    child = _start(_first_process if apart else _enclose, settings, channel, apart=apart)
    code = _FAILED
    try:
        code = _wait_for(child)
    finally:
        for name in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN)
        _kill_all()
    os._exit(code)


def _start(then: Callable[..., None], settings: dict[str, Any], channel: int, *, apart: bool) -> int:
    """Go on in a child, which ends with this process, and return its number."""
    child = os.fork()
    if child:
        return child
    try:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        then(settings, channel, apart=apart)
    except BaseException as error:  # the grader shows it
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    os._exit(_FAILED)


def _wait_for(child: int) -> int:
    """Bury all children that end until one certain does; return how that one ended, as shells tell it."""
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _first_process(settings: dict[str, Any], channel: int, *, apart: bool) -> None:
    """Be process 1 of the namespace: adopt orphans. When the worker ends, or this process, the kernel ends all."""
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    worker = _start(_enclose, settings, channel, apart=apart)
    os.close(channel)
    os._exit(_wait_for(worker))


def _enclose(settings: dict[str, Any], channel: int, *, apart: bool) -> None:
    """Set limits and close the doors for this process and all that come from it, and become the worker.

    Args:
        settings: see :func:`main`.
        channel: see :func:`main`.
        apart: no signal reaches a process outside, and processes are counted apart.
    """
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_DFL)
    if os.getsid(0) != os.getpid():
        os.setsid()
    with open("/proc/self/oom_score_adj", "w") as file:  # where memory ends, this goes first
        file.write("1000")
    others = 0 if apart else _tasks()
    version = restrict_files(settings["read"], settings["write"]) if settings["layer"] == "landlock" else 0
    _limit(settings["limits"], others)
    if settings["layer"] != "none":
        _drop_privileges()
        filter_calls(signals_closed=apart or version >= 6)
    os.set_inheritable(channel, True)
    flags = ["-s", "-P", "-B", "-X", "utf8"]
    os.execv(sys.executable, [sys.executable, *flags, settings["worker"], str(channel)])


def _limit(limits: dict[str, int], others: int) -> None:
    for name, value in limits.items():
        which = getattr(resource, name)
        value += others if name == "RLIMIT_NPROC" else 0
        _, hard = resource.getrlimit(which)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))


def _tasks() -> int:
    """Return how many tasks this user has: the limit of processes counts them all."""
    found = 0
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                if os.stat(f"/proc/{name}").st_uid == os.getuid():
                    found += len(os.listdir(f"/proc/{name}/task"))
            except OSError:  # it has ended
                pass
    return found


def _namespaces() -> bool:
    """Enter namespaces of one's own; False where the system does not allow it."""
    user, group = os.getuid(), os.getgid()
    flags = _CLONE_NEWUSER | _CLONE_NEWPID | _CLONE_NEWNET | _CLONE_NEWIPC
    if _LIBC.unshare(ctypes.c_int(flags)) != 0:
        return False
    try:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    except OSError:  # nobody in it then, and that does no harm: the files stay one's own
        pass
    return True


def _die_with(parent: int, which: int) -> None:
    """End with the process that started this one, however that ends."""
    _prctl(_PR_SET_PDEATHSIG, which)
    if parent and os.getppid() != parent:
        os._exit(1)


def _kill_all() -> None:
    """End all that came from this process: stopped first, as what runs could start others meanwhile."""
    for _ in range(1000):
        found = descendants(os.getpid())
        if not found:
            return
        for which in (signal.SIGSTOP, signal.SIGKILL):
            for process in found:
                with contextlib.suppress(OSError):
                    os.kill(process, which)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def descendants(process: int) -> list[int]:
    """Return the processes that come from one, as ``/proc`` tells."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):  # it has ended
                continue
            children.setdefault(parent, []).append(int(name))
    found, waiting = [], [process]
    while waiting:
        new = children.pop(waiting.pop(), [])
        found += new
        waiting += new
    return found


def landlock_version() -> int:
    """Return which version of Landlock the kernel has; 0 for none."""
    return max(0, _LIBC.syscall(ctypes.c_long(_CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint32(1)))


def restrict_files(read: Iterable[str], write: Iterable[str]) -> int:
    """Leave this process, for ever, only the named files and what lies in the named folders; no TCP; signals and
    abstract sockets within itself. Return the version of Landlock.

    Raises:
        OSError: the kernel cannot do that.
    """
    version = landlock_version()
    if version < _OLDEST:
        raise OSError(f"the kernel has Landlock {version}; {_OLDEST} or newer is needed")
    every = (1 << (16 if version >= 5 else 15)) - 1
    attributes = struct.pack("=QQQ", every, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _call(_CREATE_RULESET, ctypes.c_char_p(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0))
    for paths, rights in ((read, _READ), (write, every & ~_IOCTL_DEV)):
        for path in paths:
            try:
                handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:  # not on this machine
                continue
            allowed = rights if os.path.isdir(path) else rights & _OF_FILES
            rule = struct.pack("=Qi", allowed & every, handle)
            _call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_RULE_PATH), ctypes.c_char_p(rule), ctypes.c_uint32(0))
            os.close(handle)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)
    return version


def _drop_privileges() -> None:
    """Give up what root may do, here and in a program that is started."""
    for capability in range(64):
        _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header, none = struct.pack("=Ii", 0x20080522, 0), bytes(24)  # _LINUX_CAPABILITY_VERSION_3
    if _LIBC.capset(ctypes.c_char_p(header), ctypes.c_char_p(none)) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def filter_calls(*, signals_closed: bool) -> None:
    """Refuse, for ever, the system calls that no notebook needs.

    Args:
        signals_closed: no signal can reach a process outside; otherwise no signal may be sent at all.

    Raises:
        OSError: the kernel, or this file, does not know how on this machine.
    """
    if platform.machine() not in _MACHINES:
        raise OSError(f"no filter of system calls is known for {platform.machine()}")
    column, machine = _MACHINES[platform.machine()]
    done, refused, unknown = 0x00050000, 0x00050001, 0x00050026  # SECCOMP_RET_ERRNO with 0, EPERM, ENOSYS
    kill, allow = 0x80000000, 0x7FFF0000
    load, jump_if, jump_if_any, answer = 0x20, 0x15, 0x45, 0x06  # BPF_LD|W|ABS, JMP|JEQ|K, JMP|JSET|K, RET|K
    program = [(load, 0, 0, 4), (jump_if, 1, 0, machine), (answer, 0, 0, kill), (load, 0, 0, 0)]
    if machine == 0xC000003E:
        program += [(jump_if_any, 0, 1, 0x40000000), (answer, 0, 0, refused)]  # calls of the x32 kind
    for calls, what in (
        (_SILENT, done), (_REFUSED, refused), (_UNKNOWN, unknown), ({} if signals_closed else _SIGNALS, refused),
    ):  # fmt: skip
        for numbers in calls.values():
            if (number := numbers[column]) is not None:
                program += [(jump_if, 0, 1, number), (answer, 0, 0, what)]
    # prlimit of another process; clone into a new user namespace. Arguments stand at 16 + 8 i, lower half first.
    program += [(jump_if, 0, 4, _PRLIMIT[column]), (load, 0, 0, 16), (jump_if, 1, 0, 0), (answer, 0, 0, refused)]
    program += [(answer, 0, 0, allow)]
    program += [(jump_if, 0, 3, _CLONE[column]), (load, 0, 0, 16), (jump_if_any, 0, 1, 0x7E020000)]
    program += [(answer, 0, 0, refused), (answer, 0, 0, allow)]
    code = b"".join(struct.pack("=HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code)
    filters = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(buffer)))
    where = ctypes.addressof(filters)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if _LIBC.prctl(_PR_SET_SECCOMP, 2, where, 0, 0) != 0:  # SECCOMP_MODE_FILTER
        raise OSError(ctypes.get_errno(), "no filter of system calls")


def _prctl(what: int, value: int) -> None:
    if _LIBC.prctl(what, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {what}")


def _call(number: int, *arguments: Any) -> int:
    result = _LIBC.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return result


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), int(sys.argv[2]))
