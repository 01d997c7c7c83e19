"""Other clients and servers in Rust: `benches/peers`, built when a row first wants it."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from support.bench import NAME, PASSWORD, TARGET, Missing, Server, free_port
from support.cost import timed

FOLDER = Path(__file__).resolve().parent.parent / "peers"


@cache
def program():
    if shutil.which("cargo") is None:
        raise Missing("cargo is not installed")
    # A lock file of its own, and a folder of its own within ours.
    target = TARGET / "bench-peers"
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", target]
    if subprocess.run([str(word) for word in command], cwd=FOLDER).returncode != 0:
        raise Missing("benches/peers does not build")
    return target / "release" / "sansmb-bench-peers"


def move(server, mode, peer, verb, remote, local):
    options = ["--encrypt"] if mode == "encrypted" else []
    return timed(server.pid, [program(), peer, verb, server.port, NAME, PASSWORD, remote, local, *options])


def peer_get(bench, server, mode, peer):
    program()
    bench.place_large(server)
    got = bench.folder / "got.bin"
    cost = move(server, mode, peer, "get", "large.bin", got)
    bench.same(got)
    return cost


def peer_put(bench, server, mode, peer):
    program()
    cost = move(server, mode, peer, "put", "put.bin", bench.large)
    bench.same(server.folder / "put.bin")
    return cost


@cache
def smb_server(bench):
    """The server of the crate `smb-server`."""
    share, port = bench.share("smb-server"), free_port()
    command = [program(), "smb-server", str(port), NAME, PASSWORD, share]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    return bench.started(Server(process, port, share))
