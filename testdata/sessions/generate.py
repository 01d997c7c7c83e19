#!/usr/bin/env python3
"""Writes the conversations of [MS-SMB2] chapter 4 as transcripts beside this file.

    generate.py          writes them
    generate.py --check  fails if a transcript is not what it would write

Values are those that the specification prints. A value it leaves out carries the remark "not given": opaque
buffers are filler of the length that it prints, the rest is what fits the conversation.
"""

import pathlib
import sys
from datetime import datetime, timezone

from notation import check, render

NOT_GIVEN = "not given"
MORE_PROCESSING = 0xC0000016
COMMANDS = {
    "NEGOTIATE": 0, "SESSION_SETUP": 1, "LOGOFF": 2, "TREE_CONNECT": 3, "TREE_DISCONNECT": 4, "CREATE": 5, "CLOSE": 6,
    "READ": 8, "WRITE": 9, "IOCTL": 11, "SET_INFO": 17, "SERVER_TO_CLIENT_NOTIFICATION": 19,
}
RESPONSE, SIGNED, REPLAY = 1, 8, 0x20000000


def field(name, kind, value, remark=""):
    """One field. A value that is a pair brings its remark along."""
    if isinstance(value, tuple):
        value, remark = value
    if kind in ("u32", "u64") and isinstance(value, int) and value > 0xFFFF:
        value = hex(value)
    if kind in ("utf16", "ascii"):
        value = f'"{value}"'
    return name, kind, str(value), remark


def u8(n, v, r=""): return field(n, "u8", v, r)
def u16(n, v, r=""): return field(n, "u16", v, r)
def u32(n, v, r=""): return field(n, "u32", v, r)
def u64(n, v, r=""): return field(n, "u64", v, r)
def guid(n, v, r=""): return field(n, "guid", v, r)
def utf16(n, v): return field(n, "utf16", v)
def filler(n, length, r=NOT_GIVEN): return field(n, "filler", length, r)
def zero(n, length, r=""): return field(n, "zero", length, r)


def filetime(year, month, day, hour, minute, second, micro=0):
    since = datetime(year, month, day, hour, minute, second, micro, timezone.utc) - datetime(1601, 1, 1, tzinfo=timezone.utc)
    return ((since.days * 86400 + since.seconds) * 10**6 + since.microseconds) * 10


def header(command, message_id, credits, flags=0, *, status=0, charge=0, process=0, tree=0, session=0):
    """The SMB2 header. A signature is never printed: zeros where the message is not signed."""
    plain = flags[0] if isinstance(flags, tuple) else flags
    return [
        field("header.protocol_id", "hex", "fe534d42"),
        u16("header.structure_size", 64),
        u16("header.credit_charge", charge),
        u32("header.status", status),
        u16("header.command", COMMANDS[command], command),
        u16("header.credits", credits),
        u32("header.flags", flags),
        u32("header.next_command", 0),
        u64("header.message_id", message_id),
        u32("header.process_id", process),
        u32("header.tree_id", tree),
        u64("header.session_id", session),
        filler("header.signature", 16) if plain & SIGNED else zero("header.signature", 16),
    ]


def smb1_negotiate(dialects):
    names = [x for d in dialects for x in (u8("dialect.buffer_format", 2), field("dialect.name", "ascii", d), zero("dialect.nul", 1))]
    return [
        field("header.protocol_id", "hex", "ff534d42"),
        u8("header.command", 0x72, "SMB_COM_NEGOTIATE"),
        u32("header.status", 0),
        u8("header.flags", 0x18),
        u16("header.flags2", 0xC853),
        u16("header.pid_high", 0),
        zero("header.security_signature", 8),
        u16("header.reserved", 0),
        u16("header.tid", 0xFFFF),
        u16("header.pid", 0xFEFF),
        u16("header.uid", 0),
        u16("header.mid", 0),
        u8("body.word_count", 0),
        u16("body.byte_count", sum(len(d) + 2 for d in dialects)),
    ] + names


