// The four panes: what each shows, marks over them, and where they look.

import * as api from './api.js';
import { $, lesionById, state } from './state.js';
import { DEPTH, MARK, Pane } from './viewer.js';

/** @type {Pane[]} */
export const panes = [];
export let active = 0;
let marks = new Uint8Array(0);
let sides = [];
let bytes = new Map();
let windows = {};

export async function startPanes() {
  for (let n = 0; n < 4; n += 1) {
    const pane = new Pane($('panes'), n);
    panes.push(pane);
    await pane.start();
  }
  setActive(0);
}

export function setActive(n) {
  active = n;
  panes.forEach((pane, m) => pane.element.classList.toggle('active', m === n));
}

/** Fetches a case's images, and shows them. */
export async function openCase() {
  const { images, id } = state.case;
  marks = new Uint8Array(state.case.shape.reduce((a, b) => a * b));
  windows = Object.fromEntries(images.map((image) => [image.kind, [...image.window]]));
  const fetched = await Promise.all(images.map((image) => api.image(id, image.kind)));
  bytes = new Map(images.map((image, n) => [image.kind, fetched[n]]));
  panes.forEach((pane) => { pane.kind = null; });
  await layOut();
}

/** What each pane shows now: image, view, whose marks. */
function plan() {
  const has = (kind) => bytes.has(kind);
  const kinds = ['SWI', 'QSM', 'T2w', state.fourth].filter(has);
  const first = kinds[0] ?? [...bytes.keys()][0];
  if (state.at?.stage === 'adjudication' && state.layer?.sides.length === 2) {
    return [0, 1].map((side) => ({ kind: first, view: 'axial', side }))
      .concat([{ kind: first, view: 'axial', settled: true }, { kind: has('QSM') ? 'QSM' : first, view: 'axial', settled: true }]);
  }
  if (state.planes) {
    return [{ kind: first, view: 'axial' }, { kind: kinds[1] ?? first, view: 'axial' }, { kind: first, view: 'coronal' }, { kind: first, view: 'sagittal' }];
  }
  return [0, 1, 2, 3].map((n) => ({ kind: kinds[n] ?? first, view: kinds[n] ? 'axial' : ['axial', 'axial', 'coronal', 'sagittal'][n] }));
}

export async function layOut() {
  if (!state.case) return;
  const plans = plan();
  sides = (state.layer?.sides ?? []).map((side) => painted(side.runs, (id) => MARK[side.lesions.find((lesion) => lesion.id === id)?.class]));
  for (const [n, { kind, view, side, settled }] of plans.entries()) {
    const pane = panes[n];
    const shown = side === undefined ? marks : sides[side];
    if (pane.kind !== kind || pane.ofCase !== state.case.id) {
      await pane.load(kind, bytes.get(kind).slice(0), windows[kind], shown);
      pane.ofCase = state.case.id;
    } else {
      pane.setMarks(shown);
    }
    pane.side = side;
    pane.setView(view);
    pane.setRadiological(state.settings.radiological);
    pane.showMarks(!state.hidden);
    const image = state.case.images.find((other) => other.kind === kind);
    const whose = side !== undefined ? `of ${state.layer.sides[side].rater}` : settled ? 'settled' : '';
    pane.setTitle(kind, [whose, view === 'axial' ? '' : view, image?.resampled ? 'resampled' : ''].filter(Boolean).join(', '));
    pane.element.dataset.kind = kind;
  }
  look();
}

/** The marks of runs as voxels. */
function painted(runs, valueOf) {
  const result = new Uint8Array(marks.length);
  for (const [start, length, id] of runs) result.fill(valueOf(id) ?? 0, start, start + length);
  return result;
}

