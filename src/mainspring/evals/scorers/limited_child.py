"""The process that `limited.py` starts: it limits itself, then calls `score` for each row. Standard library only."""

import json
import math
import os
import sys


def limit(seconds: float, megabytes: int) -> None:
    """Take from this process what it is not to have; what the system does not offer is left out."""
    import resource

    memory = megabytes << 20
    wanted = {
        "RLIMIT_CPU": math.ceil(seconds),
        "RLIMIT_AS": memory,
        "RLIMIT_FSIZE": 4 << 20,
        "RLIMIT_NOFILE": 32,
        "RLIMIT_NPROC": 0,
        "RLIMIT_CORE": 0,
    }
    for name, value in wanted.items():
        kind = getattr(resource, name, None)
        if kind is not None:
            hard = resource.getrlimit(kind)[1]
            allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
            try:
                resource.setrlimit(kind, (allowed, allowed))
            except (OSError, ValueError):
                continue


def leave_network() -> None:
    """Move into a network namespace of its own, which has no way out, where the kernel permits."""
    try:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(0x40000000) != 0:  # CLONE_NEWNET, as root
            libc.unshare(0x10000000 | 0x40000000)  # with CLONE_NEWUSER, as anybody
    except (OSError, AttributeError, ImportError):
        return


def watch() -> None:
    """Refuse what a scorer has no business with. Once set, an audit hook cannot be taken away."""
    banned: tuple[str, ...] = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn")
    banned += ("os.spawn", "os.kill")
    banned += ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.chown")
    banned += ("os.truncate", "os.putenv", "shutil.", "ctypes.", "pty.", "signal.", "webbrowser.", "urllib.")
    own = tuple({sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix})

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith(banned):
            raise PermissionError(f"a scorer may not use {event.partition('.')[0]}")
        if event == "open":
            path, mode, flags = arguments
            writes = isinstance(mode, str) and bool(set(mode) & set("wax+"))
            writes = writes or (isinstance(flags, int) and flags & 3 != 0)
            if writes or not os.path.realpath(str(path)).startswith(own):
                raise PermissionError("a scorer may not open files")

    sys.addaudithook(hook)


def number(value: object) -> float | None:
    """Return a score as a number. Raises TypeError, ValueError for what is none."""
    if value is None:
        return None
    if not isinstance(value, int | float):
        raise TypeError(f"score returned {type(value).__name__}, not a number, a truth value or None")
    found = float(value)
    if not math.isfinite(found):
        raise ValueError("score returned a number that is not finite")
    return found


def main() -> None:
    """Read the task from standard input; write values, or an error, to standard output as JSON."""
    task = json.load(sys.stdin)
    out = sys.stdout
    sys.stdin = sys.stdout = sys.stderr = open("/dev/null", "r+")  # noqa: PTH123, SIM115
    limit(task["seconds"], task["megabytes"])
    leave_network()
    space: dict[str, object] = {"__name__": "scorer"}
    result: dict[str, object] = {}
    values: list[float | None] = []
    row = -1
    try:
        code = compile(task["source"], "scorer", "exec")
        watch()
        exec(code, space)  # noqa: S102
        score = space["score"]
        for row, given in enumerate(task["rows"]):  # noqa: B007
            values.append(number(score(**given)))  # type: ignore[operator]
        result["values"] = values
    except BaseException as error:
        said = str(error) or "it took too much memory" if isinstance(error, MemoryError) else str(error)
        result["error"] = f"{type(error).__name__}: {said}"[:1000]
        if row >= 0:
            result["row"] = row
    out.write(json.dumps(result))
    out.flush()


main()
