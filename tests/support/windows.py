"""What Windows lacks, hidden from a Python process that is about to run ``jobtypes``.

What is loaded of the standard library before has a copy of what it knows of this system.
"""

from __future__ import annotations

HIDE = """
import asyncio, concurrent.futures, ctypes, getpass, json, logging, multiprocessing, os
import multiprocessing.util, shutil, signal, socket, subprocess, sys, tempfile, threading
import urllib.request

LACKING = ("fcntl", "pwd", "grp", "resource", "termios")
OS = (
    "fork forkpty O_PATH O_CLOEXEC O_NOFOLLOW O_DIRECTORY O_NONBLOCK killpg setsid getuid geteuid"
    " getgid getegid getpgid getpgrp setpgid nice register_at_fork posix_fallocate memfd_create"
    " fchown chown pread pwrite statvfs fstatvfs mkfifo getloadavg sched_getaffinity"
    " setpriority getpriority WNOHANG wait3 wait4 openpty uname sendfile getgroups"
).split()
SIGNALS = "SIGKILL SIGHUP SIGALRM SIGUSR1 SIGUSR2 SIGCHLD SIGPIPE alarm setitimer".split()


class Windows:
    def find_spec(self, name, path=None, target=None):
        if name in LACKING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def no_library(name, *args, **options):
    raise TypeError("argument of type 'NoneType' is not iterable")


def hide():
    # Python's own, which were made for this system, go on as they are.
    for module in (subprocess, tempfile, shutil, multiprocessing.util, socket, asyncio):
        copy = type(os)("os")
        vars(copy).update(vars(os))
        if getattr(module, "os", None) is os:
            module.os = copy
    if hasattr(subprocess, "signal"):
        copy = type(signal)("signal")
        vars(copy).update(vars(signal))
        subprocess.signal = copy
    sys.meta_path.insert(0, Windows())
    for name in LACKING:
        sys.modules.pop(name, None)
    for name in OS:
        vars(os).pop(name, None)
    for name in SIGNALS:
        vars(signal).pop(name, None)
    ctypes.CDLL = ctypes.PyDLL = no_library
    os.supports_dir_fd.clear()
    os.supports_follow_symlinks.clear()


hide()
"""
