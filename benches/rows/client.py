"""P3: our client beside others, all of them on smbd."""

from functools import partial

from rows.transfers import MODES, sansmb_get, sansmb_put, smbclient_get, smbclient_put

MOVES = {"get": (sansmb_get, smbclient_get), "put": (sansmb_put, smbclient_put)}


def rows(bench, goal):
    for mode in MODES:
        for name, (ours, theirs) in MOVES.items():
            yield bench.transfer(
                goal,
                f"our client / smbclient, {name} on smbd, {mode}",
                1.3,
                partial(ours, bench, bench.smbd, mode),
                partial(theirs, bench, bench.smbd, mode),
            )
