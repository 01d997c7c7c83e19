"""P2: our server beside smbd, both under smbclient."""

from functools import partial

from rows.transfers import MODES, smbclient_get, smbclient_put

MOVES = {"get": smbclient_get, "put": smbclient_put}


def rows(bench, goal):
    for mode in MODES:
        for name, move in MOVES.items():
            yield bench.transfer(
                goal,
                f"our server / smbd, smbclient {name}, {mode}",
                1.3,
                partial(move, bench, bench.ours, mode),
                partial(move, bench, bench.smbd, mode),
            )
