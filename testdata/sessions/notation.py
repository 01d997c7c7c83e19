"""The notation of the transcripts: fields by name, type and value, and the bytes that follow from them.

`python3 notation.py FILE...` reads transcripts and checks that their bytes are those of their fields.
"""

import re
import sys

PLAIN = 256  # longer fillers are not written out


def filler(length):
    """Bytes that stand for what the specification does not print."""
    return bytes((7 * i + length) % 256 for i in range(length))


def guid(text):
    a, b, c, d, e = text.strip("{}").split("-")
    little = b"".join(bytes.fromhex(part)[::-1] for part in (a, b, c))
    return little + bytes.fromhex(d + e)


ENCODERS = {
    "u8": lambda v: int(v, 0).to_bytes(1, "little"),
    "u16": lambda v: int(v, 0).to_bytes(2, "little"),
    "u32": lambda v: int(v, 0).to_bytes(4, "little"),
    "u64": lambda v: int(v, 0).to_bytes(8, "little"),
    "guid": guid,
    "utf16": lambda v: v[1:-1].encode("utf-16le"),
    "ascii": lambda v: v[1:-1].encode("ascii"),
    "hex": bytes.fromhex,
    "filler": lambda v: filler(int(v)),
    "zero": lambda v: bytes(int(v)),
}


def hex_lines(fields):
    """The `=` lines of a message."""
    lines, run = [], b""

    def flush():
        nonlocal run
        lines.extend(f"= {run[i:i + 32].hex()}" for i in range(0, len(run), 32))
        run = b""

    for kind, value in fields:
        if kind == "filler" and int(value) > PLAIN:
            flush()
            lines.append(f"= filler {value}")
        else:
            run += ENCODERS[kind](value)
    flush()
    return lines


def render(title, comments, messages):
    """A whole transcript."""
    out = [f"# {title}", *(f"# {line}" for line in comments)]
    for side, what, fields in messages:
        out += ["", f"{side}: {what}"]
        width = max(len(name) for name, *_ in fields)
        for name, kind, value, remark in fields:
            out.append(f"  {name:{width}}  {kind:6}  {value}" + (f"  # {remark}" if remark else ""))
        out += hex_lines([(kind, value) for _, kind, value, _ in fields])
    return "\n".join(out) + "\n"


FIELD = re.compile(r'  (\S+) +(\S+) +("[^"]*"|\S+)(?:  # .*)?$')


def check(path):
    """Parses a transcript and compares its bytes with its fields."""
    side, fields, given, messages = None, [], [], 0

    def finish():
        nonlocal fields, given, messages
        if side:
            assert hex_lines(fields) == given, f"{path}: the bytes of {side!r} are not those of its fields"
            messages += 1
        fields, given = [], []

    for line in open(path, encoding="ascii").read().splitlines():
        if line.startswith(("C: ", "S: ")):
            finish()
            side = line
        elif line.startswith("= "):
            given.append(line)
        elif line.startswith("  "):
            match = FIELD.match(line)
            assert match, f"{path}: not a field: {line}"
            fields.append((match[2], match[3]))
        else:
            assert not line or line.startswith("#"), f"{path}: {line}"
    finish()
    return messages


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{name}: {check(name)} messages")
