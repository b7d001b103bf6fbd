#!/usr/bin/env bash
# Reconstructs for the open ranking QSM-CI (github.com/QSMxT/QSM-CI), stage end-to-end: phase in radians, magnitude, mask
# and echo times to susceptibility in ppm.
#
#   run.sh [/input [/output]]
#
# Reads phase.nii.gz and magnitude.nii.gz (echoes along the fourth axis) and mask.nii.gz, writes chimap.nii.gz. The
# ranking sets QSMCI_TE (s), QSMCI_B0 (T) and QSMCI_B0_DIR (along the voxel axes). The static program `deepmir` lies
# beside this script (`cargo xtask dist` builds it) or on the PATH.
set -euo pipefail
in="${1:-/input}"
out="${2:-/output}"
here="$(cd "$(dirname "$0")" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

PATH="$here:$PATH" deepmir recon --mag "$in/magnitude.nii.gz" --phase "$in/phase.nii.gz" --mask "$in/mask.nii.gz" \
    --phase-units radians --te "${QSMCI_TE// /,}" --b0 "$QSMCI_B0" --b0-direction "${QSMCI_B0_DIR// /,}" -o "$work"
cp "$work"/*_Chimap.nii.gz "$out/chimap.nii.gz"