def negotiate_request(security_mode, capabilities, client_guid, dialects, contexts=None):
    contexts_at = 64 + 36 + 2 * len(dialects)
    padding = -contexts_at % 8
    out = [
        u16("body.structure_size", 36),
        u16("body.dialect_count", len(dialects)),
        u16("body.security_mode", security_mode),
        u16("body.reserved", 0),
        u32("body.capabilities", capabilities),
        guid("body.client_guid", client_guid),
    ]
    if contexts is None:
        out.append(u64("body.client_start_time", 0))
    else:
        out += [
            u32("body.negotiate_context_offset", contexts_at + padding),
            u16("body.negotiate_context_count", len(contexts)),
            u16("body.reserved2", 0),
        ]
    out += [u16("body.dialects", d) for d in dialects]
    if contexts is not None:
        out += [zero("body.padding", padding)] if padding else []
        out += negotiate_contexts(contexts)
    return out


def negotiate_contexts(contexts):
    """Contexts are (type, remark of the type, fields of the data, their length)."""
    out = []
    for i, (kind, remark, data, length) in enumerate(contexts):
        name = f"body.negotiate_contexts[{i}]"
        out += [u16(f"{name}.context_type", kind, remark), u16(f"{name}.data_length", length), u32(f"{name}.reserved", 0)]
        out += [(f"{name}.{n}", *rest) for n, *rest in data]
        if i + 1 < len(contexts) and length % 8:
            out.append(zero(f"{name}.padding", -length % 8))
    return out


def negotiate_response(security_mode, dialect, server_guid, capabilities, max_size, times, token, reserved2=0, contexts=None):
    """`token` are the fields of the security buffer and its length."""
    token, length = token
    out = [
        u16("body.structure_size", 65),
        u16("body.security_mode", security_mode),
        u16("body.dialect_revision", dialect),
        u16("body.reserved" if contexts is None else "body.negotiate_context_count", len(contexts or [])),
        guid("body.server_guid", server_guid),
        u32("body.capabilities", capabilities),
        u32("body.max_transact_size", max_size),
        u32("body.max_read_size", max_size),
        u32("body.max_write_size", max_size),
        u64("body.system_time", times[0]),
        u64("body.server_start_time", times[1]),
        u16("body.security_buffer_offset", 128),
        u16("body.security_buffer_length", length),
        u32("body.reserved2" if contexts is None else "body.negotiate_context_offset", reserved2),
        *token,
    ]
    return out + negotiate_contexts(contexts or [])


def token(length):
    return [filler("body.security_buffer", length)], length


def session_setup_request(length, flags=0):
    return [
        u16("body.structure_size", 25),
        u8("body.flags", flags),
        u8("body.security_mode", 1),
        u32("body.capabilities", 1),
        u32("body.channel", 0),
        u16("body.security_buffer_offset", 88),
        u16("body.security_buffer_length", length),
        u64("body.previous_session_id", 0),
        filler("body.security_buffer", length),
    ]


def session_setup_response(length):
    return [
        u16("body.structure_size", 9),
        u16("body.session_flags", 0),
        u16("body.security_buffer_offset", 72),
        u16("body.security_buffer_length", length),
        filler("body.security_buffer", length),
    ]


def tree_connect_request(path):
    return [
        u16("body.structure_size", 9),
        u16("body.reserved", 0),
        u16("body.path_offset", 72),
        u16("body.path_length", 2 * len(path)),
        utf16("body.path", path),
    ]


def tree_connect_response(share_type, share_flags):
    return [
        u16("body.structure_size", 16),
        u8("body.share_type", share_type),
        u8("body.reserved", 0),
        u32("body.share_flags", share_flags),
        u32("body.capabilities", 0),
        u32("body.maximal_access", 0x1F01FF),
    ]


def empty():
    return [u16("body.structure_size", 4), u16("body.reserved", 0)]


def create_request(name, oplock, access, attributes, share, disposition, options, contexts=(), contexts_length=0):
    end = 120 + 2 * len(name)
    contexts_at = end + -end % 8 if contexts else 0
    return [
        u16("body.structure_size", 57),
        u8("body.security_flags", 0),
        u8("body.requested_oplock_level", oplock),
        u32("body.impersonation_level", 2),
        u64("body.smb_create_flags", 0),
        u64("body.reserved", 0),
        u32("body.desired_access", access),
        u32("body.file_attributes", attributes),
        u32("body.share_access", share),
        u32("body.create_disposition", disposition),
        u32("body.create_options", options),
        u16("body.name_offset", 120),
        u16("body.name_length", 2 * len(name)),
        u32("body.create_contexts_offset", contexts_at),
        u32("body.create_contexts_length", contexts_length),
        utf16("body.name", name),
        *([zero("body.padding", contexts_at - end)] if contexts_at > end else []),
        *contexts,
    ]


