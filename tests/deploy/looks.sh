# Sourced by ./story: what an operator asks a machine, and what it says, while all is well
# and when something is not. Nothing is changed by asking.

# findings MACHINE: what the doctor says there, in a line each: status, check, text.
findings() {
  on "$1" redrabbit doctor --json > "$run/$1/doctor.json" || [ $? -eq 1 ]
  json 'print(*("%(status)s %(check)s %(text)s" % found for found in told), sep="\n")' < "$run/$1/doctor.json"
}

# is_found MACHINE WORDS CODE: the doctor says so there, and ends with this.
is_found() {
  local status=0
  on "$1" redrabbit doctor > "$run/$1/doctor.log" || status=$?
  says_all "$run/$1/doctor.log" "$2"
  [ "$status" -eq "$3" ] || fault "the doctor ends with $status, not $3: $(cat "$run/$1/doctor.log")"
}

# A machine on which all is well has nothing that fails, and says so; one whose node is
# stopped is told which, and what to do.
doctor_looks() {
  local name
  for name in "${MACHINES[@]}"; do
    findings "$name" > "$run/$name/findings"
    # Containers have no clock of their own to be set, and certificates of the test are
    # good for two days.
    ! grep -vE '^(ok |warn (clock|certificates) )' "$run/$name/findings" ||
      fault "the doctor finds fault with $name"
    is_found "$name" 'ok    units' 0
    is_found "$name" 'it answers: 6 nodes in the group' 0
  done
  on edge-1 systemctl stop redrabbit-gate@0
  is_found edge-1 'warn  units         redrabbit-gate@0.service does not run' 0
  is_found edge-1 'systemctl start redrabbit.target' 0
  on edge-1 systemctl start redrabbit-gate@0
  within 30 "all nodes are ready" all_ready
  is_found edge-1 'ok    units' 0
  # What is no matter of taste ends it with 1.
  on edge-1 chmod o+r /etc/redrabbit/secret
  is_found edge-1 'FAIL  secrets' 1
  is_found edge-1 'chmod o= ' 1
  on edge-1 chmod o= /etc/redrabbit/secret
  is_found edge-1 'ok    secrets' 0
}

# What nodes have logged is found by their names, in words and as JSON.
logs_are_read() {
  local name log="$run/logs.log"
  on edge-1 redrabbit logs --node gate@0 --lines 3 > "$log" || fault "no logs: $(cat "$log")"
  [ "$(wc -l < "$log")" -eq 3 ] || fault "those are not 3 lines of gate@0: $(cat "$log")"
  ! grep -v ' gate@0 ' "$log" || fault "there are lines of others"
  says_all "$log" ready
  on game-2 redrabbit logs --json > "$log" || fault "no logs on game-2: $(tail -n 2 "$log")"
  tail -n 1 "$log" | json 'assert {"time", "machine", "node", "level", "target", "message", "fields"} == set(told), told
assert told["machine"] == "game-2" and told["level"] and told["time"], told' || fault "that is no line of a log"
  json_lines 'print(*sorted({line["node"] for line in told if line["node"]}))' < "$log" > "$run/nodes.log" ||
    fault "those are no lines of JSON: $(head -n 3 "$log")"
  [ "$(cat "$run/nodes.log")" = "gate@1 scene@0 slave@1" ] || fault "game-2 has logs of $(cat "$run/nodes.log")"
  # Of both machines, in the order of time; those of one machine stay as they are in its
  # journal, which has had some of them a moment later than others.
  on edge-1 redrabbit logs --json > "$run/edge.log" || fault "no logs on edge-1"
  "$REDRABBIT" logs --json "$log" "$run/edge.log" | json_lines '
from datetime import datetime
times = [datetime.fromisoformat(line["time"]).timestamp() for line in told if line["time"]]
assert all(later > earlier - 0.5 for earlier, later in zip(times, times[1:])), times
assert {line["machine"] for line in told} == {"game-2", "edge-1"}, told' ||
    fault "logs of two machines are not merged"
}

json_lines() { python3 -c "import json, sys; told = [json.loads(line) for line in sys.stdin]; $1"; }

# Nodes are listed, and called with the operator's certificate.
nodes_are_asked() {
  local status=0 log="$run/call.log"
  on game-1 redrabbit nodes --json | json 'assert {n["name"]: n["state"] for n in told["nodes"]}["gate@0"] == "ready", told' ||
    fault "gate@0 is not listed"
  on game-1 redrabbit call scene@0 200 > "$log" 2>&1 || status=$?
  [ "$status" -eq 1 ] || fault "a call without a certificate ends with $status: $(cat "$log")"
  make_certificate operator@0
  put game-1 "$run/tls/operator@0.pem" tls/operator@0.pem
  put game-1 "$run/tls/operator@0.key" tls/operator@0.key
  status=0
  on game-1 redrabbit call scene@0 200 > "$log" 2>&1 || status=$?
  # It is reached; the script of the chat offers nothing.
  [ "$status" -eq 76 ] || fault "a call ends with $status: $(cat "$log")"
  status=0
  on game-1 redrabbit call scene@7 200 > "$log" 2>&1 || status=$?
  [ "$status" -eq 68 ] || fault "a call of nobody ends with $status: $(cat "$log")"
}

# What all nodes do is seen from any machine.
top_is_shown() {
  on edge-1 redrabbit top --count 1 > "$run/top.log" || fault "top ends with $?"
  says_all "$run/top.log" gate@0 gate@1 master@0 scene@0 slave@0 slave@1 ready
  on edge-1 redrabbit top --json --count 2 > "$run/top.json" || fault "top --json ends with $?"
  json_lines 'assert len(told) == 2 and told[0]["now_ms"] < told[1]["now_ms"], told
scene = [node for node in told[1]["nodes"] if node["name"] == "scene@0"][0]
assert scene["state"] == "ready" and scene["memory_bytes"] > 0 and scene["script"]["version"] == 1, scene
assert not any(alarm["severity"] == "critical" for alarm in told[1]["alarms"]), told[1]["alarms"]' \
    < "$run/top.json" || fault "top does not have the group"
}

# Whoever is root on the master's machine opens the console, and nobody without its token.
console_is_opened() {
  local url status
  url=$(on game-1 redrabbit console --json | json 'print(told["url"])') || fault "there is no console"
  [ "$(page_of "$url")" = 200 ] || fault "the console does not open: $(page_of "$url")"
  [ "$(page_of "${url%%token=*}")" = 401 ] || fault "the console opens without a token"
  on game-1 curl --silent --header "Authorization: Bearer ${url##*token=}" \
    http://127.0.0.1:10341/console/state > "$run/state.json"
  json 'assert {node["name"]: node["state"] for node in told["nodes"]}["gate@1"] == "ready", told' \
    < "$run/state.json" || fault "the console does not have the group"
  status=0
  on edge-1 redrabbit console > "$run/console.log" 2>&1 || status=$?
  [ "$status" -eq 1 ] || fault "another machine's console ends with $status"
  says_all "$run/console.log" 'Run this on the machine of the master, which is game-1'
}

# page_of URL: what it is answered with, once the way that it points to was gone.
page_of() {
  on game-1 curl --silent --location --cookie-jar /dev/null --output /dev/null \
    --write-out '%{http_code}' "$1"
}
