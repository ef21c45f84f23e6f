# The warden of one local server; see src/servers/mod.rs for why it exists.
#
# usage: sh -c 'eval "$ONCELY_SCRIPT"' oncely-warden <base directory> <name> <stop signal> <end signal> <at the end: keep|remove>
#
# It makes a directory and prints its path, then obeys orders, one a line, and answers each by one
# line. `run` and `start` are followed by the number of arguments and the arguments, one a line.
# When the orders end, it stops the server and removes the directory.

set -u
unset ONCELY_SCRIPT
umask 077
# PIPE too: our owner may be gone when we answer, and then the work begins.
trap '' HUP INT QUIT TERM PIPE

base=$1 name=$2 stop_signal=$3 end_signal=$4 at_the_end=$5
server=

dir=$(mktemp -d "${base%/}/oncely-$name.XXXXXX") || {
    echo "error cannot make a directory in $base"
    exit 1
}
exec 2>"$dir/warden.log"
cd "$dir" || exit 1
echo "$dir"

# Whether a process lives. A zombie does not: it has only not been buried yet.
lives() {
    if [ -r /proc/self/stat ]; then
        read -r line 2>/dev/null <"/proc/$1/stat" || return 1
        case ${line##*) } in [ZX]*) return 1 ;; esac
    else
        case $(ps -o stat= -p "$1") in '' | Z*) return 1 ;; esac
    fi
}

# The server and its children. Postgres puts each child into a session of its own, so a signal to
# the process group would miss them.
family() {
    if [ -r "/proc/$server/task/$server/children" ]; then
        echo "$server $(cat "/proc/$server/task/$server/children")"
    else
        ps -A -o pid= -o ppid= | while read -r pid parent; do
            if [ "$pid" = "$server" ] || [ "$parent" = "$server" ]; then echo "$pid"; fi
        done
    fi
}

# Sends a signal to processes of which some may be gone already.
signal() {
    kind=$1
    shift
    for pid in "$@"; do kill "-$kind" "$pid" 2>/dev/null; done
    return 0
}

kill_all() {
    [ -n "$server" ] || return 0
    signal STOP "$server" # It must not give birth while its children are counted.
    members=$(family)
    # shellcheck disable=SC2086 # A list of numbers.
    signal KILL "$server" $members
    wait "$server" 2>/dev/null
    for member in $members; do
        while lives "$member"; do sleep 0.01; done
    done
    server=
}

# Asks the server to end, waits at most `$2` tenths of a second, and then kills it.
end_server() {
    [ -n "$server" ] || return 0
    # shellcheck disable=SC2046 # A list of numbers.
    signal CONT $(family)
    signal "$1" "$server"
    tries=0
    while lives "$server" && [ "$tries" -lt $(($2 * 5)) ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
    kill_all
}

# A killed Postgres leaves a System V segment behind, whose number it wrote down.
free_shared_memory() {
    [ -f data/postmaster.pid ] || return 0
    segment=$(sed -n 7p data/postmaster.pid)
    segment=${segment##* }
    [ -z "$segment" ] || ipcrm -m "$segment"
}

# Reads the arguments of an order into quoted words.
arguments() {
    words=
    count=$1
    while [ "$count" -gt 0 ] && IFS= read -r word; do
        case $word in
            *\'*) word=$(printf '%s\n' "$word" | sed "s/'/'\\\\''/g") ;;
        esac
        words="$words '$word'"
        count=$((count - 1))
    done
}

while read -r order count; do
    case $order in
        run)
            arguments "$count"
            eval "$words" </dev/null >>run.log 2>&1
            echo "done $?"
            ;;
        start)
            arguments "$count"
            (
                trap - HUP INT QUIT TERM PIPE
                eval "exec $words"
            ) </dev/null >>server.log 2>&1 &
            server=$!
            echo "pid $server"
            ;;
        alive) if [ -n "$server" ] && lives "$server"; then echo yes; else echo no; fi ;;
        pause)
            if [ -n "$server" ]; then
                signal STOP "$server" # First, so that no child is missed.
                # shellcheck disable=SC2046 # A list of numbers.
                signal STOP $(family)
            fi
            echo ok
            ;;
        resume)
            # shellcheck disable=SC2046 # A list of numbers.
            [ -z "$server" ] || signal CONT $(family)
            echo ok
            ;;
        kill)
            kill_all
            echo ok
            ;;
        stop)
            end_server "$stop_signal" 100
            echo ok
            ;;
        *) echo "error no such order" ;;
    esac
done

if [ "$at_the_end" = keep ]; then
    end_server "$stop_signal" 100
else
    end_server "$end_signal" 30
    free_shared_memory
    cd /
    rm -rf "$dir"
fi
