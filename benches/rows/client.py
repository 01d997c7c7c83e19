"""P3: our client beside the best of the others, all of them on smbd."""

from functools import partial

from rows.transfers import MODES, sansmb_get, sansmb_put, smbclient_get, smbclient_put
from support.bench import Missing, say
from support.peers import peer_get, peer_put
from support.table import Row

MOVES = {"get": (sansmb_get, smbclient_get, peer_get), "put": (sansmb_put, smbclient_put, peer_put)}
#: What the clients of the registry can do with this smbd: neither leaves signing out for a user who has a
#: password, and smb2 does not negotiate encryption.
CRATES = {"plain": [], "signed": ["smb", "smb2"], "encrypted": ["smb"]}


def rows(bench, goal):
    for mode in MODES:
        for name, (ours, smbclient, crate) in MOVES.items():
            others = {"smbclient": partial(smbclient, bench, bench.smbd, mode)}
            others |= {peer: partial(crate, bench, bench.smbd, mode, peer) for peer in CRATES[mode]}
            ours = partial(ours, bench, bench.smbd, mode)
            try:
                yield row(bench, goal, name, mode, ours, others)
            except Missing as missing:
                say(f"{goal}: without the clients of the registry, {missing}")
                yield row(bench, goal, name, mode, ours, {"smbclient": others["smbclient"]})


def row(bench, goal, name, mode, ours, others):
    our_seconds, *seconds = bench.in_turns(ours, *others.values())
    rate = lambda took: bench.bytes / took / 1e9
    best, peer = min(zip(seconds, others))
    what = f"our client / {peer}, {name} on smbd, {mode}"
    if len(others) > 1:
        what += f" ({', '.join(f'{peer} {rate(took):.2f}' for took, peer in zip(seconds, others) if took != best)})"
    return Row(goal, what, rate(our_seconds), rate(best), "GB/s", 1.3, best / our_seconds)
