#!/usr/bin/env python3
"""Keys of the sessions in a capture: collects them, and checks them with tshark.

    keys.py collect CAPTURE SMBD-LOG PORT    JSON on standard output
    keys.py verify CAPTURE...                opens what is encrypted, checks every signature

smbd writes the keys of 3.x sessions into its log (`debug encryption = yes`), but none for 2.x and for channels
that are bound to a session. Those follow from the NTLM messages in the capture and the password.
"""

import hashlib
import hmac
import json
import pathlib
import re
import subprocess
import sys

USER, PASSWORD = "tester", "Passw0rd!"
# MD4 of the password in UTF-16LE. MD4 itself is missing from many builds of Python.
NT_HASH = bytes.fromhex("fc525c9683e8fe067095ba2ddc971889")
SIGNERS = ["HMAC-SHA256", "AES-128-CMAC", "AES-128-GMAC"]
CIPHERS = ["none", "AES-128-CCM", "AES-128-GCM", "AES-256-CCM", "AES-256-GCM"]
SESSION_DELETED = (0xC0000203).to_bytes(4, "little")
KEYS = {
    "Session Key": "session_key",
    "Signing Key": "signing_key",
    "App Key": "application_key",
    "ServerIn Key": "client_to_server_key",
    "ServerOut Key": "server_to_client_key",
}


