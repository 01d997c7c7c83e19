"""Servers, files and stopwatches that all rows use."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from functools import cached_property
from pathlib import Path

from support.cost import Cost, timed
from support.table import Row

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAM = TARGET / "release" / "sansmb"
NAME, PASSWORD = "tester", "Passw0rd!"
USER = f"{NAME}%{PASSWORD}"


class Missing(Exception):
    """A peer that is not installed."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def need(program, package):
    """The path of a program."""
    found = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if found is None:
        raise Missing(f"{program} is not installed (package {package})")
    return found


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def in_turns(times, sides):
    """What each side gave in each of its runs. The same one always begins: where that changes, a side runs now right
    after itself and now after the other one twice, and its memory is gone by then."""
    runs = [[] for _ in sides]
    for _ in range(times):
        for kept, side in zip(runs, sides):
            kept.append(side())
    return runs


class Server:
    """A server with one share named `share`."""

    def __init__(self, process, port, folder):
        self.process, self.port, self.folder = process, port, folder

    @property
    def pid(self):
        return self.process.pid

    def url(self, path=""):
        return f"smb://127.0.0.1:{self.port}/share/{path}"

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Bench:
    """One run: a folder in memory, servers that start when a row first wants them, and the number of pairs."""

    def __init__(self, mib, pairs, only=()):
        self.mib, self.pairs, self.only = mib, pairs, set(only)
        self.bytes = mib << 20
        self.servers = []

    def __enter__(self):
        base = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="sansmb-bench-", dir=base))
        self.folder.chmod(0o755)
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @cached_property
    def large(self):
        """A large file of random bytes."""
        path = self.folder / "large.bin"
        with open(path, "wb") as file:
            for _ in range(self.mib):
                file.write(os.urandom(1 << 20))
        return path

    def share(self, name):
        """A new folder to be served, with the large file in it as `large.bin` once that is wanted."""
        share = self.folder / name
        share.mkdir()
        share.chmod(0o777)
        return share

    @cached_property
    def ours(self):
        """`sansmb serve`."""
        return self.serve("ours")

    def serve(self, name, *options, share=None):
        """Another `sansmb serve`, on a share of its own unless there is one."""
        share, port = share or self.share(name), free_port()
        command = [PROGRAM, "serve", share, "--listen", f"127.0.0.1:{port}", "--user", f"{NAME}:{PASSWORD}", *options]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        return self.started(Server(process, port, share))

    @cached_property
    def smbd(self):
        """Samba's server, over the runner of the tests."""
        need("smbd", "samba")
        share = self.share("smbd")
        command = ["bash", ROOT / "tests" / "peers" / "smbd.sh", "--share", share]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        ready = process.stdout.readline()
        port = int(dict(word.split("=", 1) for word in ready.split()[1:])["port"])
        return self.started(Server(process, port, share))

    def started(self, server):
        self.servers.append(server)
        return server

    def place_large(self, server):
        """The large file on a server's share."""
        place = server.folder / "large.bin"
        if not place.exists():
            shutil.copy(self.large, place)

    def same(self, path):
        """What was moved is what was sent."""
        if subprocess.run(["cmp", "-s", self.large, path]).returncode != 0:
            raise SystemExit(f"{path} is not what was sent")
        path.unlink()

    def sansmb(self, server, verb, *arguments):
        """What one command of ours costs, on a server of these."""
        return timed(server.pid, [PROGRAM, verb, "-U", USER, *arguments])

    def smbclient(self, server, options, commands):
        """What one run of smbclient costs."""
        program = need("smbclient", "smbclient")
        command = [program, "//127.0.0.1/share", "-p", server.port, "-U", USER, *options, "-c", commands]
        return timed(server.pid, command)

    def in_turns(self, *sides):
        """The median cost of each side, which are run in turns; one run of each warms up."""
        return [Cost.median(runs[1:]) for runs in in_turns(self.pairs + 1, sides)]

    def transfer(self, goal, what, wanted, ours, theirs):
        """A row of two that move the large file, given as functions that tell their cost."""
        return self.compared(goal, what, wanted, *self.in_turns(ours, theirs))

    def compared(self, goal, what, wanted, ours, theirs):
        """A row of what two cost that moved the large file."""
        return Row(
            goal, what, self.rate(ours), self.rate(theirs), "GB/s", wanted, theirs.seconds / ours.seconds,
            our_cpu=ours.cpu_per_gib(self.bytes), their_cpu=theirs.cpu_per_gib(self.bytes),
        )

    def rate(self, cost):
        """GB/s for the large file."""
        return self.bytes / cost.seconds / 1e9
