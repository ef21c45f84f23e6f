#!/bin/sh
# Runs all tests with one Redis and one Postgres around them: `make test`. Says what the Docker suites
# can do on this machine, so that nobody takes silence for success.
set -eu
cd "$(dirname "$0")/.."
export PATH="$HOME/.cargo/bin:$PATH"

say() { printf '%s\n' "$*" >&2; }

# A shell that waits for a command obeys no signal, and one that obeys leaves the command behind.
child=
stop() {
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true
    exit "$1"
}
trap 'stop 130' INT
trap 'stop 143' TERM HUP
step() {
    "$@" &
    child=$!
    wait "$child"
}

if [ -n "${ONCELY_TEST_DOCKER:-}" ]; then
    say "test: ONCELY_TEST_DOCKER=$ONCELY_TEST_DOCKER, as you said"
elif ! command -v docker >/dev/null 2>&1 || ! docker version >/dev/null 2>&1; then
    say "test: !!! no Docker engine answers: THE DOCKER SUITES CANNOT RUN, all others do"
elif step scripts/images.sh; then
    export ONCELY_TEST_DOCKER=required
    say "test: a Docker engine answers: the Docker suites must pass"
else
    say "test: !!! a Docker engine answers and the images can be neither pulled nor built"
    export ONCELY_TEST_DOCKER=required
fi

step cargo test --all-features --no-run
# The test build made this binary too. It replaces this process, so that a signal to it reaches the
# one that cleans up, and with it the whole group of the command that it runs.
runner="${CARGO_TARGET_DIR:-target}/debug/oncely-testkit"
if [ $# -gt 0 ]; then
    exec "$runner" run -- cargo test --all-features "$@"
fi
# The second run: what of the service does not ask for Redis by itself. Suites that choose their variants,
# or start their own process, have met the absent Redis in the first one.
exec "$runner" run -- sh -c '
    first=0
    cargo test --all-features || first=$?
    echo "test: the service suites once more, WITH REDIS ABSENT (ONCELY_TEST_REDIS=absent)" >&2
    ONCELY_TEST_REDIS=absent cargo test --all-features --test it -- http:: faults::pool_exhausted:: \
        faults::poisoned_connections:: faults::postgres_killed:: faults::sessions:: faults::retention:: \
        faults::hang_ups::clients leased:: outbox::enqueue client::app --skip http::contract:: --skip http::timeouts:: || exit $?
    exit "$first"
'
