#!/bin/sh
# Installs what `make dev` and `make test` need and this machine lacks: a C compiler and make, Rust, curl,
# ps, redis-server, Postgres, psql and Prometheus, which the drills of the runbook ask. It is quick where nothing is missing, and leaves no service
# running that was not running before. Debian, Ubuntu and macOS; elsewhere it says what to install.
set -eu

# Rust goes here; what the Makefile runs looks here first too.
export PATH="$HOME/.cargo/bin:$PATH"

say() { printf 'setup: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# Prints the folder of the Postgres that Oncely would start: the one in PATH, else the newest.
postgres_bin() {
    if has postgres && has initdb; then
        dirname "$(command -v postgres)"
        return 0
    fi
    newest=0 found=
    for bin in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin \
        /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin; do
        [ -x "$bin/postgres" ] && [ -x "$bin/initdb" ] || continue
        major=$(postgres_version "$bin/postgres")
        major=${major%%.*}
        [ "${major:-0}" -le "$newest" ] || newest=$major found=$bin
    done
    [ -n "$found" ] && printf '%s\n' "$found"
}

# Prints the redis-server that Oncely would start.
redis_server() {
    command -v redis-server && return 0
    for bin in /opt/homebrew/opt/redis/bin /usr/local/opt/redis/bin; do
        [ -x "$bin/redis-server" ] && printf '%s\n' "$bin/redis-server" && return 0
    done
    return 1
}

postgres_version() { "$1" --version | sed -n 's/^postgres (PostgreSQL) \([0-9.]*\).*/\1/p'; }
redis_version() { "$1" --version | sed -n 's/.* v=\([0-9.]*\).*/\1/p'; }

has_redis() { redis_server >/dev/null; }
has_prometheus() { has prometheus && has promtool; }
has_postgres() { postgres_bin >/dev/null; }
# Homebrew does not link a versioned Postgres into PATH; its psql is beside it.
has_psql() { has psql || { has_postgres && [ -x "$(postgres_bin)/psql" ]; }; }

# rustup's cargo brings what rust-toolchain.toml names; another one, such as Debian's, must be new
# enough by itself.
has_cargo() {
    has cargo || return 1
    [ ! -x "$(dirname "$(command -v cargo)")/rustup" ] || return 0
    minor=$(cargo --version | sed -n 's/^cargo 1\.\([0-9]*\).*/\1/p')
    [ "${minor:-0}" -ge 94 ]
}

# Sets `missing` to what is missing, as Debian calls it.
look() {
    missing=
    has_redis || missing="$missing redis-server"
    has_postgres || missing="$missing postgresql"
    has_psql || missing="$missing postgresql-client"
    has_prometheus || missing="$missing prometheus"
    has curl || missing="$missing curl"
    # Elsewhere the certificates have other places, and come with curl.
    ! has apt-get || [ -e /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"
    has ps || missing="$missing procps"
    has cc || missing="$missing gcc libc6-dev"
    has make || missing="$missing make"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
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
    [ "$(id -u)" = 0 ] || has sudo ||
        fail "installing needs root: run as root or install sudo, or run: apt-get install$missing"
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
    # Nor must they run from the next boot on. In a container there is no systemd to tell.
    for service in redis-server prometheus; do
        case $missing in
            *$service*)
                ! has systemctl || as_root systemctl disable -q "$service" >/dev/null 2>&1 || true
                ;;
        esac
    done
}

install_macos() {
    # They come together with make.
    has cc || fail "a C compiler is missing; install it: xcode-select --install"
    has brew || fail "Homebrew is missing; see https://brew.sh, then run this again"
    formulas=
    has_redis || formulas="$formulas redis"
    # It brings psql.
    has_postgres && has_psql || formulas="$formulas postgresql@17"
    has_prometheus || formulas="$formulas prometheus"
    has curl || formulas="$formulas curl"
    if [ -n "$formulas" ]; then
        say "installing$formulas (brew)"
        # shellcheck disable=SC2086 # A list of formulas.
        brew install $formulas >&2 || fail "brew failed; install by hand:$formulas"
    fi
}

install_rust() {
    say "installing Rust with rustup (https://rustup.rs) into $HOME/.cargo and $HOME/.rustup"
    installer=$(curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs) ||
        fail "https://sh.rustup.rs cannot be fetched; install Rust by hand, then run this again"
    printf '%s\n' "$installer" | sh -s -- -y --profile minimal >&2 || fail "rustup failed"
    hash -r # The shell remembers where the old cargo was.
    has_cargo || fail "rustup ran, and there is still no cargo of its own in $HOME/.cargo/bin"
    say "cargo is in $HOME/.cargo/bin: make looks there, and a new shell has it in PATH"
}

# check_version <what was found> <its version> <major needed> <why> <where newer packages are>
check_version() {
    major=${2%%.*}
    [ "${major:-0}" -ge "${3%%.*}" ] ||
        fail "found $1 ${2:-of an unknown version}, and Oncely needs $3 for $4;" \
            "on Ubuntu 22.04 and Debian 11 install it from $5"
}

look
if [ -n "$missing" ]; then
    if [ "$(uname)" = Darwin ]; then
        install_macos
    elif has apt-get; then
        install_debian
    else
        fail "this is neither Debian nor macOS; install these by hand:$missing"
    fi
    look
    [ -z "$missing" ] || fail "still missing after installing; install by hand:$missing"
fi

has_cargo || install_rust

redis=$(redis_server)
postgres=$(postgres_bin)/postgres
check_version "$redis" "$(redis_version "$redis")" 7.0 "SET with NX and GET" https://packages.redis.io
check_version "$postgres" "$(postgres_version "$postgres")" 14 "client_connection_check_interval" \
    https://apt.postgresql.org