def create_response(oplock, flags, action, times, allocation, end_of_file, attributes, reserved2, fid, contexts=(), contexts_length=0):
    return [
        u16("body.structure_size", 89),
        u8("body.oplock_level", oplock),
        u8("body.flags", flags),
        u32("body.create_action", action),
        *stamps(times),
        u64("body.allocation_size", allocation),
        u64("body.end_of_file", end_of_file),
        u32("body.file_attributes", attributes),
        u32("body.reserved2", reserved2),
        *file_id(fid),
        u32("body.create_contexts_offset", 152 if contexts else 0),
        u32("body.create_contexts_length", contexts_length),
        *contexts,
    ]


def stamps(times):
    names = ("creation_time", "last_access_time", "last_write_time", "change_time")
    return [u64(f"body.{name}", time) for name, time in zip(names, times, strict=True)]


def file_id(fid):
    return [u64("body.file_id.persistent", fid[0]), u64("body.file_id.volatile", fid[1])]


def close_request(fid):
    return [u16("body.structure_size", 24), u16("body.flags", 1), u32("body.reserved", 0), *file_id(fid)]


def close_response(flags, times, allocation, end_of_file, attributes):
    return [
        u16("body.structure_size", 60),
        u16("body.flags", flags),
        u32("body.reserved", 0),
        *stamps(times),
        u64("body.allocation_size", allocation),
        u64("body.end_of_file", end_of_file),
        u32("body.file_attributes", attributes),
    ]


def read_request(length, offset, fid):
    return [
        u16("body.structure_size", 49),
        u8("body.padding", 80),
        u8("body.flags", 0),
        u32("body.length", length),
        u64("body.offset", offset),
        *file_id(fid),
        u32("body.minimum_count", 0),
        u32("body.channel", 0),
        u32("body.remaining_bytes", 0),
        u16("body.read_channel_info_offset", 0),
        u16("body.read_channel_info_length", 0),
        u8("body.buffer", 0, "not given: the one byte that StructureSize counts"),
    ]


def read_response(length):
    return [
        u16("body.structure_size", 17),
        u8("body.data_offset", 80),
        u8("body.reserved", 0),
        u32("body.data_length", length),
        u32("body.data_remaining", 0),
        u32("body.reserved2", 0),
        filler("body.data", length),
    ]


def write_request(length, offset, fid):
    return [
        u16("body.structure_size", 49),
        u16("body.data_offset", 112),
        u32("body.length", length),
        u64("body.offset", offset),
        *file_id(fid),
        u32("body.channel", 0),
        u32("body.remaining_bytes", 0),
        u16("body.write_channel_info_offset", 0),
        u16("body.write_channel_info_length", 0),
        u32("body.flags", 0),
        filler("body.data", length),
    ]


def write_response(length):
    return [
        u16("body.structure_size", 17),
        u16("body.reserved", 0),
        u32("body.count", length),
        u32("body.remaining", 0),
        u16("body.write_channel_info_offset", 0),
        u16("body.write_channel_info_length", 0),
    ]


def ioctl_request(code, fid, offsets, max_output, data=(), length=0):
    return [
        u16("body.structure_size", 57),
        u16("body.reserved", 0),
        u32("body.ctl_code", code[0], code[1]),
        *file_id(fid),
        u32("body.input_offset", offsets),
        u32("body.input_count", length),
        u32("body.max_input_response", 0),
        u32("body.output_offset", offsets),
        u32("body.output_count", 0),
        u32("body.max_output_response", max_output),
        u32("body.flags", 1),
        u32("body.reserved2", 0),
        *data,
    ]


def ioctl_response(code, fid, input_count, output_offset, output_count, data):
    return [
        u16("body.structure_size", 49),
        u16("body.reserved", 0),
        u32("body.ctl_code", code[0], code[1]),
        *file_id(fid),
        u32("body.input_offset", 112),
        u32("body.input_count", input_count),
        u32("body.output_offset", output_offset),
        u32("body.output_count", output_count),
        u32("body.flags", 0),
        u32("body.reserved2", 0),
        *data,
    ]


