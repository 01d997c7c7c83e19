"""Get and put of the large file, by either client from either server."""

#: What smbclient and what our program is told for each.
MODES = {
    "plain": (["--client-protection=off"], []),
    "signed": (["--client-protection=sign"], ["--sign"]),
    "encrypted": (["--client-protection=encrypt"], ["--encrypt"]),
}
MOVES = ["get", "put"]


def each(bench, *words):
    """Every mode and move that is asked for, of a comparison that goes by these words as well."""
    for mode in MODES:
        for move in MOVES:
            if bench.only <= {mode, move, *words}:
                yield mode, move


def smbclient_get(bench, server, mode):
    bench.place_large(server)
    got = bench.folder / "got.bin"
    cost = bench.smbclient(server, MODES[mode][0], f"get large.bin {got}")
    bench.same(got)
    return cost


def smbclient_put(bench, server, mode):
    cost = bench.smbclient(server, MODES[mode][0], f"put {bench.large} put.bin")
    bench.same(server.folder / "put.bin")
    return cost


def sansmb_get(bench, server, mode, *options):
    bench.place_large(server)
    got = bench.folder / "got.bin"
    cost = bench.sansmb(server, "get", *MODES[mode][1], *options, server.url("large.bin"), got)
    bench.same(got)
    return cost


def sansmb_put(bench, server, mode, *options):
    cost = bench.sansmb(server, "put", *MODES[mode][1], *options, bench.large, server.url("put.bin"))
    bench.same(server.folder / "put.bin")
    return cost
