#!/usr/bin/env python3
"""impacket's client on a server of ours: impacket_client.py PORT. Ends with 0 if all went well."""

import io
import os
import sys

from impacket.smb3structs import SMB2_DIALECT_002, SMB2_DIALECT_21, SMB2_DIALECT_30, SMB2_DIALECT_311
from impacket.smbconnection import SessionError, SMBConnection

port = int(sys.argv[1])
data = os.urandom(3_000_000)


def connect(dialect=None):
    return SMBConnection("127.0.0.1", "127.0.0.1", sess_port=port, preferredDialect=dialect)


def visit(dialect):
    client = connect(dialect)
    assert client.getDialect() == dialect, client.getDialect()
    client.login("tester", "Passw0rd!")
    assert "share" in [share["shi1_netname"][:-1] for share in client.listShares()]
    client.createDirectory("share", "\\dir")
    client.putFile("share", "\\dir\\Ünï 😀.bin", io.BytesIO(data).read)
    listed = {entry.get_longname(): entry.get_filesize() for entry in client.listPath("share", "\\dir\\*")}
    assert listed["Ünï 😀.bin"] == len(data), listed
    got = io.BytesIO()
    client.getFile("share", "\\dir\\Ünï 😀.bin", got.write)
    assert got.getvalue() == data
    client.rename("share", "\\dir\\Ünï 😀.bin", "\\dir\\renamed.bin")
    tree = client.connectTree("share")
    file = client.createFile(tree, "\\dir\\small.txt")
    client.writeFile(tree, file, b"hello")
    assert client.readFile(tree, file) == b"hello"
    client.closeFile(tree, file)
    client.disconnectTree(tree)
    for name in ("renamed.bin", "small.txt"):
        client.deleteFile("share", f"\\dir\\{name}")
    client.deleteDirectory("share", "\\dir")
    client.logoff()


for dialect in (SMB2_DIALECT_002, SMB2_DIALECT_21, SMB2_DIALECT_30, SMB2_DIALECT_311):
    visit(dialect)
    print(f"dialect {dialect:#x} is fine")
try:
    connect().login("tester", "wrong")
except SessionError as error:
    assert "STATUS_LOGON_FAILURE" in str(error), error
else:
    sys.exit("a wrong password was accepted")
