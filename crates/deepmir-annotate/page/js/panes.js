// The four panes: what each shows, marks over them, and where they look.

import * as api from './api.js';
import { Frames, nextFrame } from './frames.js';
import { Marks } from './marks.js';
import { $, candidates, lesionById, state } from './state.js';
import { readImage, SliceViewer } from './niivue.js';
import { DEPTH, MARK, Pane } from './viewer.js';

/** What the names of the images of the visit before begin with, and the kinds that are shown of both visits. */
const BASELINE = 'baseline ';
const PAIRED = ['SWI', 'QSM', 'T2w', 'minIP'];

/** @type {Pane[]} */
export const panes = [];
export let active = 0;
const viewer = new SliceViewer();
const frames = new Frames(panes, () => active, drawNow, () => viewer.idle());
let marks = new Marks([0, 0, 0]);
let sides = [];
/** The images of the case that were fetched, or are on the way, by `case kind`. */
let images = new Map();
let laying = Promise.resolve();

/** Makes the panes, and what draws them. */
export function startPanes() {
  for (let n = 0; n < 4; n += 1) panes.push(new Pane($('panes'), n));
  setActive(0);
  window.addEventListener('resize', draw);
  const canvas = document.createElement('canvas');
  canvas.id = 'drawing';
  $('panes').append(canvas);
  return viewer.start(canvas);
}

function drawNow(pane) {
  const { voxel, pan: panned, zoom: zoomed, hidden, settings, showRegions, regionMap: map } = state;
  const colours = [null, ...state.regions.map(({ colour }) => colour)];
  const regions = showRegions && map ? { map, colours } : null;
  pane.draw(viewer, { voxel, pan: panned, zoom: zoomed, hidden, regions, radiological: settings.radiological });
}

export function setActive(n) {
  active = n;
  panes.forEach((pane, m) => pane.element.classList.toggle('active', m === n));
}

/** An image, fetched once while its case is open. */
function image({ id, images: all }, kind) {
  const key = `${id} ${kind}`;
  if (!images.has(key)) {
    const { window } = all.find((other) => other.kind === kind);
    const fetched = api.image(id, kind).then((bytes) => readImage(kind, bytes, window));
    // What failed is asked for again.
    fetched.catch(() => images.delete(key));
    images.set(key, fetched);
  }
  return images.get(key);
}

/** Begins to fetch the image that a case shows first, before there is a pane for it. */
export function expect(wanted) { image(wanted, kindsOf(wanted)[0]); }

/** Shows the case of the state; `shown` is called when its first image is drawn. */
export async function openCase(shown) {
  const wanted = state.case;
  panes.forEach((pane) => pane.setContent(null));
  for (const [key, fetched] of images) {
    if (!key.startsWith(`${wanted.id} `)) {
      images.delete(key);
      fetched.then((old) => viewer.forget([old]), () => {});
    }
  }
  viewer.forget([marks, ...sides]);
  sides = [];
  marks = new Marks(wanted.shape);
  await layOut(shown);
}

/** The kinds of a case's images that have a pane. */
function kindsOf(wanted) {
  const has = (kind) => wanted.images.some((other) => other.kind === kind);
  if (wanted.visits) {
    const both = kindsOfBoth(wanted);
    const lower = both.includes(state.lower) ? state.lower : both[1];
    const visits = state.exchanged ? ['', BASELINE] : [BASELINE, ''];
    return [both[0], lower].filter(Boolean).flatMap((kind) => visits.map((visit) => visit + kind));
  }
  const kinds = ['SWI', 'QSM', 'T2w', state.fourth].filter(has);
  return kinds.length ? kinds : [wanted.images[0].kind];
}

/** The kinds of image that both visits have. */
const kindsOfBoth = (wanted) => PAIRED.filter((kind) => [kind, BASELINE + kind].every((one) => wanted.images.some((other) => other.kind === one)));

/** What each pane shows now: image, view, whose marks. */
function plan() {
  const kinds = kindsOf(state.case);
  const [first, second] = kinds;
  if (state.case.visits && (state.planes || kinds.length < 4)) {
    return [{ kind: first, view: 'axial' }, { kind: second, view: 'axial' }, { kind: first, view: 'coronal' }, { kind: second, view: 'coronal' }];
  }
  if (state.at?.stage === 'adjudication' && state.layer?.sides.length === 2) {
    return [0, 1].map((side) => ({ kind: first, view: 'axial', side }))
      .concat([{ kind: first, view: 'axial', settled: true }, { kind: second ?? first, view: 'axial', settled: true }]);
  }
  if (state.planes) {
    return [{ kind: first, view: 'axial' }, { kind: second ?? first, view: 'axial' }, { kind: first, view: 'coronal' }, { kind: first, view: 'sagittal' }];
  }
  return [0, 1, 2, 3].map((n) => ({ kind: kinds[n] ?? first, view: kinds[n] ? 'axial' : ['axial', 'axial', 'coronal', 'sagittal'][n] }));
}

/** Brings the panes to what they should show, one after another; one layout at a time. */
export function layOut(shown = () => {}) {
  laying = laying.catch(() => {}).then(() => layOutNow(shown));
  return laying;
}

