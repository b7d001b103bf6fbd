// Marks as voxels, one byte each, and which slices of them the graphics card lacks.

import { MARK } from './viewer.js';

export class Marks {
  constructor([nx, ny, nz]) {
    this.area = nx * ny;
    this.values = new Uint8Array(nx * ny * nz);
    /** Where the card keeps them. */
    this.texture = null;
    this.changed = new Set();
    /** By axial slice: the runs that it shows, as text. */
    this.painted = new Map();
    /** Slices with voxels of a stroke that is not confirmed yet. */
    this.previewed = new Set();
  }

  /** Shows runs (start, length, value) and nothing else; later ones on top. */
  paint(runs) {
    const wanted = new Map();
    for (const run of runs) {
      // A run may go on in the next slice.
      for (let slice = Math.floor(run[0] / this.area); slice * this.area < run[0] + run[1]; slice += 1) {
        wanted.set(slice, `${wanted.get(slice) ?? ''}${run} `);
      }
    }
    for (const slice of new Set([...wanted.keys(), ...this.painted.keys()])) {
      if (wanted.get(slice) !== this.painted.get(slice)) this.changed.add(slice);
    }
    this.previewed.forEach((slice) => this.changed.add(slice));
    this.previewed.clear();
    this.values.fill(0);
    for (const [start, length, value] of runs) this.values.fill(value, start, start + length);
    this.painted = wanted;
  }

  /** Takes voxels of a stroke that the server has not confirmed yet; those that are new. */
  preview(voxels, value) {
    const fresh = voxels.filter((voxel) => (value === MARK.eraser ? this.values[voxel] : !this.values[voxel]));
    for (const voxel of fresh) {
      this.values[voxel] = value;
      const slice = Math.floor(voxel / this.area);
      this.changed.add(slice);
      this.previewed.add(slice);
    }
    return fresh;
  }

  /** The slices to send, as ranges (first, last); they count as sent. */
  unsent() {
    const found = [];
    for (const slice of [...this.changed].sort((a, b) => a - b)) {
      const last = found.at(-1);
      if (last && last[1] + 1 === slice) last[1] = slice;
      else found.push([slice, slice]);
    }
    this.changed.clear();
    return found;
  }
}
