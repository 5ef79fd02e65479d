#!/bin/sh
# sh tests/busy.sh 10 <command>: run the command so many times in a row, with four loops beside it
# that keep processors busy. Ends at the first failure, and ends the loops in any case.
set -u
times=$1
shift
loops=""
for loop in 1 2 3 4; do
    # Each looks for this shell, should it be killed.
    while kill -0 $$ 2>/dev/null; do :; done &
    loops="$loops $!"
done
trap 'kill -9 $loops 2>/dev/null' EXIT
trap 'exit 130' INT TERM HUP
turn=0
while [ "$turn" -lt "$times" ]; do
    turn=$((turn + 1))
    echo "run $turn of $times, with four busy loops beside it"
    "$@" || { echo "run $turn of $times failed" >&2; exit 1; }
done
echo "$times runs passed"
