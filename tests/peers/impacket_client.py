#!/usr/bin/env python3
"""impacket's client on a server of ours: impacket_client.py PORT. Ends with 0 if all went well."""

import io
import os
import sys

from impacket.dcerpc.v5 import lsad, lsat, srvs, transport, wkst
from impacket.dcerpc.v5.dtypes import MAXIMUM_ALLOWED
from impacket.dcerpc.v5.rpcrt import DCERPCException
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


def service(pipe, interface):
    binding = transport.SMBTransport("127.0.0.1", port, f"\\{pipe}", username="tester", password="Passw0rd!")
    rpc = binding.get_dce_rpc()
    rpc.connect()
    rpc.bind(interface)
    return rpc


def refused(code, call, *args):
    try:
        call(*args)
    except DCERPCException as error:
        # Faults have but a text.
        assert code in (error.get_error_code(), str(error).strip()), error
    else:
        sys.exit(f"{call.__name__} was answered")


def services():
    denied, no_level = 5, 124
    rpc = service("srvsvc", srvs.MSRPC_UUID_SRVS)
    info = srvs.hNetrServerGetInfo(rpc, 101)["InfoStruct"]["ServerInfo101"]
    assert info["sv101_name"] == "SANSMB\0", info["sv101_name"]
    refused(denied, srvs.hNetrServerGetInfo, rpc, 102)
    for level in (0, 1, 501):
        shares = srvs.hNetrShareEnum(rpc, level)["InfoStruct"]["ShareInfo"][f"Level{level}"]["Buffer"]
        assert [share[f"shi{level}_netname"][:-1] for share in shares] == ["share", "IPC$"]
    share = srvs.hNetrShareGetInfo(rpc, "share\0", 1005)["InfoStruct"]["ShareInfo1005"]
    assert share["shi1005_flags"] == 0
    refused(denied, srvs.hNetrShareEnum, rpc, 502)
    refused(denied, srvs.hNetrShareGetInfo, rpc, "share\0", 2)
    refused(no_level, srvs.hNetrShareGetInfo, rpc, "share\0", 1004)
    refused(2310, srvs.hNetrShareGetInfo, rpc, "nothing\0", 1)
    refused(denied, srvs.hNetrSessionEnum, rpc, "\0", "\0", 10)
    assert srvs.hNetrRemoteTOD(rpc)["BufferPtr"]["tod_year"] >= 2024

    rpc = service("wkssvc", wkst.MSRPC_UUID_WKST)
    info = wkst.hNetrWkstaGetInfo(rpc, 100)["WkstaInfo"]["WkstaInfo100"]
    assert info["wki100_computername"] == "SANSMB\0" and info["wki100_langroup"] == "WORKGROUP\0"
    refused(denied, wkst.hNetrWkstaGetInfo, rpc, 102)
    refused(denied, wkst.hNetrWkstaUserEnum, rpc, 1)
    assert wkst.hNetrGetJoinInformation(rpc, "\0")["BufferType"] == 2

    rpc = service("lsarpc", lsat.MSRPC_UUID_LSAT)
    policy = lsad.hLsarOpenPolicy2(rpc, MAXIMUM_ALLOWED)["PolicyHandle"]
    domain = lsad.hLsarQueryInformationPolicy2(
        rpc, policy, lsad.POLICY_INFORMATION_CLASS.PolicyAccountDomainInformation
    )["PolicyInformation"]["PolicyAccountDomainInfo"]
    machine = domain["DomainSid"].formatCanonical()
    assert domain["DomainName"] == "SANSMB" and machine.startswith("S-1-5-21-")
    names = ("tester", "Everyone", "BUILTIN\\Users")
    answer = lsat.hLsarLookupNames3(rpc, policy, names)
    sids = [sid["Sid"].formatCanonical() for sid in answer["TranslatedSids"]["Sids"]]
    assert sids[0].startswith(machine + "-") and sids[1:] == ["S-1-1-0", "S-1-5-32-545"], sids
    for lookup in (lsat.hLsarLookupSids, lsat.hLsarLookupSids2):
        found = lookup(rpc, policy, sids)["TranslatedNames"]["Names"]
        assert [name["Name"] for name in found] == ["tester", "Everyone", "Users"]
    for lookup in (lsat.hLsarLookupNames, lsat.hLsarLookupNames2):
        found = lookup(rpc, policy, names)["TranslatedSids"]["Sids"]
        assert found[0]["RelativeId"] == int(sids[0].rpartition("-")[2])
    refused(0xC0000073, lsat.hLsarLookupNames3, rpc, policy, ("nobody-at-all",))
    refused(0xC0000073, lsat.hLsarLookupSids2, rpc, policy, (machine + "-1",))
    assert lsat.hLsarGetUserName(rpc)["UserName"] == "tester"
    lsad.hLsarClose(rpc, policy)
    refused("nca_s_fault_context_mismatch", lsad.hLsarClose, rpc, policy)
    # There is no such method.
    rpc.call(200, b"")
    refused("nca_s_op_rng_error", rpc.recv)


for dialect in (SMB2_DIALECT_002, SMB2_DIALECT_21, SMB2_DIALECT_30, SMB2_DIALECT_311):
    visit(dialect)
    print(f"dialect {dialect:#x} is fine")
try:
    connect().login("tester", "wrong")
except SessionError as error:
    assert "STATUS_LOGON_FAILURE" in str(error), error
else:
    sys.exit("a wrong password was accepted")
services()
print("the services are fine")