def create_context(name, tag, last, data, length):
    """One create context with a four-letter tag: its data stand at offset 24."""
    total = 24 + length
    padding = 0 if last else -total % 8
    return [
        u32(f"{name}.next", 0 if last else total + padding),
        u16(f"{name}.name_offset", 16),
        u16(f"{name}.name_length", 4),
        u16(f"{name}.reserved", 0),
        u16(f"{name}.data_offset", 24),
        u32(f"{name}.data_length", length),
        field(f"{name}.tag", "ascii", tag),
        zero(f"{name}.padding", 4),
        *((f"{name}.{n}", *rest) for n, *rest in data),
        *([zero(f"{name}.padding2", padding)] if padding else []),
    ], total + padding


SMB1_DIALECTS = [
    "PC NETWORK PROGRAM 1.0", "LANMAN1.0", "Windows for Workgroups 3.1a", "LM1.2X002", "LANMAN2.1", "NT LM 0.12", "SMB 2.002",
]
SERVER_4_1 = "3F5CF209-A4E5-0049-A7D6-6A456D5CA5CF"
TIMES_4_1 = (127972992061679232, 127972985895467232)


def logon_and_ipc():
    """What 4.1 and 4.3 share: the logon and the tree connect to IPC$."""
    sid = 0x40000000009
    return [
        ("C", "SESSION_SETUP with the first token", header("SESSION_SETUP", 1, 126) + session_setup_request(74)),
        ("S", "SESSION_SETUP wants another token",
         header("SESSION_SETUP", 1, 2, RESPONSE, status=MORE_PROCESSING, session=sid) + session_setup_response(219)),
        ("C", "SESSION_SETUP with the second token", header("SESSION_SETUP", 2, 125, session=sid) + session_setup_request(245)),
        ("S", "SESSION_SETUP succeeds, signed",
         header("SESSION_SETUP", 2, 3, RESPONSE | SIGNED, session=sid) + session_setup_response(29)),
        ("C", "TREE_CONNECT to IPC$",
         header("TREE_CONNECT", 3, 123, session=sid) + tree_connect_request(r"\\smb2server\IPC$")),
        ("S", "TREE_CONNECT succeeds", header("TREE_CONNECT", 3, 5, RESPONSE, tree=1, session=sid) + tree_connect_response(2, 0x30)),
    ]


def multi_protocol_negotiate():
    return [
        ("C", "SMB1 NEGOTIATE, 2.002 among the dialects", smb1_negotiate(SMB1_DIALECTS)),
        ("S", "NEGOTIATE selects 2.0.2",
         header("NEGOTIATE", 0, 1, RESPONSE) + negotiate_response(1, 0x202, SERVER_4_1, 1, 65536, TIMES_4_1, token(30))),
    ] + logon_and_ipc()


def multi_protocol_2_1():
    server, times = "1ED9580F-5FEF-1AA0-4B9D-DB1C77C63757", (filetime(2008, 12, 29, 23, 18, 59), filetime(2008, 12, 5, 23, 55, 51))
    answer = lambda dialect, reserved2: negotiate_response(1, dialect, server, 3, 1048576, times, token(120), reserved2)
    return [
        ("C", "SMB1 NEGOTIATE, 2.??? among the dialects", smb1_negotiate([*SMB1_DIALECTS, "SMB 2.???"])),
        ("S", "NEGOTIATE leaves the dialect open (0x02FF)", header("NEGOTIATE", 0, 1, RESPONSE) + answer(0x2FF, 0x204D4C20)),
        ("C", "NEGOTIATE with 2.0.2 and 2.1",
         header("NEGOTIATE", 1, 0) + negotiate_request(1, 0, "9879BE56-0D00-58BA-11DD-D5F0AF3A5B5D", [0x202, 0x210])),
        ("S", "NEGOTIATE selects 2.1", header("NEGOTIATE", 1, 1, RESPONSE) + answer(0x210, 0)),
    ]


def smb2_negotiate():
    return [
        ("C", "NEGOTIATE with 2.0.2",
         header("NEGOTIATE", 0, 126) + negotiate_request(1, 0, "00000000-0000-0000-0000-000000000000", [0x202])),
        ("S", "NEGOTIATE selects 2.0.2",
         header("NEGOTIATE", 0, 1, RESPONSE) + negotiate_response(1, 0x202, SERVER_4_1, 1, 65536, TIMES_4_1, token(30))),
    ] + logon_and_ipc()


