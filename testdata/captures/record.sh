#!/usr/bin/env bash
# Records the captures beside this script anew: Samba's own client or smbtorture against a private smbd on the
# loopback interface. Each capture gets a <name>.keys.json with the keys of its sessions, and is then read
# with tshark: whatever is encrypted must open with these keys, and every signature must hold.
#
#   record.sh [NAME...]      all captures, or those named; `record.sh --list` names them
#
# Needs root and Debian's samba, smbclient, samba-testsuite, tshark, tcpdump, python3. PORT (default 445, so
# that other programs take the traffic for SMB unasked; two of the clients know no other) has to be free.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
peer=$here/../../tests/peers/smbd.sh
port=${PORT:-445}
credentials='tester%Passw0rd!'
export TZ=UTC

# The commands of an ordinary visit, one of each kind.
visit='mkdir dir; cd dir; put hello.txt; ls; allinfo hello.txt; rename hello.txt moved.txt; setmode moved.txt +rh;
  setmode moved.txt -rh; utimes moved.txt 2020:01:02-03:04:05 -1 2021:01:02-03:04:05 -1; get moved.txt back.txt;
  scopy moved.txt copy.txt; get absent.txt; del moved.txt; del copy.txt; cd ..; rmdir dir; volume'

visit() { # arguments of smbclient
  smbclient -p "$port" -U "$credentials" //127.0.0.1/share -c "${visit//$'\n'/ }" "$@"
}
client() { # commands, arguments
  local commands=$1
  shift
  smbclient -p "$port" -U "$credentials" //127.0.0.1/share -c "$commands" "$@"
}
torture() { # test names, or options
  smbtorture -p "$port" -U "$credentials" //127.0.0.1/share "$@"
}
signed='--option=client signing=required'

