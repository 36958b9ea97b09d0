# Sourced by ./story: steps in which something is wrong with one machine. Each is said
# where an operator looks, in the words that deploy/README.md has; the others play on; and
# when it is put right, all is as it was.

# says_all FILE WORDS...: all of the words are there.
says_all() {
  local file=$1 words
  shift
  for words in "$@"; do
    grep --quiet --fixed-strings -- "$words" "$file" || fault "nobody says '$words': $(cat "$file")"
  done
}

# is_told MACHINE UNIT WORDS: within a while the journal of the unit, or of generator, has
# the words.
is_told() {
  in_guide "$3"
  within 20 "the journal of $2 on $1 says '$3'" journal_has "$@"
}

journal_has() {
  local of=(--unit "redrabbit-$2.service")
  [ "$2" != generator ] || of=(--identifier redrabbit-generator)
  on "$1" journalctl --quiet --output=cat --since "$BEGUN" "${of[@]}" > "$run/$1/journal.log" &&
    grep --quiet --fixed-strings -- "$3" "$run/$1/journal.log"
}

# has_ended MACHINE NODE CODE: what systemd has of its last end. After 1 it is tried again,
# after 78 it stays failed.
has_ended() { within 20 "$2 has ended with $3" ended_with "$@"; }

ended_with() {
  local state=activating
  [ "$3" -ne 78 ] || state=failed
  [ "$(on "$1" systemctl show "$(unit_of "$2")" --property=ActiveState,ExecMainStatus --value |
    sort | paste -sd' ')" = "$3 $state" ]
}

# target_says MACHINE WORDS: what `systemctl status redrabbit.target` begins with.
target_says() {
  in_guide "$2"
  on "$1" systemctl show redrabbit.target --property=Description --value > "$run/$1/status.log"
  says_all "$run/$1/status.log" "$2"
}

# What is looked for in a journal was said in this step.
begin_mistake() { BEGUN=$(date '+%F %T'); sleep 1; }

in_guide() {
  grep --quiet --fixed-strings -- "$1" deploy/README.md || fault "deploy/README.md does not have '$1'"
}

call_machine() { echo "$2" > "$run/$1/root/etc/redrabbit/machine"; }

# all_is_well MACHINE: its nodes are started as after any repair, and all are there.
all_is_well() {
  on "$1" systemctl daemon-reload
  on "$1" systemctl --no-block start redrabbit.target
  within 30 "all nodes are ready" all_ready
  within 20 "$1 runs its own nodes and no others" runs_alone "$1"
}

# Whoever runs goes on; after a reboot nothing is started, and it is said why.
machine_has_a_name_that_nobody_uses() {
  local what='no node is started: none is on machine nowhere; the files name edge-1, game-1, game-2'
  begin_mistake
  remember_starts
  call_machine edge-1 nowhere
  on edge-1 systemctl daemon-reload
  is_told edge-1 generator "$what"
  target_says edge-1 "$what"
  is_found edge-1 'FAIL  machine' 1
  nobody_was_restarted
  on edge-1 systemctl --no-block reboot
  within 60 "edge-1 boots" has_booted_idle edge-1
  target_says edge-1 "$what"
  rm "$run/edge-1/root/etc/redrabbit/machine"
  all_is_well edge-1
}

# The second machine of a name gets nowhere, and the first one's players do not notice.
two_machines_have_one_name() {
  local node
  begin_mistake
  remember_starts
  start_players gate@0 gate@1
  for node in slave@1 gate@1 scene@0; do
    put edge-1 "$run/tls/$node.pem" "tls/$node.pem"
    put edge-1 "$run/tls/$node.key" "tls/$node.key"
  done
  call_machine edge-1 game-2
  on edge-1 systemctl daemon-reload
  on edge-1 systemctl --no-block start redrabbit.target
  is_told edge-1 slave@1 'this machine has no address 10.0.0.2'
  has_ended edge-1 slave@1 1
  is_told edge-1 scene@0 'which is alive: stop that node first, or give this one a name of its own'
  all_ready || fault "the machine that is meant has lost its nodes"
  on edge-1 systemctl stop redrabbit-{slave@1,gate@1,scene@0}.service
  is_found edge-1 'scene@0 is in the group, and does not run here by this file' 1
  rm "$run/edge-1/root/etc/redrabbit"/{machine,tls/{slave@1,gate@1,scene@0}.{pem,key}}
  all_is_well edge-1
  nobody_was_restarted
  stop_players
}

