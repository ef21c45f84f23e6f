#!/bin/sh
# Provides the images that the Docker suites use, redis:7 and postgres:15: pulled where a registry
# answers, else built from Debian's packages. What is there already is left alone.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
redis_image=${ONCELY_TEST_REDIS_IMAGE:-redis:7}
postgres_image=${ONCELY_TEST_POSTGRES_IMAGE:-postgres:15}
suite=bookworm # The release whose packages are Redis 7 and Postgres 15.

say() { printf 'images: %s\n' "$*" >&2; }

if ! docker version --format '{{.Server.Version}}' >/dev/null 2>&1; then
    say "no Docker engine answers, nothing to do"
    exit 0
fi

work=
finish() { [ -z "$work" ] || rm -rf "$work"; }
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

need_mmdebstrap() {
    command -v mmdebstrap >/dev/null && return 0
    if command -v apt-get >/dev/null; then
        say "installing mmdebstrap"
        as_root=
        [ "$(id -u)" = 0 ] || as_root=sudo
        $as_root apt-get update -q >&2
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -q -y --no-install-recommends mmdebstrap >&2
        return 0
    fi
    say "$1 can be neither pulled nor built: mmdebstrap was not found. Fix: docker pull $1"
    exit 1
}

# provide <image> <package> <customize hook> <docker import change>...
provide() {
    image=$1 package=$2 hook=$3
    shift 3
    if docker image inspect "$image" >/dev/null 2>&1; then
        say "$image is there"
        return 0
    fi
    # A registry that does not answer must not hold us up for long; one that does may be slow.
    if within 20 docker manifest inspect "$image" >/dev/null 2>&1 &&
        within 600 docker pull -q "$image" >/dev/null; then
        say "$image was pulled"
        return 0
    fi
    need_mmdebstrap "$image"
    say "$image cannot be pulled: building it from Debian's $package"
    [ -n "$work" ] || work=$(mktemp -d "${TMPDIR:-/tmp}/oncely-images.XXXXXX")
    # mmdebstrap may run as another user inside of a namespace.
    chmod 755 "$work"
    mmdebstrap --quiet --variant=minbase --include="$package" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --essential-hook='mkdir -p "$1/etc/postgresql-common" && echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"' \
        --customize-hook="$hook" "$suite" "$work/$package.tar" >&2
    docker import "$@" "$work/$package.tar" "$image" >/dev/null
    rm -f "$work/$package.tar"
    say "$image was built"
}

# within <seconds> <command>...
within() {
    if command -v timeout >/dev/null; then timeout "$@"; else shift && "$@"; fi
}

provide "$redis_image" redis-server 'mkdir -p "$1/data"' \
    -c 'WORKDIR /data' -c 'EXPOSE 6379' \
    -c 'CMD ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"]'

provide "$postgres_image" postgresql-15 \
    "install -D -m 755 '$here/images/postgres-entrypoint.sh' \"\$1/usr/local/bin/entrypoint.sh\"" \
    -c 'EXPOSE 5432' \
    -c 'ENTRYPOINT ["/usr/local/bin/entrypoint.sh"]'
