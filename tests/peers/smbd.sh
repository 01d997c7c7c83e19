#!/usr/bin/env bash
# Runs a private Samba server (smbd) on 127.0.0.1 as a peer for tests, in the foreground, until this script
# or the process that started it ends. Needs Debian's package samba and root; no systemd, no daemon.
#
#   smbd.sh [--port N] [--dir DIR] [--share PATH] [--min DIALECT] [--max DIALECT] [--signing MODE]
#           [--encrypt MODE] [--ciphers LIST] [--signers LIST] [--guest] [--user NAME%PASSWORD]...
#           [--global 'option = value']... [--share-option 'option = value']...
#
#   --port         a port; without it, a free one is taken
#   --dir          where configuration, databases and logs go; without it, a new folder that is removed at the end
#   --share        the folder served as `share` (default DIR/share)
#   --min, --max   NT1, SMB2_02, SMB2_10, SMB3_00, SMB3_02, SMB3_11 (default SMB2_02 and SMB3_11)
#   --signing      `server signing`: auto, mandatory, disabled
#   --encrypt      `server smb encrypt`: off, desired, required
#   --ciphers      `server smb3 encryption algorithms`: AES-128-CCM,AES-128-GCM,AES-256-CCM,AES-256-GCM
#   --signers      `server smb3 signing algorithms`: HMAC-SHA256,AES-128-CMAC,AES-128-GMAC
#   --guest        `map to guest = bad user`, and the share `guest`
#   --user         one more user beside tester%Passw0rd!
#   --global, --share-option   any other line of smb.conf(5)
#
# Once the port answers, one line goes to standard output:
#   READY port=N dir=DIR share=PATH user=tester password=Passw0rd!
# Shares: `share`, `ro` (the same folder, read-only), `cap` (the same, encryption required), `guest` (with --guest).
# The log is DIR/log.smbd; --global 'debug encryption = yes' writes session keys into it.
set -euo pipefail

user=tester password='Passw0rd!'
port='' dir='' share='' keep=yes guest=no
users=() globals=() share_options=()
while [ $# -gt 0 ]; do
  case $1 in
    --guest) guest=yes; globals+=('map to guest = bad user'); shift; continue ;;
    -h | --help) sed -n '2,25p' "$0"; exit 0 ;;
  esac
  [ $# -ge 2 ] || { echo "smbd.sh: $1 needs a value" >&2; exit 2; }
  case $1 in
    --port) port=$2 ;;
    --dir) dir=$2 ;;
    --share) share=$2 ;;
    --min) globals+=("server min protocol = $2") ;;
    --max) globals+=("server max protocol = $2") ;;
    --signing) globals+=("server signing = $2") ;;
    --encrypt) globals+=("server smb encrypt = $2") ;;
    --ciphers) globals+=("server smb3 encryption algorithms = $2") ;;
    --signers) globals+=("server smb3 signing algorithms = $2") ;;
    --user) users+=("$2") ;;
    --global) globals+=("$2") ;;
    --share-option) share_options+=("$2") ;;
    *) echo "smbd.sh: unknown option $1" >&2; exit 2 ;;
  esac
  shift 2
done
[ "$(id -u)" = 0 ] || { echo "smbd.sh: smbd has to change users, so it needs root" >&2; exit 77; }
PATH=$PATH:/usr/sbin:/sbin
command -v smbd >/dev/null || { echo "smbd.sh: smbd is not installed" >&2; exit 77; }

if [ -z "$dir" ]; then
  dir=$(mktemp -d "${TMPDIR:-/tmp}/sansmb-smbd.XXXXXX")
  keep=no
fi
chmod go+x "$dir" # the share below it is visited as another user
share=${share:-$dir/share}
mkdir -p "$share" "$dir"/{private,lock,state,cache,pid,ncalrpc,tmp}
[ "$share" != "$dir/share" ] || chmod 777 "$share"

open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
while [ -z "$port" ]; do
  port=$((20000 + RANDOM % 12000))
  if open "$port"; then port=''; fi
done

