# Sourced by ./deploy/demo and ./tests/run: installs Debian packages that are
# missing, and says so. Nothing happens when all of them are there.

# say WORDS...: one line to the person who waits.
say() { printf '\033[1m==>\033[0m %s\n' "$*"; }

# fail WORDS...: says what is wrong and what to do, and ends.
fail() { printf '\033[1;31merror:\033[0m %s\n' "$*" >&2; exit 1; }

# need_packages NAME...: after it, the packages are installed.
need_packages() {
  local missing=() name
  for name in "$@"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  command -v apt-get >/dev/null ||
    fail "these packages are missing and there is no apt-get to install them: ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      fail "run this as root, or install sudo, or install these packages yourself: ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing with apt: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# need_rust: after it, cargo is there.
need_rust() {
  command -v cargo >/dev/null && return 0
  [ -x "$HOME/.cargo/bin/cargo" ] && { PATH="$HOME/.cargo/bin:$PATH"; return 0; }
  fail "there is no cargo: install a Rust toolchain with rustup first"
}
