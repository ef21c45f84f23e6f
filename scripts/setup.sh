#!/bin/sh
# Installs what `make dev` and `make test` need and this machine lacks: a C compiler and make, Rust, curl,
# redis-server and Postgres. It is quick where nothing is missing, and leaves no service running
# that was not running before. Debian, Ubuntu and macOS; elsewhere it says what to install.
set -eu

say() { printf 'setup: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

has_postgres() {
    has postgres && has initdb && return 0
    for bin in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin \
        /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin; do
        [ -x "$bin/postgres" ] && [ -x "$bin/initdb" ] && return 0
    done
    return 1
}

has_redis() {
    has redis-server || [ -x /opt/homebrew/opt/redis/bin/redis-server ] ||
        [ -x /usr/local/opt/redis/bin/redis-server ]
}

# What is missing, as Debian calls it.
missing=
has_redis || missing="$missing redis-server"
has_postgres || missing="$missing postgresql"
has psql || missing="$missing postgresql-client"
has curl || missing="$missing curl"
has cc || missing="$missing gcc libc6-dev"
has make || missing="$missing make"

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        fail "installing needs root: run as root or install sudo, or run: apt-get install$missing"
    fi
}

policy=/usr/sbin/policy-rc.d
cluster_conf=/etc/postgresql-common/createcluster.conf
made_policy=
made_conf=

# Debian starts each service that it installs, and creates a cluster for Postgres. A policy that
# says no prevents the first, a line of configuration the second; both are taken back.
quiet_services() {
    if [ ! -e "$policy" ]; then
        made_policy=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    if [ ! -e "$cluster_conf" ]; then
        made_conf=yes
        as_root mkdir -p "${cluster_conf%/*}"
        echo 'create_main_cluster = false' | as_root tee "$cluster_conf" >/dev/null
    fi
}

unquiet_services() {
    [ -z "$made_policy" ] || as_root rm -f "$policy"
    if [ -n "$made_conf" ]; then
        # The package's own file was put beside ours.
        as_root rm -f "$cluster_conf"
        for own in "$cluster_conf.ucf-dist" "$cluster_conf.dpkg-dist"; do
            [ ! -e "$own" ] || as_root mv "$own" "$cluster_conf"
        done
    fi
    made_policy=
    made_conf=
}

install_debian() {
    say "installing$missing (apt-get)"
    trap unquiet_services EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    quiet_services
    as_root apt-get update -q >&2 ||
        say "apt-get update failed; trying with the package lists that are there"
    # shellcheck disable=SC2086 # A list of packages.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
        $missing >&2 || fail "apt-get failed; install by hand:$missing"
    unquiet_services
    trap - EXIT INT TERM HUP
    case $missing in
        *redis-server*)
            # Nor must it run from the next boot on. In a container there is no systemd to tell.
            ! has systemctl || as_root systemctl disable -q redis-server >/dev/null 2>&1 || true
            ;;
    esac
}

install_macos() {
    has cc || fail "a C compiler is missing; install it: xcode-select --install"
    has brew || fail "Homebrew is missing; see https://brew.sh, then run this again"
    has_redis || brew install redis >&2 || fail "brew install redis failed"
    has_postgres || brew install postgresql@17 >&2 || fail "brew install postgresql@17 failed"
}

if [ -n "$missing" ]; then
    if [ "$(uname)" = Darwin ]; then
        install_macos
    elif has apt-get; then
        install_debian
    else
        fail "this is neither Debian nor macOS; install these by hand:$missing"
    fi
    has_redis || fail "redis-server is still missing; install it by hand"
    has_postgres || fail "Postgres is still missing; install it by hand"
fi

# rustup reads rust-toolchain.toml and brings the toolchain that it names.
if ! has cargo && [ -x "$HOME/.cargo/bin/cargo" ]; then
    fail "cargo is not in PATH; run: . \"$HOME/.cargo/env\""
fi
if ! has cargo; then
    rustup="curl --proto =https --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal"
    if [ -z "${CI:-}" ]; then
        fail "cargo is missing; install Rust: $rustup"
    fi
    say "installing Rust (rustup)"
    has curl || {
        missing=" curl ca-certificates"
        install_debian
    }
    sh -c "$rustup" >&2 || fail "rustup failed"
    say "cargo is in $HOME/.cargo/bin"
fi
