"""P2: our server beside smbd, both under smbclient."""

from functools import partial

from rows.transfers import each, smbclient_get, smbclient_put

SMBCLIENT = {"get": smbclient_get, "put": smbclient_put}


def rows(bench, goal):
    for mode, move in each(bench):
        ours, theirs = (partial(SMBCLIENT[move], bench, side, mode) for side in (bench.ours, bench.smbd))
        yield bench.transfer(goal, f"our server / smbd, smbclient {move}, {mode}", 1.3, ours, theirs)