def exchange(sid, tree):
    """Headers of requests with 111 credits and of responses with one, as 4.4 to 4.7 have them."""
    def request(command, mid, **more):
        return header(command, mid, 111, **{"tree": tree, "session": sid, **more})

    def response(command, mid, **more):
        return header(command, mid, 1, RESPONSE, **{"tree": tree, "session": sid, **more})
    return request, response


def named_pipe():
    request, response = exchange(0x4000000000D, 1)
    fid, transceive = (5, 0xFFFFFFFF00000005), (0x0011C017, "FSCTL_PIPE_TRANSCEIVE")
    return [
        ("C", "CREATE of the pipe srvsvc", request("CREATE", 9) + create_request("srvsvc", 9, 0x12019F, 0, 3, 1, 0x400040)),
        ("S", "CREATE succeeds",
         response("CREATE", 9) + create_response(0, 9, 1, [0] * 4, 4096, 0, 0x80, 0x730076, fid)),
        ("C", "WRITE of 116 bytes", request("WRITE", 10) + write_request(116, 0, fid)),
        ("S", "WRITE succeeds", response("WRITE", 10) + write_response(116)),
        ("C", "READ of up to 1024 bytes", request("READ", 11) + read_request(1024, 0, fid)),
        ("S", "READ brings 92 bytes", response("READ", 11) + read_response(92)),
        ("C", "IOCTL that writes and reads at once",
         request("IOCTL", 12) + ioctl_request(transceive, fid, 120, 1024, [filler("body.input", 68)], 68)),
        ("S", "IOCTL brings the input back and 112 bytes of output",
         response("IOCTL", 12) + ioctl_response(transceive, fid, 68, 184, 112,
                                                [filler("body.input", 68), zero("body.padding", 4), filler("body.output", 112)])),
        ("C", "CLOSE", request("CLOSE", 13) + close_request(fid)),
        ("S", "CLOSE succeeds", response("CLOSE", 13) + close_response(0, [0] * 4, 0, 0, 0)),
    ]


def read_file():
    request, response = exchange(0x40000000011, 5)
    fid = (17, 0xFFFFFFFF00000009)
    opened = [127972992877715232] + [127972992923579232] * 3
    closed = [127972990708847232, 127972993090343232, 127972992877715232, 127972992877715232]
    return [
        ("C", "CREATE of testfile.txt",
         request("CREATE", 10) + create_request("testfile.txt", 9, 0x120089, 0x80, 3, 1, 0x60)),
        ("S", "CREATE succeeds", response("CREATE", 10) + create_response(9, 9, 1, opened, 104, 98, 0x20, 0, fid)),
        ("C", "READ of 98 bytes", request("READ", 11) + read_request(98, 0, fid)),
        ("S", "READ brings 98 bytes", response("READ", 11) + read_response(98)),
        ("C", "CLOSE, of another FileId and a directory in the specification's print",
         request("CLOSE", 12) + close_request((9, 0xFFFFFFFF00000001))),
        ("S", "CLOSE succeeds, with attributes", response("CLOSE", 12) + close_response(1, closed, 0, 0, 0x10)),
    ]


def write_file():
    request, response = exchange(0x40000000015, 1)
    fid = (25, 0xFFFFFFFF00000005)
    closed = [127972994486543232, 127972994494343232, 127965940833141721, 127972993511484705]
    out = [
        ("C", "CREATE of test.dat", request("CREATE", 10) + create_request("test.dat", 9, 0x130197, 0x20, 0, 5, 0x4C)),
        ("S", "CREATE succeeds",
         response("CREATE", 10) + create_response(9, 9, 2, [127972994486543232] * 4, 765952, 0, 0x20, 0, fid)),
        ("C", "SET_INFO of the end of file",
         request("SET_INFO", 11) + [
             u16("body.structure_size", 33), u8("body.info_type", 1), u8("body.file_info_class", 20, "FileEndOfFileInformation"),
             u32("body.buffer_length", 8), u16("body.buffer_offset", 96), u16("body.reserved", 0),
             u32("body.additional_information", 0), *file_id(fid), u64("body.buffer.end_of_file", 0x2F000)]),
        ("S", "SET_INFO succeeds", response("SET_INFO", 11) + [u16("body.structure_size", 2)]),
    ]
    for mid, length, offset in ((12, 65536, 0), (13, 65536, 65536), (14, 61440, 131072)):
        out += [
            ("C", f"WRITE of {length} bytes at {offset}", request("WRITE", mid) + write_request(length, offset, fid)),
            ("S", "WRITE succeeds", response("WRITE", mid) + write_response(length)),
        ]
    return out + [
        ("C", "CLOSE", request("CLOSE", 15) + close_request(fid)),
        ("S", "CLOSE succeeds, with attributes", response("CLOSE", 15) + close_response(1, closed, 196608, 192512, 0x20)),
    ]


