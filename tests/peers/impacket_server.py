#!/usr/bin/env python3
"""impacket's server: impacket_server.py FOLDER PORT serves FOLDER as `share` to tester with Passw0rd!."""

import sys

from impacket import smbserver

folder, port = sys.argv[1], int(sys.argv[2])
server = smbserver.SimpleSMBServer(listenAddress="127.0.0.1", listenPort=port)
server.addShare("SHARE", folder, "")
server.setSMB2Support(True)
server.addCredential("tester", 0, "aad3b435b51404eeaad3b435b51404ee", "fc525c9683e8fe067095ba2ddc971889")
print("READY", flush=True)
server.start()
