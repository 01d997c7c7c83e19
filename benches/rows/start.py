"""P15: how soon `sansmb serve` answers, and how long the program is."""

import socket
import statistics
import struct
import subprocess
import time

from support.bench import NAME, PASSWORD, PROGRAM, free_port, need
from support.cost import run
from support.table import Row


def negotiate():
    """A NEGOTIATE of the dialects 2.0.2 and 2.1."""
    header = struct.pack("<4sHHIHHIIQQQ16s", b"\xfeSMB", 64, 0, 0, 0, 1, 0, 0, 0, 0, 0, bytes(16))
    body = struct.pack("<HHHHI16sQHH", 36, 2, 1, 0, 0, bytes(16), 0, 0x0202, 0x0210)
    return struct.pack(">I", len(header + body)) + header + body


def first_answer(bench, share):
    """Milliseconds from before the program is started to the answer."""
    port = free_port()
    command = [PROGRAM, "serve", share, "--listen", f"127.0.0.1:{port}", "--user", f"{NAME}:{PASSWORD}"]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        while True:
            with socket.socket() as peer:
                if peer.connect_ex(("127.0.0.1", port)) == 0:
                    peer.sendall(negotiate())
                    answer = peer.recv(4096)
                    took = time.perf_counter() - start
                    break
            time.sleep(0.0002)
    finally:
        process.terminate()
        process.wait()
    if answer[4:8] != b"\xfeSMB" or answer[12:16] != bytes(4):
        raise SystemExit(f"no answer to NEGOTIATE: {answer.hex()}")
    return took * 1000


def rows(bench, goal):
    share = bench.share("start")
    took = statistics.median(first_answer(bench, share) for _ in range(4 * bench.pairs))
    yield Row(goal, "start of `sansmb serve` to its first answer", took, None, "ms", 50, took, at_most=True)
    stripped = bench.folder / "stripped"
    run([need("strip", "binutils"), "-o", stripped, PROGRAM])
    size = stripped.stat().st_size / (1 << 20)
    stripped.unlink()
    yield Row(goal, "the stripped program", size, None, "MiB", 12, size, at_most=True)
