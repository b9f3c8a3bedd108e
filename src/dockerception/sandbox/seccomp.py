"""The seccomp profile of a container (runtime-spec config-linux.md, section Seccomp): which system calls it may make.

It allows what Docker's default profile allows, and says why not in two ways: what is known and denied fails with EPERM;
what is in no list, such as a call of a newer kernel, fails with ENOSYS, so that libraries fall back to an older one.
Calls that only matter to a process with a capability are allowed where the container can have that.  Not taken over is
Docker's rule for kernels before 4.8, on which nothing here runs.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Final

import msgspec

from . import security

_EPERM: Final = 1
_ENOSYS: Final = 38

_ALLOWED: Final = {
    "files": """
        access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
        fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64
        fdatasync flock fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents
        getdents64 ioctl lchown lchown32 link linkat _llseek lseek lstat lstat64 mkdir mkdirat mknod mknodat
        name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead
        readlink readlinkat readv rename renameat renameat2 rmdir sendfile sendfile64 splice stat stat64 statfs statfs64
        statx symlink symlinkat sync sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime
        utimensat utimensat_time64 utimes vmsplice write writev""",
    "extended attributes": """
        fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr
        lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat""",
    "mounts, to look at": "listmount statmount",
    "asynchronous reading and writing": """
        io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit""",
    "notices of files": "fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch",
    "waiting": """
        epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd
        eventfd2 _newselect pause pipe pipe2 poll ppoll ppoll_time64 pselect6 pselect6_time64 select""",
    "memory": """
        brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap
        mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect
        remap_file_pages""",
    "processes": """
        execve execveat exit exit_group fork get_robust_list get_thread_area getcpu getpgid getpgrp getpid getppid
        getpriority getrlimit getrusage getsid gettid ioprio_get ioprio_set kill pidfd_open pidfd_send_signal prctl
        prlimit64 process_mrelease process_vm_readv process_vm_writev ptrace restart_syscall rseq set_robust_list
        set_thread_area set_tid_address setpgid setpriority setrlimit setsid sysinfo tgkill times tkill ugetrlimit uname
        vfork wait4 waitid waitpid""",
    "scheduling": """
        sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
        sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
        sched_setscheduler sched_yield""",
    "locks": "futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake",
    "signals": """
        alarm rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
        rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signalfd signalfd4 sigprocmask sigreturn""",
    "owners and rights": """
        capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32
        getresuid getresuid32 getuid getuid32 landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp
        setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid
        setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32""",
    "time": """
        adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
        clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete
        timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime
        timerfd_gettime64 timerfd_settime timerfd_settime64""",
    "messages of System V and POSIX": """
        ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64
        mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt
        shmget""",
    "network": """
        accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64
        recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair""",
    "random numbers": "getrandom",
}
"""Allowed to everybody."""

_ALLOWED_ON: Final = {
    "x86_64": "arch_prctl modify_ldt",
    "aarch64": "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2",
    "ppc64le": "swapcontext sync_file_range2",
    "riscv64": "riscv_flush_icache riscv_hwprobe",
    "s390x": "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr",
}
"""Allowed on one kind of machine, as ``uname -m`` calls it."""

_ALLOWED_WITH: Final = {
    "CAP_BPF": "bpf",
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_PERFMON": "perf_event_open",
    "CAP_SYSLOG": "syslog",
    "CAP_SYS_ADMIN": """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount
        open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare""",
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module finit_module init_module",
    "CAP_SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": "kcmp pidfd_getfd process_madvise",
    "CAP_SYS_RAWIO": "ioperm iopl",
    "CAP_SYS_TIME": "clock_settime clock_settime64 settimeofday stime",
    "CAP_SYS_TTY_CONFIG": "vhangup",
}
"""Allowed where a process can have the capability, else denied."""

_DENIED: Final = """
    _sysctl add_key create_module get_kernel_syms io_uring_enter io_uring_register io_uring_setup kexec_file_load
    kexec_load keyctl migrate_pages move_pages nfsservctl pivot_root query_module request_key swapoff swapon sysfs
    uselib userfaultfd ustat vm86 vm86old"""
"""Denied to everybody: keys and swap are the whole machine's, the rest is old, or has been a way out too often."""