async function layOutNow(shown) {
  const wanted = state.case;
  if (!wanted) return;
  viewer.forget(sides);
  sides = (state.layer?.sides ?? []).map((side) => {
    const values = new Marks(wanted.shape);
    values.paint(side.runs.map(([start, length, id]) => [start, length, MARK[side.lesions.find((lesion) => lesion.id === id)?.class] ?? 0]));
    return values;
  });
  const plans = plan();
  plans.forEach((one, n) => setTitle(panes[n], one));
  for (const [n, { kind, view, side }] of plans.entries()) {
    const fetched = await image(wanted, kind);
    if (state.case !== wanted) return;
    const fresh = !fetched.texture;
    panes[n].setContent({ kind, image: fetched, view, side, marks: side === undefined ? marks : sides[side] });
    if (fresh) {
      // What is there can be seen and used before the next one comes.
      drawNow(panes[n]);
      if (n === 0) shown();
      await nextFrame();
      if (state.case !== wanted) return;
    }
  }
  draw();
}

function setTitle(pane, { kind, view, side, settled }) {
  const resampled = state.case.images.find((other) => other.kind === kind)?.resampled;
  const whose = side !== undefined ? `of ${state.layer.sides[side].rater}` : settled ? 'settled' : '';
  const name = state.case.visits && !kind.startsWith(BASELINE) ? `follow-up ${kind}` : kind;
  pane.setTitle(name, [whose, view === 'axial' ? '' : view, resampled ? 'resampled' : ''].filter(Boolean).join(', '));
  pane.element.dataset.kind = kind;
}

/** Paints the layer anew: lesions by class, the chosen one and the candidate on top. */
export function paintLayer() {
  if (!state.layer) return;
  const runs = state.layer.runs.map(([start, length, id]) =>
    [start, length, id === state.lesion ? MARK.selected : MARK[lesionById(id)?.class] ?? 0]);
  // Of results all that are listed; else the one to decide on. What is marked already stays on top of them.
  const shown = candidates().filter((one) => (state.results || one.key === state.candidate) && !one.verdict);
  const under = shown.flatMap((one) => one.runs.map(([start, length]) =>
    [start, length, state.results && one.key === state.candidate ? MARK.selected : MARK.candidate]));
  marks.paint([...under, ...runs]);
  draw();
}

/** Shows voxels of a stroke that the server has not confirmed yet. */
export function preview(voxels, value) {
  const [nx, ny] = state.case.shape;
  const fresh = marks.preview([...voxels], value).map((n) => [n % nx, Math.floor(n / nx) % ny, Math.floor(n / (nx * ny))]);
  panes.forEach((pane) => pane.fill(fresh, value));
  if (panes.some((pane) => pane.shows && !pane.onCanvas)) draw();
}

/** Takes the crosshair along with a stroke; panes that would show the same slice are not drawn for it. */
export function beginAt(voxel) {
  const moved = panes.some(({ shows, view }) => shows && voxel[DEPTH[view]] !== state.voxel[DEPTH[view]]);
  state.voxel = voxel;
  if (moved) draw();
}

/** Draws all panes at the next frame. */
export function draw() { frames.ask(); }

export function moveTo(voxel) {
  state.voxel = voxel.map((at, axis) => Math.max(0, Math.min(state.case.shape[axis] - 1, at)));
  draw();
}

/** Moves the crosshair by voxels as one sees it: right, up, and deeper slices. */
export function step(right, up, deeper) {
  const { view, axes: [x, y] } = panes[active];
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
  state.pan = state.zoom === 1 ? [0, 0, 0] : state.voxel.map((at, axis) => ((shape[axis] - 1) / 2 - state.zoom * at) * spacing[axis]);
  draw();
}

/** Moves what all panes show, by millimetres of the screen at zoom 1: right and up as one sees it in a pane. */
export function pan(n, right, up) {
  const [x, y] = panes[n].axes;
  const flip = x === 0 && state.settings.radiological ? -1 : 1;
  const moved = [...state.pan];
  moved[x] += right * flip;
  moved[y] += up;
  state.pan = moved;
  draw();
}

/** Changes brightness and contrast of a pane's image, by parts of its window. */
export function changeWindow(n, level, width) {
  const shown = panes[n].shows?.image;
  if (!shown) return;
  const [low, high] = shown.window;
  const middle = (low + high) / 2 + level * (high - low);
  const half = Math.max(1e-6, ((high - low) / 2) * (1 + width));
  shown.window = [middle - half, middle + half];
  draw();
}

export function resetView() {
  for (const { shows } of panes.filter((pane) => pane.shows)) {
    shows.image.window = [...state.case.images.find((one) => one.kind === shows.kind).window];
  }
  state.zoom = 1;
  state.pan = [0, 0, 0];
  draw();
}

export function setHidden(hidden) {
  state.hidden = hidden;
  draw();
}

/** The next image of those that have no pane of their own. */
export async function nextFourth() {
  if (state.case.visits) {
    const lower = kindsOfBoth(state.case).slice(1);
    state.lower = lower[(lower.indexOf(state.lower) + 1) % lower.length] ?? state.lower;
    await layOut();
    return;
  }
  const others = state.case.images.map((other) => other.kind).filter((kind) => !['SWI', 'QSM', 'T2w'].includes(kind));
  if (!others.length) return;
  state.fourth = others[(others.indexOf(state.fourth) + 1) % others.length];
  await layOut();
}
