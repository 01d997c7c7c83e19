"""P3: our client beside the best of the others, all of them on smbd."""

from functools import partial

from rows.transfers import each, sansmb_get, sansmb_put, smbclient_get, smbclient_put
from support.bench import Missing, say
from support.peers import peer_get, peer_put

CLIENTS = {"get": (sansmb_get, smbclient_get, peer_get), "put": (sansmb_put, smbclient_put, peer_put)}
#: What the clients of the registry can do with this smbd: neither leaves signing out for a user who has a
#: password. smb2 encrypts if the server asks for it, but its NEGOTIATE has the ciphers without the capability,
#: for which smbd chooses none: where smbd requires encryption, it does not let smb2 in.
CRATES = {"plain": [], "signed": ["smb", "smb2"], "encrypted": ["smb"]}


def rows(bench, goal):
    for mode, move in each(bench, "smbd"):
        ours, smbclient, crate = CLIENTS[move]
        ours = partial(ours, bench, bench.smbd, mode)
        others = {"smbclient": partial(smbclient, bench, bench.smbd, mode)}
        crates = {peer: partial(crate, bench, bench.smbd, mode, peer) for peer in CRATES[mode]}
        try:
            yield row(bench, goal, f"{move} on smbd, {mode}", ours, others | crates)
        except Missing as missing:
            say(f"{goal}: without the clients of the registry, {missing}")
            yield row(bench, goal, f"{move} on smbd, {mode}", ours, others)


def row(bench, goal, what, ours, others):
    ours, *costs = bench.in_turns(ours, *others.values())
    costs = dict(zip(others, costs))
    best = min(costs, key=lambda peer: costs[peer].seconds)
    rest = ", ".join(f"{peer} {bench.rate(cost):.2f}" for peer, cost in costs.items() if peer != best)
    what = f"our client / {best}, {what}" + (f" ({rest})" if rest else "")
    return bench.compared(goal, what, 1.3, ours, costs[best])
