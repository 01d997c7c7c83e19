"""P14: what client and server need of memory at most while 10 GiB are moved.

The file is sparse and what is got is thrown away, so that only what is put takes room: on a disk, since few
machines have so much memory to spare.
"""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from rows.transfers import MODES
from support.bench import PROGRAM, USER, Missing
from support.cost import memory_kib
from support.table import Row

SIZE = 10 << 30
GOAL = 64
FOLDER = Path("/var/tmp")


def rows(bench, goal):
    if shutil.disk_usage(FOLDER).free < 1.2 * SIZE:
        raise Missing(f"{FOLDER} has no room for 10 GiB")
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        source = Path(folder) / "sparse.bin"
        with open(source, "wb") as file:
            file.truncate(SIZE)
        for mode in MODES:
            for name in ("get", "put"):
                # A server of its own each: what is told is the most that there ever was.
                server = bench.serve(f"memory-{name}-{mode}", share=Path(folder))
                yield from figures(goal, server, name, mode, source)
                server.stop()
                (source.parent / "put.bin").unlink(missing_ok=True)


def figures(goal, server, name, mode, source):
    options = ["-U", USER, *MODES[mode][1]]
    if name == "get":
        command = [PROGRAM, "cat", *options, server.url("sparse.bin")]
    else:
        command = [PROGRAM, "put", *options, source, server.url("put.bin")]
    client = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    most = 0
    while client.poll() is None:
        try:
            most = memory_kib(client.pid, "VmHWM")
        except (KeyError, FileNotFoundError):
            pass  # It ended just now.
        time.sleep(0.02)
    if client.returncode != 0:
        raise SystemExit(f"{name} of 10 GiB failed")
    for side, kib in (("client", most), ("server", memory_kib(server.pid, "VmHWM"))):
        yield Row(goal, f"{name} of 10 GiB, {mode}, {side}", kib / 1024, None, "MiB", GOAL, kib / 1024, at_most=True)
