# Sourced by ./story: machines, which are containers on one network, and what is done
# to them. Everything here is inside namespaces that end with the test.

MACHINES=(game-1 game-2 edge-1)
declare -A ADDRESS=([game-1]=10.0.0.1 [game-2]=10.0.0.2 [edge-1]=10.0.0.3)
HOST_ADDRESS=10.0.0.254

# say_step WORDS...: what is tried now.
say_step() { printf '\033[1m  ->\033[0m %s (%s s)\n' "$*" "$SECONDS"; }

# make_network: a bridge for all, and a network namespace for each machine that stays
# when the machine is restarted.
make_network() {
  mount -t tmpfs tmpfs /run
  ip link set lo up
  ip link add rr0 type bridge
  ip address add "$HOST_ADDRESS/24" dev rr0
  ip link set rr0 up
  local name
  for name in "${MACHINES[@]}"; do
    ip netns add "$name"
    ip link add "v-$name" type veth peer name eth0 netns "$name"
    ip link set "v-$name" master rr0 up
    ip -n "$name" link set lo up
    ip -n "$name" address add "${ADDRESS[$name]}/24" dev eth0
    ip -n "$name" link set eth0 up
  done
}

# make_machine NAME: its files, over those of the base, which stay as they are.
make_machine() {
  local name=$1 files="$run/$1"
  mkdir -p "$files"/{upper,work,root}
  mount -t overlay overlay \
    -o "lowerdir=$base,upperdir=$files/upper,workdir=$files/work" "$files/root"
  echo "$name" > "$files/root/etc/hostname"
  : > "$files/root/etc/machine-id"
  mkdir -p "$files/root/var/log/journal"
}

# start_machine NAME: boots it, and boots it again when it reboots.
start_machine() {
  local name=$1
  (
    enter_control_group "$name"
    status=133
    # With --keep-unit that is how a container asks to be started anew.
    while [ "$status" -eq 133 ]; do
      status=0
      systemd-nspawn --quiet --boot --register=no --keep-unit --console=pipe \
        --machine="$name" --directory="$run/$name/root" --link-journal=no \
        --network-namespace-path="/run/netns/$name" \
        </dev/null >>"$run/$name/console.log" 2>&1 &
      echo $! > "$run/$name/nspawn.pid"
      wait $! || status=$?
    done
  ) &
  within 60 "$name boots" is_up "$name"
}

# A container's groups are made below that of whoever starts it, so each needs its own.
enter_control_group() {
  local top
  for top in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    [ -e "$top/cgroup.procs" ] || continue
    mkdir -p "$top/$group/$1"
    echo "$BASHPID" > "$top/$group/$1/cgroup.procs"
  done
}

# leader NAME: the process that is the machine's first one.
leader() {
  local pid
  pid=$(pgrep --parent "$(cat "$run/$1/nspawn.pid")" | head -n 1)
  [ -n "$pid" ] && echo "$pid"
}

# on NAME COMMAND...: runs it there, as root.
on() {
  local pid
  pid=$(leader "$1") || return 1
  shift
  timeout --kill-after=5s 150s nsenter --target "$pid" --mount --uts --ipc --net --pid \
    --root --wdns=/ env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"
}

# A container is there when its systemd has nothing left to start. What has failed is
# looked at elsewhere.
is_up() {
  case "$(on "$1" systemctl is-system-running 2>/dev/null)" in
    running | degraded) return 0 ;;
    *) return 1 ;;
  esac
}

# cut NAME, mend NAME: its cable.
cut_off() { ip link set "v-$1" nomaster; }
mend() { ip link set "v-$1" master rr0; }

# within SECONDS WORDS COMMAND...: until the command is true, or the test has failed.
within() {
  local seconds=$1 what=$2 end=$((SECONDS + $1))
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || fault "not within $seconds s: $what"
    sleep 0.2
  done
}

# fault WORDS...: the test has failed; what the machines have to say about it.
fault() {
  printf '\033[1;31mfailed:\033[0m %s\n' "$*" >&2
  local name
  for name in "${MACHINES[@]}"; do
    echo "--- $name" >&2
    on "$name" systemctl list-units --all --plain --no-legend 'redrabbit*' >&2 || true
    on "$name" journalctl --no-pager --quiet --lines=25 --unit='redrabbit-*' --output=cat >&2 || true
    tail -n 5 "$run/$name/console.log" >&2 || true
  done
  tail -n 5 "$run"/bots*.log >&2 2>/dev/null || true
  [ -z "${REDRABBIT_DEPLOY_SHELL-}" ] || linger
  exit 1
}

# linger: a shell inside, to look around with `on NAME COMMAND`.
linger() {
  export run
  export -f on leader
  bash -i || true
}
