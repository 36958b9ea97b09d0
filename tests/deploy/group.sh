# Sourced by ./story: the group that the machines are, its file, its certificates, its
# players, and what can be asked of it.

GROUP=trial
PORT=10241
NODES=(master@0 slave@0 slave@1 gate@0 gate@1 scene@0)
declare -A HOME_OF=([master@0]=game-1 [slave@0]=game-1 [scene@0]=game-2 [slave@1]=game-2
  [gate@0]=edge-1 [gate@1]=game-2)

# write_topology FILE [MORE [OF_GATE]]: the group's file, with whatever is to be added to
# it, and to the section of gate@0.
write_topology() {
  cat > "$1" <<TOML
group = "$GROUP"

[master]
machine = "game-1"
listen = "10.0.0.1:$PORT"
http = "127.0.0.1:10341"

[slaves."slave@0"]
machine = "game-1"
listen = "10.0.0.1:10251"

[slaves."slave@1"]
machine = "game-2"
listen = "10.0.0.2:10251"

[gates."gate@0"]
machine = "edge-1"
tcp = "10.0.0.3:${GATE_PORT:-10242}"
${3-}

[gates."gate@1"]
machine = "game-2"
tcp = "10.0.0.2:10242"

[scenes."scene@0"]
machine = "game-2"
script = "/usr/share/redrabbit/examples/chat/main.py"

[security]
secret_file = "secret"
authority = "tls/authority.pem"
certificate = "tls/{name}.pem"
key = "tls/{name}.key"
${2-}
TOML
}

# make_authority: who signs for the group's nodes, and the group's secret.
make_authority() {
  mkdir -p "$run/tls"
  openssl rand -hex 32 > "$run/secret"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj "/CN=authority of $GROUP" -addext basicConstraints=critical,CA:TRUE \
    -addext keyUsage=critical,keyCertSign \
    -keyout "$run/tls/authority.key" -out "$run/tls/authority.pem" 2>/dev/null
}

# make_certificate NODE: what it shows to others; gate@0 is 0.gate.trial there.
make_certificate() {
  local file="$run/tls/$1" role=${1%@*} index=${1#*@}
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
    -keyout "$file.key" -out "$file.csr" 2>/dev/null
  openssl x509 -req -in "$file.csr" -days 2 -out "$file.pem" \
    -CA "$run/tls/authority.pem" -CAkey "$run/tls/authority.key" -CAcreateserial \
    -extfile <(printf '%s\n' "subjectAltName=DNS:$index.$role.$GROUP" \
      extendedKeyUsage=serverAuth,clientAuth basicConstraints=critical,CA:FALSE) 2>/dev/null
}

# put MACHINE FILE PATH: a file of the configuration, which the daemons may read.
put() {
  local into="$run/$1/root/etc/redrabbit/$3"
  mkdir -p "$(dirname "$into")"
  cp "$2" "$into"
  on "$1" chgrp -R redrabbit /etc/redrabbit
  on "$1" chmod -R u=rwX,g=rX,o= /etc/redrabbit
}

# put_certificate NODE: where the node runs, and nowhere else.
put_certificate() {
  local machine=${HOME_OF[$1]} suffix
  for suffix in pem key; do put "$machine" "$run/tls/$1.$suffix" "tls/$1.$suffix"; done
}

unit_of() { echo "redrabbit-$1.service"; }

# units_on MACHINE: the nodes' units that run there, in a line.
units_on() {
  on "$1" systemctl list-units --plain --no-legend --state=active 'redrabbit-*@*.service' |
    awk '{ print $1 }' | sed 's/^redrabbit-//; s/\.service$//' | sort | paste -sd' '
}

# runs_alone MACHINE: that machine's nodes run there, and no others.
runs_alone() {
  local wanted node
  wanted=$(for node in "${!HOME_OF[@]}"; do
    [ "${HOME_OF[$node]}" != "$1" ] || echo "$node"
  done | sort | paste -sd' ')
  [ "$(units_on "$1")" = "$wanted" ]
}

runs_nothing() { [ -z "$(units_on "$1")" ]; }

# ready_nodes [MACHINE]: who is in the group and ready, as its master says, in a line.
ready_nodes() {
  local told
  told=$(on "${1-game-1}" redrabbit nodes --json 2>/dev/null) || return 1
  json 'print(*sorted(n["name"] for n in told["nodes"] if n["state"] == "ready"))' <<< "$told"
}

json() { python3 -c "import json, sys; told = json.load(sys.stdin); $1"; }

# all_ready: everybody who should be in the group is, and nobody else.
all_ready() {
  local wanted
  wanted=$(printf '%s\n' "${!HOME_OF[@]}" | sort | paste -sd' ')
  [ "$(ready_nodes)" = "$wanted" ]
}

# start_of NODE: says another text when the node's unit has been started anew.
start_of() { on "${HOME_OF[$1]}" systemctl show "$(unit_of "$1")" --property=InvocationID --value; }

# start_players GATE...: bots that play until stop_players, at these gates.
start_players() {
  local gates=() gate
  : > "$run/bots.log"
  for gate in "$@"; do gates+=(--tcp "${ADDRESS[${HOME_OF[$gate]}]}:10242"); done
  "$REDRABBIT" bots "${gates[@]}" --count "$BOTS" --rate 5 --duration 3m --wait 20s "${MORE[@]}" \
    --json > "$run/bots.json" 2> "$run/bots.log" &
  players=$!
  within 30 "$BOTS bots are let in" are_connected "$BOTS"
}

BOTS=40
MORE=()
# The package's own command, on this side of the network.
REDRABBIT="$run/package/usr/bin/redrabbit"

are_connected() { awk -v wanted="$1/$1" '$2 == wanted { found = 1 } END { exit !found }' "$run/bots.log"; }

# stop_players [EXPRESSION]: what came of them. Unless the expression says otherwise,
# nothing was lost or repeated, and nobody had to come again.
stop_players() {
  kill -INT "$players"
  wait "$players" || true
  json "$SUMMARY" < "$run/bots.json"
  json "sys.exit(not (told['answered'] > 0 and told['repeated'] == 0 and told['absent'] == 0 and (${1:-$UNNOTICED})))" \
    < "$run/bots.json" || fault "that is not as it should be: $(cat "$run/bots.json")"
}

UNNOTICED="told['good'] and told['reconnects'] == 0"
SUMMARY="print('     %(sent)d sent, %(answered)d answered, %(lost)d lost, %(repeated)d repeated, %(in_hand)d in hand,'
  ' %(reconnects)d came again, longest wait' % told, round(told['latency_ms']['max']), 'ms', told['ends'] or '')"

# newcomers GATE: somebody who comes now can play.
newcomers() {
  "$REDRABBIT" bots --tcp "${ADDRESS[${HOME_OF[$1]}]}:10242" --name new- --count 5 --rate 10 --duration 1s \
    >/dev/null 2>&1
}
