"""P13: our client on our server over a link of 1 Gbit/s with a round trip of 50 ms.

Each of the two has a network namespace of its own. Not every kernel has `tc netem`, so the link between them is
made of two tunnel devices and a process that carries packets from one to the other: at the link's pace, and half
a round trip later. TCP may use buffers of 16 MiB there; with the usual limit of 4 MiB for what is sent
nothing can fill this link, iperf3 as little as we.
"""

import fcntl
import multiprocessing
import os
import selectors
import struct
import subprocess
import time
from collections import deque
from contextlib import contextmanager

from rows.wire import iperf3
from support.bench import NAME, PASSWORD, PROGRAM, USER, Missing, need
from support.cost import run, timed
from support.table import Row

RATE = 1e9 / 8
DELAY = 0.025
MTU = 9000
#: What waits for the link at most, as in the buffer of a router.
QUEUE = 0.1
BUFFERS = "4096 131072 16777216"
PORT = 24445
ADDRESSES = ("10.255.13.1", "10.255.13.2")


def rows(bench, goal):
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        raise Missing("network namespaces and tunnels need root and /dev/net/tun")
    need("ip", "iproute2")
    share = bench.share("link")
    (share / "large.bin").hardlink_to(bench.large)
    url = f"smb://{ADDRESSES[1]}:{PORT}/share/"
    got = bench.folder / "got.bin"
    with link() as (here, there):
        command = [PROGRAM, "serve", share, "--listen", f"{ADDRESSES[1]}:{PORT}", "--user", f"{NAME}:{PASSWORD}"]
        server = subprocess.Popen(within(there, command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        try:
            server.stdout.readline()
            moves = {
                "get": (["get", "-U", USER, url + "large.bin", got], got),
                "put": (["put", "-U", USER, bench.large, url + "put.bin"], share / "put.bin"),
            }
            for name, (arguments, arrived) in moves.items():
                (cost,) = bench.in_turns(lambda: move(bench, here, server, arguments, arrived))
                rate, cpu = bench.rate(cost), cost.cpu_per_gib(bench.bytes)
                what = f"ours to ours, {name}, 1 Gbit/s and 50 ms / link"
                yield Row(goal, what, rate, RATE / 1e9, "GB/s", 0.9, rate * 1e9 / RATE, our_cpu=cpu)
            # What TCP by itself takes for as many bytes, from a standing start.
            (cost,) = bench.in_turns(lambda: iperf3(bench, ADDRESSES[1], within(here, []), within(there, [])))
            rate = bench.rate(cost)
            yield Row(goal, "iperf3, 1 Gbit/s and 50 ms / link", rate, RATE / 1e9, "GB/s", None, rate * 1e9 / RATE)
        finally:
            server.terminate()
            server.wait()


def move(bench, here, server, arguments, arrived):
    cost = timed(server.pid, within(here, [PROGRAM, *arguments]))
    bench.same(arrived)
    return cost


def within(namespace, command):
    return ["ip", "netns", "exec", namespace, *map(str, command)]


@contextmanager
def link():
    """Two namespaces with the link between them."""
    names = [f"sansmb-{os.getpid()}-{side}" for side in "ab"]
    made, carrier = [], None
    try:
        ends = []
        for name, address, other in zip(names, ADDRESSES, reversed(ADDRESSES)):
            run(["ip", "netns", "add", name])
            made.append(name)
            ends.append(tunnel(name, address, other))
        carrier = multiprocessing.Process(target=carry, args=ends, daemon=True)
        carrier.start()
        yield names
    finally:
        if carrier:
            carrier.terminate()
        for name in made:
            run(["ip", "netns", "del", name])


def tunnel(namespace, address, other):
    """An end of the link: a device in the namespace, and the file that has its packets."""
    device = f"smb{namespace[-1]}{os.getpid()}"[:15]
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    tunsetiff, tun, no_packet_info = 0x400454CA, 1, 0x1000
    fcntl.ioctl(end, tunsetiff, struct.pack("16sH22x", device.encode(), tun | no_packet_info))
    run(["ip", "link", "set", device, "netns", namespace])
    inside = lambda *words: run(within(namespace, words))
    inside("ip", "addr", "add", address, "peer", other, "dev", device)
    inside("ip", "link", "set", device, "mtu", MTU, "txqueuelen", 5000, "up")
    for direction in ("rmem", "wmem"):
        inside("sysctl", "-qw", f"net.ipv4.tcp_{direction}={BUFFERS}")
    return end


def carry(*ends):
    """Takes packets from either end to the other."""
    # A link does not wait for a processor.
    os.nice(-15)
    ways = [Way(*ends), Way(*reversed(ends))]
    selector = selectors.DefaultSelector()
    for way in ways:
        selector.register(way.source, selectors.EVENT_READ, way)
    while True:
        now = time.monotonic()
        due = min((way.due(now) for way in ways), default=None)
        for key, _ in selector.select(due):
            key.data.take()
        for way in ways:
            way.give()


class Way:
    """One direction of the link."""

    def __init__(self, source, target):
        self.source, self.target = source, target
        self.under_way = deque()
        #: When the last packet has gone in.
        self.free = 0.0

    def due(self, now):
        return max(self.under_way[0][0] - now, 0) if self.under_way else 1.0

    def take(self):
        for _ in range(64):
            try:
                packet = os.read(self.source, 65536)
            except BlockingIOError:
                return
            now = time.monotonic()
            start = max(now, self.free)
            if start - now > QUEUE:
                continue  # The router is full.
            self.free = start + len(packet) / RATE
            self.under_way.append((self.free + DELAY, packet))

    def give(self):
        now = time.monotonic()
        while self.under_way and self.under_way[0][0] <= now:
            try:
                os.write(self.target, self.under_way[0][1])
            except BlockingIOError:
                return
            except OSError:
                pass  # The device is down.
            self.under_way.popleft()
