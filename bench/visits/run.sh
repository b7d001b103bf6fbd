#!/usr/bin/env bash
# Simulates pairs of visits, reads them with `deepmir compare`, and fits or scores the model of changes.
#
#   bench/visits/run.sh learn LABEL_MAPS OUT         # fits crates/deepmir-pipeline/src/visits/change_model.json
#   bench/visits/run.sh score LABEL_MAPS OUT [PAIRS] # scores it on other heads; PAIRS of each of four kinds, 6 by default
#
# LABEL_MAPS is a folder of whole-brain label maps; those to score on must not be those to learn from. With SWI_ALONE=1
# QSM and T2w are left out. On two cores a pair takes about a minute and a half. Needs Python 3 with numpy and scipy.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
what="$1" maps="$(realpath "$2")" out="$3" count="${4:-6}"
root="$here/../.."
if [[ -z "${DEEPMIR:-}" ]]; then
    cargo build --release --quiet --manifest-path "$root/Cargo.toml" --package deepmir
    DEEPMIR="${CARGO_TARGET_DIR:-$root/target}/release/deepmir"
fi
deepmir="$(realpath "$DEEPMIR")"
mkdir -p "$out"
cd "$out"
for kind in same change; do
    cp "$here/$kind.toml" .
    { cat "$kind.toml"; echo "other_protocol_probability = 1.0"; } > "$kind-other.toml"
done
datasets=()
pairs() { # NAME PAIRS SEED KIND [OPTIONS]
    "$deepmir" phantom "$1" --sessions 2 -n "$2" --seed "$3" --config "$4.toml" "${@:5}" -q > /dev/null
    datasets+=("$1")
    for subject in "$1"/sub-*; do
        name="$(basename "$subject")"
        image() { echo "$subject/ses-$1/anat/${name}_ses-$1_$2.nii.gz"; }
        others=()
        if [[ -z "${SWI_ALONE:-}" ]]; then
            others=(--baseline-qsm "$(image 1 Chimap)" --baseline-t2w "$(image 1 T2w)"
                --followup-qsm "$(image 2 Chimap)" --followup-t2w "$(image 2 T2w)")
        fi
        "$deepmir" compare --baseline "$(image 1 acq-swi_T2starw)" --followup "$(image 2 acq-swi_T2starw)" "${others[@]}" \
            -o "results/$1/$name" -q > /dev/null
    done
}
case "$what" in
learn)
    pairs t-change 5 31001 change --anatomy "$maps"
    pairs t-same-other 3 31201 same-other --anatomy "$maps"
    pairs t-change-other 5 31101 change-other
    "${PYTHON:-python3}" "$here/fit.py" . results "$root/crates/deepmir-pipeline/src/visits/change_model.json" "${datasets[@]}"
    ;;
score)
    pairs e-same "$count" 82001 same --anatomy "$maps"
    pairs e-change-other "$count" 84001 change-other --anatomy "$maps"
    pairs e-change "$count" 81001 change --anatomy "$maps"
    pairs e-same-other "$count" 83001 same-other --anatomy "$maps"
    "${PYTHON:-python3}" "$here/score.py" . results "${datasets[@]}"
    ;;
*)
    sed -n '2,8s/^# \{0,1\}//p' "$here/run.sh" >&2
    exit 1
    ;;
esac