# With a broken file a machine boots, runs nothing of its own, and says why.
wrong_file_changes_nothing() {
  local file="$run/edge-1/root/etc/redrabbit/topology.toml"
  local what='none of its nodes is started: /etc/redrabbit/topology.toml is refused (redrabbit check /etc/redrabbit/topology.toml)'
  begin_mistake
  remember_starts
  write_topology "$run/topology.toml" 'this is = not = TOML'
  refused 78 'expected' apply_on edge-1 --yes
  write_topology "$run/topology.toml"
  cmp --quiet "$run/topology.toml" "$file" || fault "a wrong file came into force"
  # Somebody has edited it in its place.
  echo 'this is = not = TOML' >> "$file"
  on edge-1 systemctl daemon-reload
  target_says edge-1 "$what"
  is_told edge-1 generator "$what"
  is_found edge-1 'FAIL  topology' 1
  # Nor is anybody restarted by an upgrade that meets it, nor ended by reading it.
  ! on edge-1 /usr/lib/redrabbit/nodes restart > "$run/edge-1/nodes.log" 2>&1 ||
    fault "nodes were restarted though the file is wrong"
  on edge-1 systemctl reload redrabbit-gate@0
  nobody_was_restarted
  newcomers gate@0 || fault "newcomers cannot play beside a wrong file"
  on edge-1 systemctl --no-block reboot
  within 60 "edge-1 boots with a broken file" has_booted_idle edge-1
  target_says edge-1 "$what"
  # Whoever is started all the same ends at once, and is not started again.
  ! on edge-1 systemctl start redrabbit-gate@0 2>/dev/null || fault "gate@0 runs by a wrong file"
  has_ended edge-1 gate@0 78
  put edge-1 "$run/topology.toml" topology.toml
  all_is_well edge-1
}

has_booted_idle() { is_up "$1" && runs_nothing "$1"; }

# It is not started again by itself: that does not help.
certificate_is_missing() {
  begin_mistake
  mv "$run/edge-1/root/etc/redrabbit/tls/gate@0.pem" "$run/hidden.pem"
  ! on edge-1 systemctl restart redrabbit-gate@0 2>/dev/null || fault "gate@0 needs no certificate"
  is_told edge-1 gate@0 'tls/gate@0.pem` cannot be read: No such file or directory'
  has_ended edge-1 gate@0 78
  mv "$run/hidden.pem" "$run/edge-1/root/etc/redrabbit/tls/gate@0.pem"
  all_is_well edge-1
}

# A key that is root's alone: the doctor knows it beforehand.
key_is_not_readable() {
  begin_mistake
  on edge-1 chown root:root /etc/redrabbit/tls/gate@0.key
  is_found edge-1 'FAIL  secrets' 1
  ! on edge-1 systemctl restart redrabbit-gate@0 2>/dev/null || fault "gate@0 reads what is root's"
  is_told edge-1 gate@0 'cannot be read: Permission denied'
  has_ended edge-1 gate@0 78
  on edge-1 chown root:redrabbit /etc/redrabbit/tls/gate@0.key
  is_found edge-1 'redrabbit-gate@0.service has failed, and is not started again' 1
  all_is_well edge-1
  is_found edge-1 'ok    secrets' 0
}

# A new port that somebody else has: apply says so, and with the old one all is well.
port_is_taken() {
  local holder
  begin_mistake
  ip netns exec edge-1 python3 -c 'import signal, socket
held = socket.create_server(("10.0.0.3", 10249))
signal.pause()' &
  holder=$!
  GATE_PORT=10249 write_topology "$run/topology.toml"
  refused 1 'the file is in its place, but systemctl restart redrabbit-gate@0.service failed' \
    apply_on edge-1 --yes
  is_told edge-1 gate@0 'cannot listen on 10.0.0.3:10249: another process listens there'
  has_ended edge-1 gate@0 1
  # It tries again by itself.
  kill "$holder"
  wait "$holder" 2>/dev/null || true
  within 30 "gate@0 has its port" all_ready
  write_topology "$run/topology.toml"
  apply_everywhere
  within 30 "all nodes are ready" all_ready
  newcomers gate@0 || fault "newcomers cannot play"
}

# A master that cannot write down that it was started does not start before there is room.
# Players of the others play on meanwhile.
disk_is_full() {
  local folder=/var/lib/redrabbit
  begin_mistake
  start_players gate@0 gate@1
  fill game-1
  ! on game-1 systemctl restart redrabbit-master@0 2>/dev/null || fault "the master needs no disk"
  is_told game-1 master@0 'cannot be written: No space left on device'
  has_ended game-1 master@0 1
  is_found game-1 'FAIL  state' 1
  on game-1 umount "$folder"
  within 30 "all nodes are ready" all_ready
  stop_players
}

# fill MACHINE: another disk in the place of its state, with no room at all.
fill() {
  local owner
  owner="uid=$(on "$1" id --user redrabbit),gid=$(on "$1" id --group redrabbit)"
  on "$1" mount -t tmpfs -o "size=4k,mode=0750,$owner" none /var/lib/redrabbit
  on "$1" sh -c 'head --bytes=8k /dev/zero > /var/lib/redrabbit/full' 2>/dev/null || true
}