# name | options of smbd.sh | what the client does
scenarios() {
  cat <<'TABLE'
dialect-2.0.2|--max SMB2_02 --signing mandatory|visit
dialect-2.1|--max SMB2_10 --signing mandatory|visit
dialect-3.0|--max SMB3_00 --signing mandatory|visit
dialect-3.0.2|--max SMB3_02 --signing mandatory|visit
dialect-3.1.1|--max SMB3_11 --signing mandatory|visit
dialect-2.0.2-unsigned|--max SMB2_02|visit
dialect-3.1.1-unsigned||visit
sign-hmac-sha256|--signers HMAC-SHA256|visit "$signed" --option='client smb3 signing algorithms=HMAC-SHA256'
sign-aes-128-cmac|--signers AES-128-CMAC|visit "$signed" --option='client smb3 signing algorithms=AES-128-CMAC'
sign-aes-128-gmac|--signers AES-128-GMAC|visit "$signed" --option='client smb3 signing algorithms=AES-128-GMAC'
encrypt-3.0|--max SMB3_00 --encrypt required|visit
encrypt-3.0.2|--max SMB3_02 --encrypt required|visit
encrypt-aes-128-ccm|--encrypt required --ciphers AES-128-CCM|visit
encrypt-aes-128-gcm|--encrypt required --ciphers AES-128-GCM|visit
encrypt-aes-256-ccm|--encrypt required --ciphers AES-256-CCM|visit
encrypt-aes-256-gcm|--encrypt required --ciphers AES-256-GCM|visit
encrypt-share||smbclient -p "$port" -U "$credentials" //127.0.0.1/cap -c 'ls; volume'
multi-protocol-2.002|--max SMB2_02|client ls --option='client min protocol=NT1' --option='client max protocol=SMB2_02'
multi-protocol-2.wildcard||client ls --option='client min protocol=NT1'
multi-protocol-refused|--min SMB3_11|client ls --option='client min protocol=NT1' --option='client max protocol=NT1'
no-common-dialect|--min SMB3_11|client ls --option='client max protocol=SMB2_10'
logon-wrong-password||smbclient -p "$port" -U 'tester%wrong' //127.0.0.1/share -c ls
logon-unknown-user||smbclient -p "$port" -U 'nobody-here%wrong' //127.0.0.1/share -c ls
logon-anonymous||smbclient -p "$port" -N -U% //127.0.0.1/IPC$ -c 'volume'
logon-guest|--guest|smbclient -p "$port" -U 'visitor%any' //127.0.0.1/guest -c ls
share-unknown||smbclient -p "$port" -U "$credentials" //127.0.0.1/absent -c ls
share-read-only||smbclient -p "$port" -U "$credentials" //127.0.0.1/ro -c 'ls; put hello.txt; mkdir x'
shares-srvsvc||smbclient -p "$port" -U "$credentials" -L 127.0.0.1
pipes-lsarpc-wkssvc||rpcclient -p "$port" -U "$credentials" 127.0.0.1 -c 'lookupnames tester; lsaquery; wkssvc_wkstagetinfo 100; netshareenumall 1; netshareenumall 502; netsharegetinfo share 2; srvinfo'
notify-smbclient||client 'mkdir w'; timeout 2 smbclient -p "$port" -U "$credentials" //127.0.0.1/share -c 'notify w' & sleep 0.7; client 'cd w; put hello.txt n.txt; rename n.txt o.txt; del o.txt'; wait
rename-hardlink||client 'put hello.txt a.txt; hardlink a.txt b.txt; rename a.txt c.txt; rename c.txt b.txt; rename c.txt b.txt -f; echo 1 hello; del b.txt; deltree absent'
security-descriptors||client 'put hello.txt acl.txt'; acls acl.txt; acls acl.txt -a 'ACL:Everyone:ALLOWED/0x0/READ'; acls acl.txt -C tester; acls acl.txt
quota||smbcquotas -U "$credentials" //127.0.0.1/share -F; smbcquotas -U "$credentials" //127.0.0.1/share -u tester; smbcquotas -U "$credentials" //127.0.0.1/share -L
transfer-large||head -c 70000 /dev/zero >zeros; client 'put zeros; get zeros back; del zeros'
transfer-2.0.2|--max SMB2_02|head -c 70000 /dev/zero >zeros; client 'put zeros; get zeros back; del zeros'
directory-many||mkdir many; (cd many && touch file-{01..25}); client 'recurse; prompt; mput many; cd many; ls; ls file-0*; cd ..; deltree many'
torture-connect||torture smb2.tcon smb2.session-id
torture-session||torture smb2.session.reconnect1 smb2.session.reauth1 smb2.session.reauth2 smb2.session.reauth4 smb2.session.two_logoff
torture-session-bind||torture smb2.session.bind1 smb2.session.bind2 smb2.session.bind_invalid_auth smb2.session.bind_negative_smb210s
torture-session-encrypt||torture smb2.session.encryption-aes-128-ccm smb2.session.encryption-aes-128-gcm smb2.session.encryption-aes-256-ccm smb2.session.encryption-aes-256-gcm
torture-session-sign||torture smb2.session.signing-hmac-sha-256 smb2.session.signing-aes-128-cmac smb2.session.signing-aes-128-gmac
torture-credits||torture smb2.credits.session_setup_credits_granted smb2.credits.single_req_credits_granted
torture-compound||torture smb2.compound.related1 smb2.compound.related2 smb2.compound.related4 smb2.compound.related6 smb2.compound.unrelated1 smb2.compound.invalid1 smb2.compound.invalid2 smb2.compound.invalid3 smb2.compound.invalid4 smb2.compound.interim1 smb2.compound.compound-padding smb2.compound.create-write-close smb2.compound.compound-break
torture-compound-async||torture smb2.compound_async.flush_close smb2.compound_async.flush_flush
torture-create||torture smb2.create.multi smb2.create.delete smb2.create.leading-slash smb2.create.impersonation smb2.create.mkdir-dup smb2.create.dosattr_tmp_dir smb2.create.nulldacl smb2.create.blob
torture-read||torture smb2.read.eof smb2.read.dir
torture-lock||torture smb2.lock.valid-request smb2.lock.rw-shared smb2.lock.rw-exclusive smb2.lock.auto-unlock smb2.lock.unlock smb2.lock.multiple-unlock smb2.lock.stacking smb2.lock.errorcode smb2.lock.contend
torture-lock-async||torture smb2.lock.async smb2.lock.cancel smb2.lock.cancel-tdis smb2.lock.cancel-logoff
torture-notify||torture smb2.notify.double smb2.notify.tcon smb2.notify.close smb2.notify.tdis smb2.notify.logoff smb2.notify.file smb2.notify.rmdir1 smb2.notify.basedir
torture-oplock||torture smb2.oplock.exclusive1 smb2.oplock.batch1 smb2.oplock.batch3 smb2.oplock.levelii500 smb2.oplock.brl1
torture-lease||torture smb2.lease.request smb2.lease.upgrade smb2.lease.breaking1 smb2.lease.v2_epoch1 smb2.lease.v2_epoch2 smb2.lease.statopen
torture-durable||torture smb2.durable-open.reopen1 smb2.durable-open.reopen2 smb2.durable-open.reopen2-lease smb2.durable-open.lease smb2.durable-open.file-position
torture-durable-v2||torture smb2.durable-v2-open.create-blob smb2.durable-v2-open.reopen1 smb2.durable-v2-open.reopen2 smb2.durable-v2-open.reopen2-lease-v2 smb2.durable-v2-open.durable-v2-setinfo
torture-replay||torture smb2.replay.replay-regular smb2.replay.replay-dhv2-oplock1 smb2.replay.replay-dhv2-lease1 smb2.replay.replay-commands
torture-multichannel||torture smb2.multichannel.generic.interface_info smb2.multichannel.generic.num_channels
torture-ioctl||torture smb2.ioctl.req_resume_key smb2.ioctl.copy_chunk_simple smb2.ioctl.copy_chunk_tiny smb2.ioctl.copy_chunk_limits smb2.ioctl.copy_chunk_bad_key smb2.ioctl.network_interface_info smb2.ioctl.sparse_file_flag smb2.ioctl.sparse_qar smb2.ioctl.compress_notsup_get smb2.ioctl-on-stream
torture-info||torture smb2.getinfo.fsinfo smb2.getinfo.complex smb2.getinfo.granted smb2.getinfo.normalized smb2.getinfo.qsec_buffercheck smb2.setinfo
torture-streams||torture smb2.streams.dir smb2.streams.io smb2.streams.delete smb2.streams.zero-byte
torture-acls||torture smb2.acls.CREATOR smb2.acls.OWNER smb2.acls.MXAC-NOT-GRANTED smb2.sdread
torture-ea||torture smb2.ea.acl_xattr --option=torture:acl_xattr_name=user.NTACL; torture smb2.create.gentest
torture-timestamps||torture smb2.timestamps.time_t_0 smb2.timestamps.time_t_-1 smb2.timestamps.time_t_4294967295 smb2.timestamps.freeze-thaw
torture-rename||torture smb2.rename.simple smb2.rename.no_sharing smb2.rename.share_delete_no_delete_access smb2.rename.msword
TABLE
}
acls() { # file, arguments
  local file=$1
  shift
  smbcacls -U "$credentials" //127.0.0.1/share "$file" "$@"
}

