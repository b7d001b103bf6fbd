#!/bin/sh
# The peak memory of one scan, by its voxels and echoes: what `need_gb` in
# crates/deepmir-pipeline/src/run/memory.rs counts, and what was used.
#
#   workflow/memory.sh path/to/deepmir FOLDER [THREADS]
#
# Simulates one head in FOLDER on three grids, and half of it (once), and processes each from its maps, with
# T2w on another grid, and from its raw echoes, with and without T2w. Needs GNU time.
set -eu
DEEPMIR=$(realpath "${1:?give the deepmir program}")
FOLDER=${2:?give a folder for the simulated scans}
THREADS=${3:-2}
mkdir -p "$FOLDER"
cd "$FOLDER"

make() { # NAME VOXEL MATRIX
    [ -d "$1/derivatives/truth" ] && return
    printf '[phantom.scan]\nvoxel_mm = [%s]\nmatrix = [%s]\nfine_voxel_mm = 1.0\n' "$2" "$3" >"$1.toml"
    "$DEEPMIR" phantom "$1" --raw --seed 3 --config "$1.toml" -q >/dev/null
}

measure() { # DATASET LABEL, then patterns of files to leave out
    dataset=$1 label=$2
    shift 2
    rm -rf links out
    cp -rs "$PWD/$dataset" links
    for pattern in "$@"; do
        find links -path 'links/sub-*' -name "$pattern" -delete
    done
    [ -z "${T2W:-}" ] || for kind in nii.gz json; do
        ln -sf "$PWD/$T2W/sub-01/anat/sub-01_T2w.$kind" links/sub-01/anat/
    done
    counted=$("$DEEPMIR" run links out participant --dry-run | sed -n 's/.*(\([0-9.]* GB\)).*/\1/p')
    /usr/bin/time -o time -f %M "$DEEPMIR" run links out participant --jobs 1 --threads "$THREADS" -q >/dev/null
    awk -v name="$dataset, $label" -v counted="$counted" \
        '{ printf "%-30s %6.0f MB used, %s counted\n", name, $1 * 1.024 / 1e3, counted }' time
}

make small 1.0,1.0,2.0 160,192,76
make middle 0.75,0.75,1.5 213,256,100
make large 0.6,0.6,1.2 266,320,126
make half 0.75,0.75,1.5 213,256,50
for dataset in small middle large half; do
    measure $dataset "maps"
    case $dataset in small) T2W=middle ;; *) T2W=small ;; esac
    measure $dataset "maps, T2w as in $T2W"
    T2W=
    measure $dataset "five echoes" '*_acq-swi_T2starw.*' '*_Chimap.*' '*_T2w.*'
    measure $dataset "five echoes and T2w" '*_acq-swi_T2starw.*' '*_Chimap.*'
    measure $dataset "two echoes" '*_acq-swi_T2starw.*' '*_Chimap.*' '*_T2w.*' '*_echo-[345]_*'
done
rm -rf links out time