/** Paints the layer anew: lesions by class, the chosen one and the candidate on top. */
export function paintLayer() {
  if (!state.layer) return;
  marks.fill(0);
  for (const [start, length, id] of state.layer.runs) {
    marks.fill(id === state.lesion ? MARK.selected : MARK[lesionById(id)?.class] ?? 0, start, start + length);
  }
  const candidate = state.layer.candidates.find((other) => other.key === state.candidate);
  if (candidate && !candidate.verdict) {
    for (const [start, length] of candidate.runs) {
      for (let voxel = start; voxel < start + length; voxel += 1) if (!marks[voxel]) marks[voxel] = MARK.candidate;
    }
  }
  upload(0, state.case.shape[2] - 1);
  draw();
}

/** Shows voxels of a stroke that the server has not confirmed yet. */
export function preview(voxels, value) {
  const area = state.case.shape[0] * state.case.shape[1];
  let [low, high] = [Infinity, -1];
  for (const voxel of voxels) {
    if (value === MARK.eraser ? marks[voxel] : !marks[voxel]) marks[voxel] = value;
    const slice = Math.floor(voxel / area);
    low = Math.min(low, slice);
    high = Math.max(high, slice);
  }
  if (high >= 0) upload(low, high);
  draw();
}

function upload(first, last) {
  panes.forEach((pane) => { if (pane.kind && pane.side === undefined) pane.uploadMarks(first, last); });
}

let drawing = false;
/** Draws all panes at the next frame, however often it is asked for. */
export function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    panes.forEach((pane) => pane.draw());
  });
}

export function look() {
  panes.forEach((pane) => {
    if (!pane.kind) return;
    pane.setCamera(state);
    pane.setCrosshair(state.voxel);
  });
  draw();
}

export function moveTo(voxel) {
  state.voxel = voxel.map((at, axis) => Math.max(0, Math.min(state.case.shape[axis] - 1, at)));
  look();
}

/** Moves the crosshair by voxels as one sees it: right, up, and deeper slices. */
export function step(right, up, deeper) {
  const { view } = panes[active];
  const [x, y] = { axial: [0, 1], coronal: [0, 2], sagittal: [1, 2] }[view];
  const flip = x === 0 && state.settings.radiological ? -1 : 1;
  const voxel = [...state.voxel];
  voxel[x] += right * flip;
  voxel[y] += up;
  voxel[DEPTH[view]] += deeper;
  moveTo(voxel);
}

export function zoom(factor) {
  state.zoom = Math.max(1, Math.min(20, state.zoom * factor));
  // What one looks at stays in the middle.
  const { shape, spacing_mm: spacing } = state.case;
  state.pan = state.zoom === 1 ? [0, 0, 0] : state.voxel.map((at, axis) => ((shape[axis] - 1) / 2 - at) * spacing[axis]);
  look();
}

export function pan(right, up) {
  const flip = state.settings.radiological ? -1 : 1;
  const mm = 10 / state.zoom;
  state.pan = [state.pan[0] + right * mm * flip, state.pan[1] + up * mm, state.pan[2]];
  look();
}

/** Changes brightness and contrast of an image, by parts of its window. */
export function changeWindow(n, level, width) {
  const { kind } = panes[n];
  const [low, high] = windows[kind];
  const middle = (low + high) / 2 + level * (high - low);
  const half = Math.max(1e-6, ((high - low) / 2) * (1 + width));
  setWindow(kind, [middle - half, middle + half]);
}

function setWindow(kind, window) {
  windows[kind] = window;
  panes.forEach((pane) => { if (pane.kind === kind) pane.setWindow(window); });
  draw();
}

export function resetView() {
  state.case.images.forEach((image) => setWindow(image.kind, [...image.window]));
  state.zoom = 1;
  state.pan = [0, 0, 0];
  look();
}

export function setHidden(hidden) {
  state.hidden = hidden;
  panes.forEach((pane) => pane.showMarks(!hidden));
  draw();
}

/** The next image of those that have no pane of their own. */
export async function nextFourth() {
  const others = [...bytes.keys()].filter((kind) => !['SWI', 'QSM', 'T2w'].includes(kind));
  if (!others.length) return;
  state.fourth = others[(others.indexOf(state.fourth) + 1) % others.length];
  await layOut();
}
