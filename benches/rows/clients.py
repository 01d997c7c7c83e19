"""P11, P12: many clients at once, each with a connection of its own, all of them in one `sansmb bench`."""

import json
import resource
import signal
import statistics
import subprocess
import time

from support.bench import PROGRAM, USER
from support.cost import memory_kib, run
from support.table import Row

#: How many are logged on and do nothing.
IDLE = 10_000
#: How many read and write; the last is the one of the goal.
ACTIVE = [1, 2, 4, 8, 16, 32, 64]
#: Blocks of 64 KiB that all of them move in one run.
BLOCKS = 30_000


def clients(server, count, *options):
    return [PROGRAM, "bench", server.url(), "-U", USER, "--json", "--clients", str(count), *options]


def rows(bench, goal):
    yield from (idle(bench, goal) if goal == "P11" else active(bench, goal))


def idle(bench, goal):
    # Each takes a descriptor on either side; the program asks for all that it may have.
    count = min(IDLE, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100)
    runs = [logged_on(bench, count, turn) for turn in range(bench.pairs)]
    memory, rate = map(statistics.median, zip(*runs))
    yield Row(goal, f"memory of each of {count} idle clients", memory, None, "KiB", 16, memory, at_most=True)
    yield Row(goal, "log-ons, the client on the same cores", rate, None, "/s", 2000, rate)


def logged_on(bench, count, turn):
    """KiB that the server holds for each client, and how many logged on in a second."""
    server = bench.serve(f"idle{turn}")
    run(clients(server, 8, "--blocks", "0"))
    base = memory_kib(server.pid, "VmRSS")
    command = clients(server, count, "--blocks", "0", "--jobs", "64", "--idle", "3600")
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    figure = json.loads(process.stdout.readline())
    time.sleep(2)
    held = (memory_kib(server.pid, "VmRSS") - base) / count
    process.send_signal(signal.SIGINT)
    process.wait()
    server.stop()
    return held, figure["per_second"]


def active(bench, goal):
    """One request each under way; every block that is read is compared with what was written."""
    rates, spread = {count: [] for count in ACTIVE}, []
    for turn in range(bench.pairs):
        for count in ACTIVE:
            said = run(clients(bench.ours, count, "--blocks", BLOCKS)).splitlines()
            figure = json.loads(said[-1])
            rates[count].append(figure["per_second"] / 1e9)
            if count == ACTIVE[-1]:
                middle, late = figure["milliseconds"]
                spread.append(late / middle)
    rates = {count: statistics.median(figures) for count, figures in rates.items()}
    best = max(rates, key=rates.get)
    all_ = rates[ACTIVE[-1]]
    what = f"{ACTIVE[-1]} clients, 70 reads to 30 writes / {best} of them"
    yield Row(goal, what, all_, rates[best], "GB/s", 0.9, all_ / rates[best])
    spread = statistics.median(spread)
    yield Row(goal, f"{ACTIVE[-1]} clients, p99 / p50", spread, None, "", 10, spread, at_most=True)
