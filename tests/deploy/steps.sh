# Sourced by ./story: the steps, in their order. Each leaves the group as it found it,
# but for what its name says.

machines_boot() {
  make_network
  dpkg-deb --extract "$package" "$run/package"
  local name
  for name in "${MACHINES[@]}"; do
    make_machine "$name"
    start_machine "$name"
  done
}

package_is_installed() {
  local name state
  for name in "${MACHINES[@]}"; do
    cp "$package" "$run/$name/root/root/redrabbit.deb"
    on "$name" dpkg --install /root/redrabbit.deb > "$run/$name/dpkg.log" 2>&1 ||
      fault "the package is not installed: $(tail -n 3 "$run/$name/dpkg.log")"
    state=$(on "$name" stat --format '%a %U:%G' /etc/redrabbit/topology.toml)
    [ "$state" = "640 root:redrabbit" ] || fault "the configuration is $state"
    on "$name" getent passwd redrabbit >/dev/null || fault "there is no user redrabbit"
    runs_nothing "$name" || fault "something runs though nobody has asked for it"
    on "$name" redrabbit check /etc/redrabbit/topology.toml >/dev/null ||
      fault "the topology that comes with the package is wrong"
  done
}

# What a newcomer does first, on one machine.
default_group_plays() {
  on edge-1 systemctl start redrabbit.target
  within 30 "the group that comes with the package runs" default_is_there
  on edge-1 redrabbit bots --count 10 --duration 1s >/dev/null 2>&1 || fault "nobody can play"
  # Whoever is in the group needs not be root, and nobody else sees anything.
  on edge-1 useradd --groups redrabbit ann
  on edge-1 useradd bob
  on edge-1 su ann -c 'redrabbit nodes' >/dev/null || fault "a member of the group sees nothing"
  ! on edge-1 su bob -c 'redrabbit nodes' >/dev/null 2>&1 || fault "anybody reads the configuration"
  on edge-1 systemctl stop redrabbit.target
  within 30 "nothing runs any more" runs_nothing edge-1
}

default_is_there() {
  local wanted="gate@0 master@0 scene@0"
  [ "$(units_on edge-1)" = "$wanted" ] && [ "$(ready_nodes edge-1)" = "$wanted" ]
}

group_starts() {
  local name node
  write_topology "$run/topology.toml"
  make_authority
  for name in "${MACHINES[@]}"; do
    put "$name" "$run/topology.toml" topology.toml
    put "$name" "$run/secret" secret
    put "$name" "$run/tls/authority.pem" tls/authority.pem
  done
  for node in "${NODES[@]}"; do
    make_certificate "$node"
    put_certificate "$node"
  done
  for name in "${MACHINES[@]}"; do
    on "$name" systemctl daemon-reload
    on "$name" systemctl --quiet enable redrabbit.target
    # Nodes wait for each other, across machines.
    on "$name" systemctl --no-block start redrabbit.target
  done
  within 60 "all nodes are ready" all_ready
  for name in "${MACHINES[@]}"; do
    within 20 "$name runs its own nodes and no others" runs_alone "$name"
  done
}

# A slave that is killed costs its players nothing, and is back by itself.
daemon_is_killed() {
  local before
  start_players gate@0 gate@1
  before=$(start_of slave@1)
  on game-2 systemctl kill --signal=KILL --kill-whom=main "$(unit_of slave@1)"
  within 30 "slave@1 is back" is_new slave@1 "$before"
  within 30 "all nodes are ready" all_ready
  newcomers gate@0 || fault "newcomers cannot play"
  stop_players
}

is_new() { [ "$(start_of "$1")" != "$2" ] && runs_alone "${HOME_OF[$1]}"; }

# The machine of the master and of a slave is away for less than a lease: nobody notices.
master_is_away_shortly() {
  start_players gate@0 gate@1
  cut_off game-1
  newcomers gate@1 || fault "newcomers cannot play while the master is away"
  mend game-1
  within 30 "all nodes are ready" all_ready
  stop_players
}

# It is away for so long that it gives the others up, and they it. They are taken back by
# themselves, and so are their players.
master_is_cut_off() {
  local before
  before=$(start_of master@0)
  MORE=(--reconnect)
  start_players gate@0 gate@1
  cut_off game-1
  within 30 "the master gives the others up" says_ready "master@0 slave@0"
  mend game-1
  within 60 "all nodes are ready again" all_ready
  within 20 "newcomers can play" newcomers gate@0
  [ "$(start_of master@0)" = "$before" ] || fault "the master was restarted"
  stop_players True
  MORE=()
}

says_ready() { [ "$(ready_nodes)" = "$1" ]; }