lines() { local line; for line in "$@"; do printf '    %s\n' "$line"; done; }
cat >"$dir/smb.conf" <<CONF
[global]
    interfaces = lo
    bind interfaces only = yes
    smb ports = $port
    disable netbios = yes
    workgroup = SANSMB
    netbios name = PEER
    server role = standalone
    security = user
    passdb backend = tdbsam
    server min protocol = SMB2_02
    private dir = $dir/private
    lock directory = $dir/lock
    state directory = $dir/state
    cache directory = $dir/cache
    pid directory = $dir/pid
    ncalrpc dir = $dir/ncalrpc
    logging = file
    log file = $dir/log.smbd
    max log size = 0
    log level = 1
    load printers = no
    printing = bsd
    printcap name = /dev/null
    disable spoolss = yes
    usershare max shares = 0
    # what the optional parts of the protocol need
    server multi channel support = yes
    durable handles = yes
    kernel oplocks = no
    kernel share modes = no
    posix locking = no
    ea support = yes
    store dos attributes = yes
    map archive = no
    vfs objects = acl_xattr streams_xattr
    # a container may not write the security.* attributes
    acl_xattr:security_acl_name = user.NTACL
    acl_xattr:ignore system acls = yes
    create mask = 0777
    directory mask = 0777
$(lines "${globals[@]+"${globals[@]}"}")
[share]
    path = $share
    read only = no
$(lines "${share_options[@]+"${share_options[@]}"}")
[ro]
    path = $share
    read only = yes
[cap]
    path = $share
    read only = no
    smb encrypt = required
CONF
[ "$guest" = no ] || cat >>"$dir/smb.conf" <<CONF
[guest]
    path = $share
    read only = no
    guest ok = yes
CONF

# Two runs at once must not both add the account.
exec 9>/tmp/.sansmb-useradd.lock
flock 9
for entry in "$user%$password" "${users[@]+"${users[@]}"}"; do
  name=${entry%%%*} secret=${entry#*%}
  id -u "$name" >/dev/null 2>&1 || useradd --no-create-home --shell /usr/sbin/nologin "$name" >/dev/null
  printf '%s\n%s\n' "$secret" "$secret" |
    pdbedit -s "$dir/smb.conf" -a -t -u "$name" >"$dir/pdbedit.log" 2>&1 || { cat "$dir/pdbedit.log" >&2; exit 1; }
done
flock -u 9
exec 9>&-

# Without --no-process-group smbd makes a group of its own, so that one signal ends its children too.
smbd --foreground -s "$dir/smb.conf" </dev/null >"$dir/stdout.log" 2>&1 &
smbd=$!

finish() {
  local file pid
  for file in "$dir"/pid/*.pid; do # smbd, and samba-dcerpcd once a pipe was opened
    [ -e "$file" ] || continue
    pid=$(tr -dc 0-9 <"$file")
    [ -z "$pid" ] || kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true
  done
  kill -TERM -- "-$smbd" 2>/dev/null || kill -TERM "$smbd" 2>/dev/null || true
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    kill -0 -- "-$smbd" 2>/dev/null || break
    sleep 0.05
  done
  kill -KILL -- "-$smbd" 2>/dev/null || true
  [ "$keep" = yes ] || rm -rf "$dir"
}

# A watcher of its own, since a killed script runs no trap. When the parent ends, the script gets another one.
script=$$ parent=$PPID
(
  trap '' INT TERM HUP
  while read -r _ _ state ppid _ <"/proc/$script/stat" && [ "$state" != Z ] && [ "$ppid" = "$parent" ] &&
    kill -0 "$smbd"; do
    sleep 0.2
  done
  finish
  kill -TERM "$script"
) >/dev/null 2>&1 </dev/null &
watcher=$!

for _ in $(seq 400); do
  if open "$port"; then
    echo "READY port=$port dir=$dir share=$share user=$user password=$password"
    trap 'exit 0' INT TERM HUP
    wait "$smbd" || true
    wait "$watcher" || true
    exit 0
  fi
  kill -0 "$smbd" 2>/dev/null || break
  sleep 0.02
done
echo "smbd.sh: smbd did not answer on port $port" >&2
cat "$dir/stdout.log" "$dir/log.smbd" >&2 2>/dev/null || true
exit 1