_ARCHITECTURES: Final = {
    "x86_64": ("X86_64", "X86", "X32"),
    "aarch64": ("AARCH64", "ARM"),
    "ppc64le": ("PPC64LE",),
    "riscv64": ("RISCV64",),
    "s390x": ("S390X", "S390"),
}
"""A machine and the kinds of programs that it runs, in libseccomp's names."""

_NEW_NAMESPACES: Final = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
"""The flags of clone(2) that make a mount, cgroup, uts, ipc, user, pid and network namespace."""

_PERSONALITIES: Final = (0x0, 0x0008, 0x20000, 0x20008, 0xFFFFFFFF)
"""Of personality(2): Linux, 32 bits, the version number of Linux 2.6, both; and the question which one it is."""

_AF_VSOCK: Final = 40
"""Sockets to the host of a virtual machine know no network namespace."""

Rule = dict[str, object]


def profile(machine: str, capabilities: Collection[str]) -> Rule | None:
    """The profile for a container that can have these capabilities on a machine of this kind (``uname -m``).

    None where the kind is unknown here: the kernel's numbers of system calls are another set for each.
    """
    if machine not in _ARCHITECTURES:
        return None
    allowed = {name for names in _ALLOWED.values() for name in names.split()} | set(_ALLOWED_ON[machine].split())
    denied = set(_DENIED.split())
    for capability, names in _ALLOWED_WITH.items():
        (allowed if capability in capabilities else denied).update(names.split())
    rules = [*map(_personality, _PERSONALITIES), *_sockets()]
    if "clone" not in allowed:
        # The flags of clone3 lie in memory, where no filter sees them; without it libraries use clone.
        denied -= {"clone", "clone3"}
        rules += _clones(1 if machine == "s390x" else 0)
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _ENOSYS,
        "architectures": [f"SCMP_ARCH_{name}" for name in _ARCHITECTURES[machine]],
        "syscalls": [_allow(sorted(allowed)), _refuse(sorted(denied - allowed)), *rules],
    }


def encoded(capabilities: Collection[str]) -> bytes:
    """The profile for this machine as JSON: ``null`` where there is none."""
    return msgspec.json.encode(profile(os.uname().machine, capabilities))


def _personality(value: int) -> Rule:
    return _allow(("personality",), _argument(0, value, "EQ"))


def _sockets() -> list[Rule]:
    return [
        _allow(("socket",), _argument(0, _AF_VSOCK, "NE")),
        _refuse(("socket",), _argument(0, _AF_VSOCK, "EQ")),
    ]


def _clones(index: int) -> list[Rule]:
    """Without new namespaces clone is allowed; with any of them it is denied."""
    without = _argument(index, sum(_NEW_NAMESPACES), "MASKED_EQ", 0)
    return [
        _allow(("clone",), without),
        *(_refuse(("clone",), _argument(index, flag, "MASKED_EQ", flag)) for flag in _NEW_NAMESPACES),
    ]


def _allow(names: Collection[str], *arguments: Rule) -> Rule:
    return _rule("SCMP_ACT_ALLOW", names, arguments)


def _refuse(names: Collection[str], *arguments: Rule) -> Rule:
    return _rule("SCMP_ACT_ERRNO", names, arguments, errnoRet=_EPERM)


def _rule(action: str, names: Collection[str], arguments: Collection[Rule], **more: int) -> Rule:
    rule: Rule = {"names": names, "action": action, **more}
    return {**rule, "args": arguments} if arguments else rule


def _argument(index: int, value: int, operator: str, second: int | None = None) -> Rule:
    argument: Rule = {"index": index, "value": value, "op": f"SCMP_CMP_{operator}"}
    return argument if second is None else {**argument, "valueTwo": second}


DEFAULT: Final = encoded(security.DEFAULT_CAPABILITIES)
"""That of an ordinary container; made once, before the helper forks its workers."""