# The scene's machine is away for longer than a lease, and back within scene_hold: gates
# keep the players, who have lost what was on its way until the scene was given up.
scene_is_cut_off() {
  local most
  start_players gate@0
  cut_off game-2
  within 30 "the master gives game-2's nodes up" says_ready "gate@0 master@0 slave@0"
  mend game-2
  within 60 "all nodes are ready again" all_ready
  within 20 "newcomers can play" newcomers gate@0
  # Three seconds, and as long again for a machine that is busy with other things.
  most=$((BOTS * 5 * 6))
  stop_players "told['reconnects'] == 0 and told['lost'] + told['in_hand'] <= $most"
}

# The scene's machine is rebooted: it drains, its sessions wait at the gates.
machine_reboots() {
  local before
  before=$(start_of scene@0)
  start_players gate@0
  on game-2 systemctl --no-block reboot
  # A machine that goes down gives what does not end 90 seconds before it kills it.
  within 180 "scene@0 runs again" has_rebooted "$before"
  within 60 "all nodes are ready" all_ready
  newcomers gate@1 || fault "newcomers cannot play"
  stop_players 
}

has_rebooted() {
  local now
  now=$(start_of scene@0 2>/dev/null) && [ -n "$now" ] && [ "$now" != "$1" ]
}

# Brokers and the scene under a new version, one machine after the other.
package_is_upgraded() {
  local node
  declare -A before
  make_upgrade
  for node in "${NODES[@]}"; do before[$node]=$(start_of "$node"); done
  start_players gate@0
  for name in game-1 game-2; do
    upgrade "$name"
    within 30 "all nodes are ready" all_ready
  done
  for node in master@0 slave@0 slave@1 scene@0 gate@1; do
    [ "$(start_of "$node")" != "${before[$node]}" ] || fault "$node runs on as it was"
  done
  [ "$(start_of gate@0)" = "${before[gate@0]}" ] || fault "gate@0 was restarted"
  stop_players
}

# Players whose gate drains go to the other one by themselves, and nothing is lost.
gates_are_upgraded_last() {
  local before
  before=$(start_of gate@0)
  : > "$run/edge-1/root/etc/redrabbit/keep-gates"
  upgrade edge-1
  [ "$(start_of gate@0)" = "$before" ] || fault "gate@0 was restarted in spite of keep-gates"
  MORE=(--reconnect)
  start_players gate@0 gate@1
  on edge-1 /usr/lib/redrabbit/nodes restart gate >/dev/null
  [ "$(start_of gate@0)" != "$before" ] || fault "gate@0 runs on as it was"
  within 30 "all nodes are ready" all_ready
  newcomers gate@0 || fault "newcomers cannot play"
  stop_players "told['good'] and told['reconnects'] > 0"
  MORE=()
}

# The same programs under a higher version.
make_upgrade() {
  dpkg-deb --raw-extract "$package" "$run/newer"
  sed -i 's/^Version: .*/&+newer/' "$run/newer/DEBIAN/control"
  dpkg-deb --root-owner-group -Znone --build "$run/newer" "$run/newer.deb" >/dev/null
}

upgrade() {
  cp "$run/newer.deb" "$run/$1/root/root/newer.deb"
  on "$1" dpkg --install /root/newer.deb > "$run/$1/dpkg.log" 2>&1 ||
    fault "the upgrade fails: $(tail -n 3 "$run/$1/dpkg.log")"
  [[ "$(on "$1" dpkg-query --show --showformat '${Version}' redrabbit)" == *+newer ]] ||
    fault "the upgrade has not come"
}

package_is_removed() {
  on edge-1 dpkg --remove redrabbit > "$run/edge-1/dpkg.log" 2>&1 ||
    fault "the package is not removed: $(tail -n 3 "$run/edge-1/dpkg.log")"
  runs_nothing edge-1 || fault "something of a removed package runs"
  [ -e "$run/edge-1/root/etc/redrabbit/topology.toml" ] || fault "a removal took the configuration"
  unset 'HOME_OF[gate@0]'
  within 30 "the others are told" all_ready
  newcomers gate@1 || fault "newcomers cannot play at the other gate"
  on edge-1 dpkg --purge redrabbit > "$run/edge-1/dpkg.log" 2>&1 ||
    fault "the package is not purged: $(tail -n 3 "$run/edge-1/dpkg.log")"
  local path
  for path in /etc/redrabbit /var/lib/redrabbit /usr/lib/redrabbit; do
    [ ! -e "$run/edge-1/root$path" ] || fault "$path is left after a purge"
  done
  on edge-1 getent passwd redrabbit >/dev/null || fault "the user is gone, its files are not"
}
