"""P7 and P8: small operations on our server beside smbd.

P7 has our client make, list, look at, read and delete small files, over one connection and over eight. P8
has smbtorture's own benches ask, four connections of one process, and looks at what the servers take for it.
"""

import json
import os
import re
import statistics
from functools import partial
from pathlib import Path

from support.bench import PROGRAM, USER, in_turns, need
from support.cost import cpu_seconds, descendants, run
from support.table import Row

FILES, SIZE = 10_000, 4096
#: The client shares the processors with the server, and one thread of its asks faster than either server answers.
ONE_THREAD = {**os.environ, "TOKIO_WORKER_THREADS": "1"}
#: How many files are worked on at a time, over all connections.
JOBS = 8
SECONDS = 5
BENCHES = ["echo", "path-contention-shared", "oplock1"]


def rows(bench, goal):
    if goal == "P7":
        for connections in (1, 8):
            yield from small_files(bench, goal, connections)
    if goal == "P8":
        for name in BENCHES:
            yield from torture(bench, goal, name)


def either(bench, measure):
    """What every measured run of either server gave."""
    return in_turns(bench.pairs, [partial(measure, server) for server in (bench.ours, bench.smbd)])


def small_files(bench, goal, connections):
    sizes = ["--mib", 0, "--files", FILES, "--size", SIZE, "--jobs", JOBS, "--connections", connections]

    def measure(server):
        said = run([PROGRAM, "bench", *sizes, "--json", "-U", USER, server.url()], env=ONE_THREAD)
        return [(line["what"], line["per_second"]) for line in map(json.loads, said.splitlines())]

    ours, theirs = either(bench, measure)
    over = "1 connection" if connections == 1 else f"{connections} connections"
    for work, (what, _) in enumerate(ours[0]):
        our_rate, their_rate = (statistics.median(run[work][1] for run in runs) for runs in (ours, theirs))
        yield Row(goal, f"{what}, {over}: ours / smbd", our_rate, their_rate, "/s", 4, our_rate / their_rate)


def torture(bench, goal, name):
    ours, theirs = either(bench, lambda server: ask(server, name))
    (our_rate, our_cpu), (their_rate, their_cpu) = (map(statistics.median, zip(*runs)) for runs in (ours, theirs))
    yield Row(goal, f"{name}, rate: ours / smbd", our_rate, their_rate, "/s", 1, our_rate / their_rate)
    what = f"{name}, CPU time an operation: ours / smbd"
    yield Row(goal, what, our_cpu * 1e6, their_cpu * 1e6, "us", 0.25, our_cpu / their_cpu, at_most=True)


def ask(server, name):
    """Operations a second, and the CPU time that the server takes for one."""
    options = ["--option=torture:nprocs=4", f"--option=torture:timelimit={SECONDS}"]
    command = [need("smbtorture", "samba-testsuite"), "//127.0.0.1/share", "-p", server.port, f"-U{USER}", *options]
    program = daemon(server)
    before = cpu_seconds(program)
    said = run([*command, f"smb2.bench.{name}"]).replace("\r", "\n")
    used = cpu_seconds(program) - before
    if name == "oplock1":
        rate = float(re.findall(r"([\d.]+) ops/second", said)[-1])
    else:
        # One line a second, one figure for each kind of operation.
        lines = [re.findall(r"num/s=(\d+)", line) for line in said.splitlines() if "num/s=" in line]
        rate = statistics.mean(sum(map(int, line)) for line in lines)
    return rate, used / (rate * SECONDS)


def daemon(server):
    """The process of the server, and not of the script that runs it."""
    names = {"sansmb", "smbd"}
    processes = [server.pid, *descendants(server.pid)]
    return next(pid for pid in processes if Path(f"/proc/{pid}/comm").read_text().strip() in names)