def disconnect_and_logoff():
    request, response = exchange(0x40000000015, 1)
    return [
        ("C", "TREE_DISCONNECT", request("TREE_DISCONNECT", 32) + empty()),
        ("S", "TREE_DISCONNECT succeeds", response("TREE_DISCONNECT", 32) + empty()),
        ("C", "LOGOFF", request("LOGOFF", 33, tree=0) + empty()),
        ("S", "LOGOFF succeeds", response("LOGOFF", 33, tree=0) + empty()),
    ]


def alternate_channel():
    pid, sid = 0xFEFF, 0x4040104000001
    client, server = "F62E4D0B-C685-E48B-40B6-D815CB56FF6E", "1B005379-8063-F0B6-4907-4957998700A1"
    started, dialects, any_file = filetime(2012, 5, 10, 9, 56, 3, 345351), [0x202, 0x210, 0x300], (0xFFFFFFFFFFFFFFFF,) * 2
    validate, interfaces = (0x00140204, "FSCTL_VALIDATE_NEGOTIATE_INFO"), (0x001401FC, "FSCTL_QUERY_NETWORK_INTERFACE_INFO")
    ten, one = (10, NOT_GIVEN), (1, NOT_GIVEN)

    def interface(i):
        name, given = f"body.output.interfaces[{i}]", i == 0
        remark = "" if given else NOT_GIVEN
        return [
            u32(f"{name}.next", 152 if i < 5 else 0, remark), u32(f"{name}.if_index", 12 + i, remark),
            u32(f"{name}.capability", 1, remark), u32(f"{name}.reserved", 0), u64(f"{name}.link_speed", 10**10, remark),
            u16(f"{name}.sockaddr.family", 2, remark), u16(f"{name}.sockaddr.port", 0, remark),
            field(f"{name}.sockaddr.address", "hex", f"ac19dc{21 + i:02x}", f"172.25.220.{21 + i}" + (remark and f", {remark}")),
            zero(f"{name}.sockaddr.reserved", 8), zero(f"{name}.sockaddr.padding", 112),
        ]

    def logon(first, flags, request_flags, header_remark):
        """Two round trips of SESSION_SETUP; what the specification prints of their headers differs."""
        return [
            ("C", "SESSION_SETUP with the first token" + (", bound to the session" if flags else ""),
             header("SESSION_SETUP", 1, 10 if flags else ten, request_flags, process=pid, session=first)
             + session_setup_request(74, flags)),
            ("S", "SESSION_SETUP wants another token",
             header("SESSION_SETUP", 1, 1, (request_flags | RESPONSE, header_remark), status=MORE_PROCESSING, process=pid, session=sid)
             + session_setup_response(349)),
            ("C", "SESSION_SETUP with the second token",
             header("SESSION_SETUP", 2, 10, (request_flags, header_remark), process=pid, session=sid)
             + session_setup_request(625, flags)),
            ("S", "SESSION_SETUP succeeds, signed",
             header("SESSION_SETUP", 2, one, (RESPONSE | SIGNED, header_remark), process=pid, session=sid)
             + session_setup_response(29)),
        ]

    def negotiate(credits, capabilities, time):
        return [
            ("C", "NEGOTIATE with 2.0.2, 2.1 and 3.0",
             header("NEGOTIATE", 0, credits, process=pid) + negotiate_request(1, capabilities, client, dialects)),
            ("S", "NEGOTIATE selects 3.0",
             header("NEGOTIATE", 0, one, RESPONSE, process=pid)
             + negotiate_response(1, 0x300, server, capabilities, 1048576, (time, started), token(120))),
        ]

    def ioctl(mid, flags, credits=10):
        return header("IOCTL", mid, credits, flags, charge=1, process=13, tree=1, session=sid)

    return [
        *negotiate(ten, 0x7F, filetime(2012, 5, 11, 6, 41, 20, 36527)),
        *logon(0, 0, 0, ""),
        ("C", "TREE_CONNECT to share",
         header("TREE_CONNECT", 3, 10, process=pid, session=sid) + tree_connect_request(r"\\smb2server\share")),
        ("S", "TREE_CONNECT succeeds",
         header("TREE_CONNECT", 3, one, RESPONSE, process=pid, tree=1, session=sid) + tree_connect_response(1, 0x800)),
        ("C", "IOCTL that repeats the NEGOTIATE, signed",
         ioctl(4, (SIGNED, NOT_GIVEN), ten) + ioctl_request(validate, any_file, 120, 24, [
             u32("body.input.capabilities", 0x7F), guid("body.input.guid", client), u16("body.input.security_mode", 1),
             u16("body.input.dialect_count", 3), *(u16("body.input.dialects", d) for d in dialects)], 30)),
        ("S", "IOCTL repeats what was negotiated, signed",
         ioctl(4, RESPONSE | SIGNED, one) + ioctl_response(validate, any_file, 0, 112, 24, [
             u32("body.output.capabilities", 0x7F), guid("body.output.guid", server, NOT_GIVEN),
             u16("body.output.security_mode", 1, NOT_GIVEN), u16("body.output.dialect", 0x300)])),
        ("C", "IOCTL for the server's network interfaces", ioctl(5, 0) + ioctl_request(interfaces, any_file, 0, 1000)),
        ("S", "IOCTL brings six interfaces",
         ioctl(5, (RESPONSE, NOT_GIVEN), one)
         + ioctl_response(interfaces, any_file, 0, 112, 912, [x for i in range(6) for x in interface(i)])),
        *negotiate(10, 0x3F, filetime(2012, 5, 11, 6, 41, 49, 996099)),
        *logon(sid, 1, SIGNED, NOT_GIVEN),
    ]


