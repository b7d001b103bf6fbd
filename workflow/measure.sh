#!/bin/sh
# What a cohort costs here, on one core and on two: time, memory and disk a subject.
#
#   workflow/measure.sh path/to/deepmir /data/bids [more options of the participant level]
#
# CPU time (user and system together) is what counts on a machine that does other work too; the wall
# clock says the rest. Needs GNU time and taskset.
set -eu
DEEPMIR=$(realpath "${1:?give the deepmir program}")
BIDS=${2:?give a BIDS dataset}
shift 2
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT INT TERM

measure() { # CORES JOBS LABEL, then options
    cores=$1 jobs=$2 label=$3
    shift 3
    taskset -c "$cores" /usr/bin/time -o "$WORK/time" -f "%e %U %S %M" \
        "$DEEPMIR" run "$BIDS" "$WORK/out" participant --jobs "$jobs" --threads "$jobs" -q "$@" \
        >"$WORK/said" || true
    subjects=$(sed -n 's/ done.*//p' "$WORK/said")
    tail -1 "$WORK/time" | awk -v n="$subjects" -v label="$label" -v cores="$jobs" '{
        cpu = $2 + $3
        printf "%-28s %3d subjects, %7.1f s wall, %7.2f CPU s a subject, %6.0f subjects/h of CPU, %5.0f MB at most\n",
            label, n, $1, cpu / n, cores * 3600 * n / cpu, $4 / 1000 }'
}

measure 0 1 "one core" --force "$@"
measure 0,1 2 "two cores, two at once" --force "$@"
measure 0 1 "again, nothing to do" "$@"
/usr/bin/time -o "$WORK/time" -f "group level: %e s, %U + %S CPU s, %M kB" \
    "$DEEPMIR" run "$BIDS" "$WORK/out" group >/dev/null
cat "$WORK/time"
find "$WORK/out" -type f -path '*/sub-*' -printf '%s\n' | awk -v n="$(ls -d "$WORK"/out/sub-* | wc -l)" '
    { bytes += $1 } END { printf "disk: %.2f MB in %.1f files a subject\n", bytes / n / 1e6, NR / n }'
