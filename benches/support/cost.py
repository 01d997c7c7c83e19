"""What a command costs: the time that passes, and the processor time of the client and of its server."""

import os
import resource
import statistics
import subprocess
import time
from dataclasses import astuple, dataclass
from pathlib import Path


@dataclass
class Cost:
    """Seconds; processor time is that of user and system together, None where it was not looked at."""

    seconds: float
    client: float | None = None
    server: float | None = None

    @staticmethod
    def median(costs):
        """The median of each figure by itself."""
        figures = zip(*map(astuple, costs))
        return Cost(*(None if None in kept else statistics.median(kept) for kept in figures))

    def cpu_per_gib(self, size):
        """Processor seconds of client and server for each GiB of this size."""
        if self.client is None or self.server is None:
            return None
        return [cpu * (1 << 30) / size for cpu in (self.client, self.server)]


def run(command, stdout=subprocess.PIPE, **options):
    """Runs a command that must succeed; what it printed."""
    command = [str(word) for word in command]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.STDOUT, text=True, **options
    )
    # smbclient says some of its failures in words alone.
    if done.returncode != 0 or "NT_STATUS" in (done.stdout or ""):
        raise SystemExit(f"{' '.join(command)}: {done.stdout}")
    return done.stdout


def timed(server, command, **options):
    """The cost of a command that talks to the server with this process id."""
    server_before, client_before = settled_cpu_seconds(server), ended_cpu_seconds()
    start = time.perf_counter()
    run(command, **options)
    seconds = time.perf_counter() - start
    client = ended_cpu_seconds() - client_before
    return Cost(seconds, client, settled_cpu_seconds(server) - server_before)


def ended_cpu_seconds():
    """User and system time of the children of this process that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def settled_cpu_seconds(pid):
    """The same of a server, once it has nothing more to do: a process of its own may still be ending."""
    before, now = None, cpu_seconds(pid)
    while now != before:
        time.sleep(0.05)
        before, now = now, cpu_seconds(pid)
    return now


def cpu_seconds(pid):
    """User and system time of a process and all its children that live."""
    ticks = 0
    for process in [pid, *descendants(pid)]:
        fields = words(Path(f"/proc/{process}/stat"), after=")")
        # utime, stime, and those of children that have ended.
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def descendants(pid):
    try:
        tasks = list(Path(f"/proc/{pid}/task").glob("*/children"))
    except (FileNotFoundError, ProcessLookupError):
        # It has ended meanwhile.
        return []
    children = []
    for task in tasks:
        for child in words(task):
            children += [int(child), *descendants(int(child))]
    return children


def words(path, after=""):
    """The words of a file in /proc behind the last of these, none once the process or thread has ended."""
    try:
        text = path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return (text.rpartition(after)[2] if after else text).split()


def memory_kib(pid, field):
    """A field of /proc/PID/status: VmRSS, VmHWM."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0])
    raise KeyError(field)
