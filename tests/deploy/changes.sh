# Sourced by ./story: steps in which the group's files are changed while players are on.
# Each leaves the group as it found it, but for what its name says.

# apply_on MACHINE [OPTION...]: the group's file as it is now comes into force there. What
# is said is in apply.log, how it ended is what this ends with.
apply_on() {
  local name=$1
  shift
  cp "$run/topology.toml" "$run/$name/root/root/topology.toml"
  on "$name" redrabbit apply "$@" /root/topology.toml > "$run/$name/apply.log" 2>&1
}

apply_everywhere() {
  local name
  for name in "${MACHINES[@]}"; do
    apply_on "$name" --yes || fault "apply on $name: $(cat "$run/$name/apply.log")"
  done
}

# remember_starts, nobody_was_restarted [BUT NODE...]: between the two, nobody was.
declare -A STARTS
remember_starts() {
  local node
  for node in "${NODES[@]}"; do STARTS[$node]=$(start_of "$node"); done
}

nobody_was_restarted() {
  local node
  for node in "${NODES[@]}"; do
    [[ " $* " != *" $node "* ]] || continue
    [ "$(start_of "$node")" = "${STARTS[$node]}" ] || fault "$node was restarted"
  done
  for node in "$@"; do
    [ "$(start_of "$node")" != "${STARTS[$node]}" ] || fault "$node was not restarted"
  done
}

# everywhere_in_force MORE: with players, and nobody of the others restarted.
everywhere_in_force() {
  local name
  remember_starts
  start_players gate@0 gate@1
  write_topology "$run/topology.toml" "$1"
  apply_everywhere
  within 30 "all nodes are ready, and no others" all_ready
  for name in "${MACHINES[@]}"; do
    within 20 "$name runs its own nodes and no others" runs_alone "$name"
  done
  nobody_was_restarted
  stop_players
}

# The same file comes into force on all: the new node runs, the others run on.
slave_is_added() {
  HOME_OF[slave@2]=edge-1
  make_certificate slave@2
  put_certificate slave@2
  everywhere_in_force '
[slaves."slave@2"]
machine = "edge-1"
listen = "10.0.0.3:10251"'
}

# And without it again: it is drained and stopped, the others run on.
slave_is_taken_out() {
  unset 'HOME_OF[slave@2]'
  everywhere_in_force ''
}

# What is live is in force without anybody's restart: what is logged, and what a client
# may send.
limits_change_live() {
  local most=20 sent
  everywhere_in_force "
[limits]
frames_per_second = $most
frame_burst = $most
[log]
level = \"debug\""
  has_debug edge-1 gate@0 || fault "gate@0 logs as before"
  # A gate reads its clients more slowly, then.
  "$REDRABBIT" bots --tcp "${ADDRESS[edge-1]}:10242" --count 1 --in-flight 16 --duration 3s \
    --json > "$run/bots.json" 2>/dev/null || fault "a fast client was turned away"
  sent=$(json "print(told['sent'])" < "$run/bots.json")
  [ "$sent" -le $((5 * most)) ] || fault "a client that may send $most a second has sent $sent"
  everywhere_in_force ''
}

has_debug() { on "$1" journalctl --quiet --unit "$(unit_of "$2")" --grep ' DEBUG ' --lines=1 >/dev/null; }

# Who has to be restarted is named first, by name, and nothing is touched until somebody
# has agreed to it.
restarts_are_named_first() {
  local status=0 before="$run/edge-1/root/etc/redrabbit/topology.toml"
  remember_starts
  write_topology "$run/topology.toml" '' 'http = "127.0.0.1:10342"'
  cp "$run/topology.toml" "$run/edge-1/root/root/topology.toml"
  on edge-1 redrabbit diff /root/topology.toml > "$run/diff.log" || status=$?
  [ "$status" -eq 1 ] && grep -q '^Restarted: gate@0\.$' "$run/diff.log" ||
    fault "diff ends with $status: $(cat "$run/diff.log")"
  refused 64 'say --yes' apply_on edge-1
  ! cmp --quiet "$run/topology.toml" "$before" || fault "the file came into force all the same"
  nobody_was_restarted
  apply_everywhere
  nobody_was_restarted gate@0
  within 30 "all nodes are ready" all_ready
  on edge-1 curl --silent --fail --output /dev/null http://127.0.0.1:10342/readyz ||
    fault "gate@0 does not say that it is ready"
  write_topology "$run/topology.toml"
  apply_everywhere
  within 30 "all nodes are ready" all_ready
}

# refused CODE WORDS apply_on MACHINE...: it ends so and says so.
refused() {
  local code=$1 words=$2 status=0
  shift 2
  "$@" || status=$?
  [ "$status" -eq "$code" ] || fault "apply ends with $status, not $code: $(cat "$run/$2/apply.log")"
  grep --quiet --fixed-strings -- "$words" "$run/$2/apply.log" ||
    fault "apply does not say '$words': $(cat "$run/$2/apply.log")"
}

# A new secret and new certificates are taken by those who run, and by those who come.
secrets_change_live() {
  local name node serial
  remember_starts
  start_players gate@0 gate@1
  cp "$run/secret" "$run/secret.old"
  openssl rand -hex 32 > "$run/secret"
  for node in "${NODES[@]}"; do
    make_certificate "$node"
    put_certificate "$node"
  done
  for name in "${MACHINES[@]}"; do
    put "$name" "$run/secret" secret
    on "$name" systemctl reload 'redrabbit-*@*.service'
  done
  serial=$(serial_of < "$run/tls/master@0.pem")
  within 20 "the master shows its new certificate" shows_serial "$serial"
  # It joins with the new secret.
  on game-2 systemctl restart "$(unit_of slave@1)"
  within 30 "all nodes are ready" all_ready
  nobody_was_restarted slave@1
  # Machines need not be told in the same moment; but nobody else's is taken.
  asks_with game-2 "$run/secret.old" || fault "the secret before is refused at once: $(cat "$run/nodes.log")"
  openssl rand -hex 32 > "$run/secret.wrong"
  ! asks_with game-2 "$run/secret.wrong" || fault "any secret is taken"
  in_guide 'refuses the secret'
  says_all "$run/nodes.log" 'refuses the secret'
  # One that has leaked is locked out by another change, for whose hour it does not count.
  openssl rand -hex 32 > "$run/secret"
  for name in "${MACHINES[@]}"; do
    put "$name" "$run/secret" secret
    on "$name" systemctl reload 'redrabbit-*@*.service'
  done
  within 20 "the leaked secret is refused" is_locked_out "$run/secret.old"
  all_ready || fault "a change of the secret has put somebody out"
  nobody_was_restarted slave@1
  stop_players
}

is_locked_out() { ! asks_with game-2 "$1"; }

# asks_with MACHINE FILE: whether the secret in it is good enough to see the directory.
asks_with() {
  put "$1" "$2" tried
  on "$1" redrabbit nodes --set security.secret_file=/etc/redrabbit/tried > "$run/nodes.log" 2>&1
}

serial_of() { openssl x509 -noout -serial; }

shows_serial() {
  local shown
  shown=$(openssl s_client -connect "${ADDRESS[game-1]}:$PORT" -alpn h2 </dev/null 2>/dev/null | serial_of)
  [ "$shown" = "$1" ]
}
