#!/usr/bin/env python3
"""smbprotocol's client on a server of ours: smbprotocol_client.py PORT. Ends with 0 if all went well."""

import os
import sys
import uuid

import smbclient
import smbclient.path
import smbclient.shutil
from smbprotocol.change_notify import CompletionFilter, FileSystemWatcher
from smbprotocol.connection import Connection, Dialects
from smbprotocol.open import (
    CreateDisposition, CreateOptions, DirectoryAccessMask, FileAttributes, ImpersonationLevel, Open, ShareAccess,
)
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

port = int(sys.argv[1])
base = "\\\\127.0.0.1\\share"


def session(dialect=None, encrypt=False):
    connection = Connection(uuid.uuid4(), "127.0.0.1", port)
    connection.connect(dialect=dialect)
    session = Session(connection, "tester", "Passw0rd!", require_encryption=encrypt)
    session.connect()
    tree = TreeConnect(session, base)
    tree.connect(require_secure_negotiate=True)
    return connection, tree


def visit(encrypt):
    smbclient.reset_connection_cache()
    who = {"username": "tester", "password": "Passw0rd!", "port": port, "encrypt": encrypt}
    here = base + "\\visit"
    smbclient.makedirs(here + "\\a\\b\\c", exist_ok=True, **who)
    data = os.urandom(2_000_000)
    with smbclient.open_file(here + "\\f.bin", mode="wb", **who) as file:
        file.write(data)
    with smbclient.open_file(here + "\\f.bin", mode="rb", **who) as file:
        assert file.read() == data
    for mode, text in (("w", "grüße\n"), ("a", "more\n")):
        with smbclient.open_file(here + "\\Ü 😀.txt", mode=mode, encoding="utf-8", **who) as file:
            file.write(text)
    with smbclient.open_file(here + "\\Ü 😀.txt", encoding="utf-8", **who) as file:
        assert file.read() == "grüße\nmore\n"
    assert sorted(smbclient.listdir(here, **who)) == ["a", "f.bin", "Ü 😀.txt"]
    assert len(list(smbclient.walk(here, **who))) == 4
    stat = smbclient.stat(here + "\\f.bin", **who)
    assert stat.st_size == len(data) and stat.st_nlink == 1
    assert smbclient.stat_volume(base, **who).total_size > 0
    smbclient.utime(here + "\\f.bin", times=(1e9, 1e9), **who)
    assert smbclient.stat(here + "\\f.bin", **who).st_mtime == 1e9
    smbclient.truncate(here + "\\f.bin", 1000, **who)
    smbclient.rename(here + "\\f.bin", here + "\\g.bin", **who)
    smbclient.replace(here + "\\g.bin", here + "\\Ü 😀.txt", **who)
    smbclient.copyfile(here + "\\Ü 😀.txt", here + "\\copy.txt", **who)
    with smbclient.open_file(here + "\\copy.txt", mode="rb", **who) as file:
        assert file.read() == data[:1000]
    smbclient.link(here + "\\copy.txt", here + "\\link.txt", **who)
    assert smbclient.stat(here + "\\copy.txt", **who).st_nlink == 2
    assert not smbclient.path.exists(here + "\\none", **who)
    assert smbclient.path.isdir(here + "\\a", **who)
    smbclient.shutil.rmtree(here, **who)
    assert not smbclient.path.exists(here, **who)


def watch():
    connection, tree = session()
    folder = Open(tree, "")
    folder.create(
        ImpersonationLevel.Impersonation,
        DirectoryAccessMask.FILE_LIST_DIRECTORY,
        FileAttributes.FILE_ATTRIBUTE_DIRECTORY,
        ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_WRITE | ShareAccess.FILE_SHARE_DELETE,
        CreateDisposition.FILE_OPEN,
        CreateOptions.FILE_DIRECTORY_FILE,
    )
    watcher = FileSystemWatcher(folder)
    watcher.start(CompletionFilter.FILE_NOTIFY_CHANGE_FILE_NAME)
    who = {"username": "tester", "password": "Passw0rd!", "port": port}
    with smbclient.open_file(base + "\\noted.txt", mode="w", **who) as file:
        file.write("x")
    changes = [change["file_name"].get_value() for change in watcher.wait()]
    assert changes == ["noted.txt"], changes
    smbclient.remove(base + "\\noted.txt", **who)
    connection.disconnect()


for encrypt in (False, True):
    visit(encrypt)
for dialect in (
    Dialects.SMB_2_0_2, Dialects.SMB_2_1_0, Dialects.SMB_3_0_0, Dialects.SMB_3_0_2, Dialects.SMB_3_1_1,
):
    connection, tree = session(dialect, encrypt=dialect >= Dialects.SMB_3_0_0)
    tree.disconnect()
    connection.disconnect()
    print(f"dialect {dialect:#x} is fine")
watch()
smbclient.reset_connection_cache()