def replay_create():
    sid, lease_key, parent = 0x4040104000059, "5A0E33E0-478A-9FA7-4286-B52390B5857B", "5B4F4EAD-B0E6-B997-4222-50FADEC1FD86"

    def lease(epoch):
        return [
            guid("lease_key", lease_key), u32("lease_state", 7), u32("lease_flags", 4), u64("lease_duration", 0),
            guid("parent_lease_key", parent), u16("epoch", epoch), u16("reserved", 0),
        ]

    durable, durable_length = create_context("body.create_contexts[0]", "DH2Q", False, [
        u32("timeout", 0), u32("flags", 0), u64("reserved", 0), guid("create_guid", "33AA3970-EF1A-60A4-4BF1-11F5F9FBBFDB")], 32)
    wanted, wanted_length = create_context("body.create_contexts[1]", "RqLs", True, lease(0), 52)
    granted, granted_length = create_context("body.create_contexts[0]", "RqLs", False, lease(1), 52)
    kept, kept_length = create_context("body.create_contexts[1]", "DH2Q", True, [u32("timeout", 60000), u32("flags", 0)], 8)
    create = create_request("Replay.txt", 0xFF, 0x12019F, 0x20, 7, 3, 0x40, durable + wanted, durable_length + wanted_length)
    common = dict(process=13, tree=1, session=sid)
    return [
        ("C", "CREATE of Replay.txt with a durable handle and a lease, whose answer is lost", header("CREATE", 6, 10, **common) + create),
        ("C", "the same CREATE as a replay on the other channel",
         header("CREATE", 6, 10, (REPLAY, "printed as 0x0 with the bit set"), **common) + create),
        ("S", "CREATE succeeds",
         header("CREATE", (3, "as printed, though the request has 6"), 10, RESPONSE | REPLAY, **common)
         + create_response(0xFF, 0, 1, [filetime(2012, 5, 11, 9, 23, 5, 943750)] * 4, 0, 0, 0x20, 0,
                           (0x10000010000001D, 0x10100000001), granted + kept, granted_length + kept_length)),
    ]