def tshark(capture, port, *arguments):
    command = ["tshark", "-2", "-r", capture, "-d", f"tcp.port=={port},nbss", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def rc4(key, data):
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def messages(capture, port):
    """Every SMB message in the capture, in order: number of the connection, whether the server sent it, bytes."""
    fields = ("tcp.stream", "tcp.srcport", "tcp.seq", "tcp.payload")
    streams = {}
    for line in tshark(capture, port, "-Y", "tcp.len > 0", "-T", "fields", "-E", "separator=|",
                       *(x for f in fields for x in ("-e", f))).splitlines():
        stream, source, at, payload = line.split("|")
        stream, from_server, at = int(stream), int(source) == port, int(at)
        state = streams.setdefault((stream, from_server), {"next": at, "data": b""})
        if at < state["next"]:
            continue  # sent again
        payload = bytes.fromhex(payload)
        data = state["data"] + payload
        while len(data) >= 4 and len(data) >= (end := 4 + int.from_bytes(data[1:4], "big")):
            yield stream, from_server, data[4:end]
            data = data[end:]
        state["next"], state["data"] = at + len(payload), data


def number(data, at, size):
    return int.from_bytes(data[at:at + size], "little")


def ntlm_session_key(token):
    """ExportedSessionKey of an AUTHENTICATE message of our user, [MS-NLMP] 3.3.2 and 3.4.5.1."""
    at = token.find(b"NTLMSSP\0\3\0\0\0")
    if at < 0:
        return None
    token = token[at:]
    field = lambda at: token[number(token, at + 4, 4):][:number(token, at, 2)]
    answer, domain, user, encrypted = field(20), field(28), field(36), field(52)
    if user != USER.encode("utf-16le"):
        return None
    v2 = hmac.new(NT_HASH, USER.upper().encode("utf-16le") + domain, hashlib.md5).digest()
    base = hmac.new(v2, answer[:16], hashlib.md5).digest()
    return rc4(base, encrypted) if encrypted else base


def signing_key(dialect, session_key, preauth):
    if dialect < 0x300:
        return session_key
    label, context = (b"SMBSigningKey\0", preauth) if dialect == 0x311 else (b"SMB2AESCMAC\0", b"SmbSign\0")
    block = (1).to_bytes(4, "big") + label + b"\0" + context + (128).to_bytes(4, "big")
    return hmac.new(session_key, block, hashlib.sha256).digest()[:16]


def negotiated(response):
    """Dialect and signing algorithm of a NEGOTIATE response."""
    dialect = number(response, 68, 2)
    if dialect < 0x300:
        return dialect, "HMAC-SHA256"
    signer, at = "AES-128-CMAC", number(response, 124, 4)
    for _ in range(number(response, 70, 2) if dialect == 0x311 else 0):
        if number(response, at, 2) == 8:
            signer = SIGNERS[number(response, at + 10, 2)]
        at += 8 + (number(response, at + 2, 2) + 7) // 8 * 8
    return dialect, signer


def computed_sessions(capture, port):
    """The sessions that smbd logs no keys of: those of dialect 2.x, and channels bound to a session."""
    connections, seen = {}, set()
    sha = lambda state, message: hashlib.sha512(state + message).digest()
    for stream, from_server, message in messages(capture, port):
        if message[:4] != b"\xfeSMB":
            continue
        c = connections.setdefault(stream, {"hash": bytes(64), "exchange": None})
        command, status, session = number(message, 12, 2), number(message, 8, 4), number(message, 40, 8)
        if command == 0:
            c["hash"] = sha(c["hash"], message)
            if from_server and status == 0 and number(message, 68, 2) != 0x2FF:
                c["dialect"], c["signer"] = negotiated(message)
            elif from_server:
                c["hash"] = bytes(64)  # the answer to a multi-protocol request counts for nothing
        elif command == 1 and not from_server:
            start = c["exchange"] or {"hash": c["hash"], "bind": bool(message[66] & 1), "key": None}
            key = ntlm_session_key(message[number(message, 76, 2):])
            c["exchange"] = {**start, "hash": sha(start["hash"], message), "key": key or start["key"]}
        elif command == 1 and c["exchange"]:
            e, c["exchange"] = c["exchange"], None
            if status == 0xC0000016:
                c["exchange"] = {**e, "hash": sha(e["hash"], message)}
            elif status == 0 and e["key"] and (e["bind"] or session not in seen):
                seen.add(session)
                key = signing_key(c["dialect"], e["key"], e["hash"])
                if e["bind"] or c["dialect"] < 0x300:
                    yield {"session_id": f"{session:#018x}", "signing": c["signer"], "cipher": "none",
                           **({"channel_of_connection": stream} if e["bind"] else {}),
                           "session_key": e["key"].hex(), "signing_key": key.hex()}


def logged_sessions(log):
    """What smbd logged, one entry for every session and every channel bound to one, in order."""
    sessions, target = [], None
    for line in log.splitlines():
        if "debug encryption: dumping" in line:
            sessions.append({})
            continue
        if not sessions:
            continue
        entry = sessions[-1]
        if match := re.match(r"\s*(Signing|Cipher) Algo: (\d+)", line):
            names, name = (SIGNERS, "signing") if match[1] == "Signing" else (CIPHERS, "cipher")
            entry[name] = names[int(match[2])]
            continue
        # an offset, then up to 16 bytes with a gap in the middle, then the same as text
        match = re.match(r"\s*(Session Id|[A-Za-z]+ Key)?\s*\[00[0-9A-F]0\] ((?:[0-9A-F]{2} +){1,16})", line)
        if not match:
            continue
        target = match[1] or target
        entry[target] = entry.get(target, b"") + bytes.fromhex(match[2])[:16]
    out = []
    for entry in sessions:
        named = {"session_id": f"{int.from_bytes(entry['Session Id'][:8], 'little'):#018x}"}
        named |= {k: entry[k] for k in ("signing", "cipher") if k in entry}
        out.append(named | {name: entry[k].hex() for k, name in KEYS.items() if entry.get(k)})
    return out


def collect(capture, log, port):
    sessions = logged_sessions(pathlib.Path(log).read_text(errors="replace"))
    sessions = [s for s in sessions if "session_key" in s] + list(computed_sessions(capture, port))
    for entry in sessions:
        if entry.get("cipher") == "none":
            for name in ("client_to_server_key", "server_to_client_key"):
                entry.pop(name, None)
    print(json.dumps({"port": port, "user": USER, "password": PASSWORD, "sessions": sessions}, indent=1))


def mac(signer, key, message, from_server):
    zeroed = message[:48] + bytes(16) + message[64:]
    if signer == "HMAC-SHA256":
        return hmac.new(key, zeroed, hashlib.sha256).digest()[:16]
    options = ["-macopt", f"hexkey:{key.hex()}"]
    if signer == "AES-128-CMAC":
        options += ["-macopt", "cipher:AES-128-CBC", "CMAC"]
    else:
        cancel = int.from_bytes(message[12:14], "little") == 12
        nonce = message[24:32] + (from_server | cancel << 1).to_bytes(4, "little")
        options += ["-macopt", "cipher:AES-128-GCM", "-macopt", f"hexiv:{nonce.hex()}", "GMAC"]
    out = subprocess.run(["openssl", "mac", *options], input=zeroed, check=True, capture_output=True).stdout
    return bytes.fromhex(out.decode())


def signatures(capture, known):
    """How many signatures hold, and which do not. A SessionId has several keys if channels are bound to it."""
    good, bad = 0, []
    for _, from_server, frame in messages(capture, known["port"]):
        while frame[:4] == b"\xfeSMB":
            following = int.from_bytes(frame[20:24], "little")
            one, frame = (frame[:following], frame[following:]) if following else (frame, b"")
            # about a session that the connection does not have, smbd echoes the request's signature
            if not one[16] & 8 or from_server and one[8:12] == SESSION_DELETED:
                continue
            session = int.from_bytes(one[40:48], "little")
            keys = {(s["signing"], s["signing_key"]) for s in known["sessions"] if int(s["session_id"], 16) == session}
            if any(mac(signer, bytes.fromhex(key), one, from_server) == one[48:64] for signer, key in keys):
                good += 1
            else:
                bad.append(f"command {one[12]} message {int.from_bytes(one[24:32], 'little')} session {session:#x}"
                           f" status {int.from_bytes(one[8:12], 'little'):#x}{' from the server' if from_server else ''}")
    return good, bad


def verify(capture):
    known = json.loads(pathlib.Path(capture.removesuffix(".pcapng") + ".keys.json").read_text())
    options, seen = [], set()
    for s in known["sessions"]:
        session = int(s["session_id"], 16).to_bytes(8, "little").hex()
        if session in seen:
            continue
        seen.add(session)
        row = [session, s["session_key"], s.get("server_to_client_key", ""), s.get("client_to_server_key", "")]
        options += ["-o", "uat:smb2_seskey_list:" + ",".join(x or '""' for x in row)]

    def count(what):
        return len(tshark(capture, known["port"], *options, "-Y", what).splitlines())

    sealed = count("smb2.header.transform.flags")
    opened = count("smb2.header.transform.flags && smb2.cmd")
    good, bad = signatures(capture, known)
    size = pathlib.Path(capture).stat().st_size
    lost = count("tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment")
    fine = sealed == opened and not bad and not lost
    print(f"{'ok ' if fine else 'BAD'} {pathlib.Path(capture).stem}: {size} bytes, {count('smb2 || smb')} frames, "
          f"{lost} gaps, {len(known['sessions'])} sessions, {opened}/{sealed} opened, signatures {good} good {len(bad)} bad",
          *bad, sep="\n    ", flush=True)
    return fine


match sys.argv[1:]:
    case ["collect", capture, log, port]:
        collect(capture, log, int(port))
    case ["verify", *captures]:
        sys.exit(0 if all([verify(c) for c in captures]) else 1)
    case _:
        sys.exit(__doc__)
