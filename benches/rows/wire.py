"""P1, P4, P5, P6: our client on our server, beside what the wire and the cipher give.

iperf3 throws away what it gets; so does P1 (`sansmb cat` into /dev/null). What is got into a file, and
compared there, is told as a row without a goal.
"""

import json
import subprocess
import time
from functools import cache, partial

from rows.transfers import sansmb_get, sansmb_put
from support.bench import PROGRAM, ROOT, USER, free_port, need
from support.cost import Cost, run, timed


def iperf3(bench, address="127.0.0.1", client=(), server=()):
    """The cost of as many bytes as the large file has, over one stream. `client` and `server` are commands
    that run either side, for one that is not simply here."""
    program, port = need("iperf3", "iperf3"), free_port()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([*server, program, "-s", "-1", "-p", str(port)], **quiet)
    try:
        time.sleep(0.2)
        said = json.loads(run([*client, program, "-c", address, "-p", port, "-n", bench.bytes, "-J"]))
    finally:
        server.terminate()
        server.wait()
    received = said["end"]["sum_received"]
    return Cost(received["seconds"] * bench.bytes / received["bytes"])


def thrown_away(bench, *options):
    """The cost of a get whose bytes go nowhere."""
    bench.place_large(bench.ours)
    command = [PROGRAM, "cat", "-U", USER, *options, bench.ours.url("large.bin")]
    return timed(bench.ours.pid, command, stdout=subprocess.DEVNULL)


def rows(bench, goal):
    wire, plain = partial(iperf3, bench), partial(thrown_away, bench)
    if goal == "P1":
        yield bench.transfer(goal, "ours to ours, get, plain / iperf3", 0.75, plain, wire)
        into_file = partial(sansmb_get, bench, bench.ours, "plain")
        yield bench.transfer(goal, "ours to ours, get into a file, plain / iperf3", None, into_file, wire)
    if goal == "P4":
        put = partial(sansmb_put, bench, bench.ours, "plain")
        yield bench.transfer(goal, "ours to ours, put, plain / iperf3", 0.6, put, wire)
    if goal == "P5":
        sealed = partial(thrown_away, bench, "--encrypt", "--cipher", "aes-128-gcm")
        yield encrypted(bench, goal, sealed, wire)
    if goal == "P6":
        signed = partial(thrown_away, bench, "--sign", "--signer", "aes-gmac")
        yield bench.transfer(goal, "ours to ours, get, signed AES-GMAC / plain", 0.8, signed, plain)


def encrypted(bench, goal, sealed, wire):
    """The limit of encryption: every byte goes over the wire, is sealed, and is opened."""
    seal, open_ = cipher("seal"), cipher("open")
    ours, alone = bench.in_turns(sealed, wire)
    limit = Cost(alone.seconds + bench.bytes * (seal + open_))
    return bench.compared(goal, "ours to ours, get, AES-128-GCM / limit", 0.6, ours, limit)


@cache
def ciphers():
    """What the program's provider needs for its work alone, as the bench of the providers prints it."""
    return run(["cargo", "bench", "-q", "-p", "sansmb-crypto", "--features", "aws-lc"], cwd=ROOT).splitlines()


def cipher(work):
    """Seconds a byte, in pieces of 1 MiB."""
    (line,) = [line for line in ciphers() if line.startswith(f"AwsLc {work} AES_128_GCM")]
    return 1 / (float(line.split()[-2]) * 1e9)