record() { # name, options of smbd.sh, commands
  local name=$1 options=$2 commands=$3 work server tcpdump fd
  work=$(mktemp -d)
  # shellcheck disable=SC2086 # the table's options are words
  exec {fd}< <(exec "$peer" --port "$port" --dir "$work" --global 'debug encryption = yes' $options)
  server=$!
  read -r -u "$fd" _ || { echo "$name: no server" >&2; return 1; }
  tcpdump --immediate-mode -Z root -U -B 65536 -i lo -s 0 -w "$work/raw.pcap" "tcp port $port" 2>"$work/tcpdump.log" &
  tcpdump=$!
  until grep -qs listening "$work/tcpdump.log"; do sleep 0.05; done
  mkdir "$work/client"
  (
    cd "$work/client"
    printf 'Hello, world: these are the bytes of a small file.\n' >hello.txt
    set +e
    eval "$commands"
  ) >"$work/client.log" 2>&1 </dev/null || true
  sleep 0.3
  kill "$tcpdump"
  wait "$tcpdump" 2>/dev/null || true
  kill "$server"
  wait "$server" 2>/dev/null || true
  exec {fd}<&-
  # Only frames with payload and the ends of connections: bare ACKs say nothing here.
  tshark -Q -r "$work/raw.pcap" -Y 'tcp.len > 0 || tcp.flags.syn == 1 || tcp.flags.fin == 1 || tcp.flags.reset == 1' \
    -F pcapng -w "$work/small.pcapng" 2>/dev/null
  editcap -F pcapng --discard-all-secrets "$work/small.pcapng" "$here/$name.pcapng" >/dev/null
  python3 "$here/keys.py" collect "$here/$name.pcapng" "$work/log.smbd" "$port" >"$here/$name.keys.json"
  python3 "$here/keys.py" verify "$here/$name.pcapng"
  [ -z "${KEEP:-}" ] || { mkdir -p "$KEEP"; cp "$work/client.log" "$KEEP/$name.client.log"; cp "$work/log.smbd" "$KEEP/$name.smbd.log"; }
  rm -rf "$work"
}

if [ "${1:-}" = --list ]; then
  scenarios | cut -d'|' -f1
  exit 0
fi
failed=0
while IFS='|' read -r name options commands <&7; do
  if [ $# -gt 0 ]; then
    case " $* " in *" $name "*) ;; *) continue ;; esac
  fi
  record "$name" "$options" "$commands" || failed=1
done 7< <(scenarios)
exit $failed