def transport_encryption():
    hashes = [u16("hash_algorithm_count", 1, NOT_GIVEN), u16("salt_length", 32, NOT_GIVEN), u16("hash_algorithms", 1, NOT_GIVEN),
              filler("salt", 32)]
    ciphers = [u16("cipher_count", 1, NOT_GIVEN), u16("ciphers", 2, NOT_GIVEN)]
    signers = [u16("signing_algorithm_count", 1, NOT_GIVEN), u16("signing_algorithms", 2, NOT_GIVEN)]
    contexts = [
        (1, "SMB2_PREAUTH_INTEGRITY_CAPABILITIES", hashes, 38),
        (2, "SMB2_ENCRYPTION_CAPABILITIES, not given", ciphers, 4),
        (8, "SMB2_SIGNING_CAPABILITIES, not given", signers, 4),
        (6, "SMB2_TRANSPORT_CAPABILITIES", [u32("flags", 1, "SMB2_ACCEPT_TRANSPORT_LEVEL_SECURITY")], 4),
    ]
    printed = "607606062b0601050502a06c306aa03c303a060a2b06010401823702021e06092a864882"
    blob = [field("body.security_buffer.start", "hex", printed), filler("body.security_buffer.rest", 120 - len(printed) // 2)]
    time = filetime(2021, 7, 16, 7, 42, 53, 634690) + 3
    return [
        ("C", "NEGOTIATE that accepts the security of the transport",
         header("NEGOTIATE", (0, NOT_GIVEN), (1, NOT_GIVEN))
         + negotiate_request(1, 0x7F, "21a63604-ef37-11ea-bb9e-00155d546615", [0x202, 0x210, 0x300, 0x302, 0x311], contexts)),
        ("S", "NEGOTIATE selects 3.1.1 and accepts it too",
         header("NEGOTIATE", (0, NOT_GIVEN), (1, NOT_GIVEN), RESPONSE)
         + negotiate_response(3, 0x311, "f782a72d-49f9-47a5-84de-fefd411065df", 0x7F, 8388608, (time, 0), (blob, 120), 0xF8, contexts)),
    ]


def session_closed():
    return [
        ("S", "SERVER_TO_CLIENT_NOTIFICATION: the session is closed",
         header("SERVER_TO_CLIENT_NOTIFICATION", 0xFFFFFFFFFFFFFFFF, 0, RESPONSE, session=0x40000000000)
         + [u16("body.structure_size", 12, "printed as 0x12, but 2.2.44.1 makes it 12"), u16("body.reserved", 0),
            u32("body.notification_type", 0), u32("body.notification.reserved", 0)]),
    ]


SESSIONS = {
    "4.1-multi-protocol-negotiate": ("4.1 Connecting to a share by a multi-protocol negotiate", multi_protocol_negotiate),
    "4.2-multi-protocol-2.1": ("4.2 Negotiating 2.1 by a multi-protocol negotiate", multi_protocol_2_1),
    "4.3-smb2-negotiate": ("4.3 Connecting to a share by an SMB2 negotiate", smb2_negotiate),
    "4.4-named-pipe": ("4.4 Executing an operation on a named pipe", named_pipe),
    "4.5-read": ("4.5 Reading from a remote file", read_file),
    "4.6-write": ("4.6 Writing to a remote file", write_file),
    "4.7-disconnect-logoff": ("4.7 Disconnecting a share and logging off", disconnect_and_logoff),
    "4.8-alternate-channel": ("4.8 Establishing an alternate channel; the second NEGOTIATE opens the second connection", alternate_channel),
    "4.9-replay-create": ("4.9 Replaying a CREATE on an alternate channel", replay_create),
    "4.10-transport-encryption": ("4.10 Negotiating encryption by the transport", transport_encryption),
    "4.11-session-closed": ("4.11 The notification that a session is closed", session_closed),
}


def main():
    here, stale = pathlib.Path(__file__).parent, []
    for name, (title, conversation) in SESSIONS.items():
        path = here / f"{name}.txt"
        text = render(f"[MS-SMB2] {title}", ["Made by generate.py from the fields; ../README.md explains the notation."], conversation())
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(path.name)
            continue
        print(f"{path.name}: {check(path)} messages")
    sys.exit(f"not what generate.py writes: {', '.join(stale)}" if stale else 0)


if __name__ == "__main__":
    main()
