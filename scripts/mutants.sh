#!/bin/sh
# Breaks the code on purpose, one patch of tests/mutants at a time, and demands that the test which the
# patch names turns red. Works on a copy; a mutant that survives, or no longer applies, is a failure.
set -eu
cd "$(dirname "$0")/.."
export PATH="$HOME/.cargo/bin:$PATH"
root=$PWD
export CARGO_TARGET_DIR="$root/target/mutants/build"
copy="$root/target/mutants/copy"
log="$root/target/mutants/log"

n_killed=0 n_survived=0
for patch in "$root"/tests/mutants/*.patch; do
    name=$(basename "$patch" .patch)
    red=$(sed -n 's/^red: //p' "$patch")
    rm -rf "$copy"
    mkdir -p "$copy"
    git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$copy"
    (cd "$copy" && patch -p1 --quiet <"$patch") || { echo "mutants: $name no longer applies"; exit 1; }
    (cd "$copy" && cargo test --quiet --all-features --no-run) >"$log" 2>&1 || {
        cat "$log"
        echo "mutants: $name does not compile"
        exit 1
    }
    # A mutant may also hang its test: that is red too.
    if (cd "$copy" && timeout 120 cargo test --quiet --all-features --test it -- --exact "$red") >"$log" 2>&1; then
        if grep -q '^test result: ok. 1 passed' "$log"; then
            echo "SURVIVED  $name: $red stays green"
        else
            echo "SURVIVED  $name: there is no test $red"
        fi
        n_survived=$((n_survived + 1))
    else
        echo "killed    $name by $red"
        n_killed=$((n_killed + 1))
    fi
done
rm -rf "$copy"
echo "mutants: $n_killed killed, $n_survived survived"
[ "$n_survived" -eq 0 ]
