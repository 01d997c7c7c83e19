"""P2: our server beside smbd, both under smbclient.

The same beside `smb-server` of the Rust registry, without a goal. That signs with AES-CMAC and knows no GMAC,
which our server and smbd sign with; all three encrypt with AES-128-GCM.
"""

from functools import partial
from operator import attrgetter

from rows.transfers import each, smbclient_get, smbclient_put
from support.bench import Missing, say
from support.peers import smb_server

SMBCLIENT = {"get": smbclient_get, "put": smbclient_put}
#: The other servers, and the goal beside each.
SERVERS = {"smbd": (attrgetter("smbd"), 1.3), "smb-server": (smb_server, None)}


def rows(bench, goal):
    for peer, (server, wanted) in SERVERS.items():
        try:
            for mode, move in each(bench, peer):
                ours, theirs = (partial(SMBCLIENT[move], bench, side, mode) for side in (bench.ours, server(bench)))
                yield bench.transfer(goal, f"our server / {peer}, smbclient {move}, {mode}", wanted, ours, theirs)
        except Missing as missing:
            say(f"{goal}: without {peer}, {missing}")
