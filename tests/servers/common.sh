# Sourced by the scripts beside it.

# The name, the password and the database that tests use.
NAME=redrabbit
PASSWORD=Down_the_hole_7

die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# free_port: a port that nobody listens on.
free_port() {
  /usr/bin/python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# unprivileged COMMAND...: runs it, as nobody if we are root, whom neither server
# takes. The process stays the same one, so that whoever started it can stop it.
unprivileged() {
  if [ "$(id -u)" -eq 0 ]; then
    exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"
  fi
  exec "$@"
}

# own FOLDER: makes it, for whom the server runs as.
own() {
  mkdir -p "$1"
  if [ "$(id -u)" -eq 0 ]; then
    chown nobody:nogroup "$1"
  fi
}
