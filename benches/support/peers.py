"""Other clients and servers in Rust: `benches/peers`, built when a row first wants it."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from support.bench import NAME, PASSWORD, TARGET, Missing, Server, free_port, say
from support.cost import Cost, timed

#: Seconds after which a client of the registry is taken to hang: smb does in some puts.
PATIENCE = 20

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
    command = [program(), peer, verb, server.port, NAME, PASSWORD, remote, local, *options]
    try:
        return timed(server.pid, command, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        say(f"{peer} {verb}, {mode}: not done after {PATIENCE} s, which is what counts")
        return Cost(PATIENCE)


def peer_get(bench, server, mode, peer):
    program()
    bench.place_large(server)
    got = bench.folder / "got.bin"
    return arrived(bench, move(server, mode, peer, "get", "large.bin", got), got)


def peer_put(bench, server, mode, peer):
    program()
    return arrived(bench, move(server, mode, peer, "put", "put.bin", bench.large), server.folder / "put.bin")


def arrived(bench, cost, path):
    if cost.seconds < PATIENCE:
        bench.same(path)
    else:
        path.unlink(missing_ok=True)
    return cost


@cache
def smb_server(bench):
    """The server of the crate `smb-server`."""
    share, port = bench.share("smb-server"), free_port()
    command = [program(), "smb-server", str(port), NAME, PASSWORD, share]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    return bench.started(Server(process, port, share))
