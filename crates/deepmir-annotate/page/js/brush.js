// Which voxels a brush touches.

/** Voxels within `radius` mm of a voxel: a ball, or a disc across `flat` (an axis). */
export function brushAt(centre, { shape, spacing_mm: spacing }, radius, flat) {
  const [nx, ny, nz] = shape;
  const reach = spacing.map((size, axis) => (axis === flat ? 0 : Math.floor(radius / size)));
  const voxels = [];
  for (let k = Math.max(0, centre[2] - reach[2]); k <= Math.min(nz - 1, centre[2] + reach[2]); k += 1) {
    for (let j = Math.max(0, centre[1] - reach[1]); j <= Math.min(ny - 1, centre[1] + reach[1]); j += 1) {
      for (let i = Math.max(0, centre[0] - reach[0]); i <= Math.min(nx - 1, centre[0] + reach[0]); i += 1) {
        const d = [(i - centre[0]) * spacing[0], (j - centre[1]) * spacing[1], (k - centre[2]) * spacing[2]];
        if (d[0] * d[0] + d[1] * d[1] + d[2] * d[2] <= radius * radius) voxels.push(i + nx * (j + ny * k));
      }
    }
  }
  return voxels;
}

/** The voxels on the straight line between two voxels, both included. */
export function line(from, to) {
  const steps = Math.max(1, ...from.map((at, axis) => Math.abs(to[axis] - at)));
  return Array.from({ length: steps + 1 }, (_, n) => from.map((at, axis) => Math.round(at + ((to[axis] - at) * n) / steps)));
}

/** Runs (start, length) of a set of voxels. */
export function runsOf(voxels) {
  const sorted = Uint32Array.from(voxels).sort();
  const runs = [];
  for (const voxel of sorted) {
    const last = runs.at(-1);
    if (last && last[0] + last[1] === voxel) last[1] += 1;
    else runs.push([voxel, 1]);
  }
  return runs;
}
