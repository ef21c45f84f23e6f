#!/bin/sh
# The entrypoint of the Postgres image that scripts/images.sh builds where no registry answers: the
# part of the official image's contract that tests use, which is POSTGRES_USER, POSTGRES_PASSWORD
# and POSTGRES_DB, and arguments for the server.
set -eu

user=${POSTGRES_USER:-postgres}
password=${POSTGRES_PASSWORD:-}
database=${POSTGRES_DB:-$user}
data=${PGDATA:-/var/lib/postgresql/data}
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$data" /var/run/postgresql
    chown postgres:postgres "$data" /var/run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

if [ ! -s "$data/PG_VERSION" ]; then
    method=trust
    if [ -n "$password" ]; then
        method=scram-sha-256
        secret=$(mktemp)
        printf '%s\n' "$password" >"$secret"
        "$bin/initdb" -D "$data" -U "$user" -A $method --pwfile="$secret" \
            -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
        rm -f "$secret"
    else
        "$bin/initdb" -D "$data" -U "$user" -A $method \
            -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
    fi
    echo "host all all all $method" >>"$data/pg_hba.conf"
    if [ "$database" != postgres ]; then
        printf 'CREATE DATABASE "%s"\n' "$database" |
            "$bin/postgres" --single -D "$data" postgres >/dev/null
    fi
fi

# Both `postgres -c …` and `-c …` are welcome, as in the official image.
if [ "${1:-}" = postgres ]; then shift; fi
exec "$bin/postgres" -D "$data" -c listen_addresses='*' -k /var/run/postgresql "$@"
