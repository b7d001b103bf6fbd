// Changing marks: one operation after another, each on the revision that is shown.

import * as api from './api.js';
import { brushAt, runsOf } from './brush.js';
import { paintLayer, preview } from './panes.js';
import { $, indexOf, state } from './state.js';
import { DEPTH, MARK } from './viewer.js';

let queue = Promise.resolve();
let show = () => {};
/** `shown` is called with every new layer. */
export const onLayer = (shown) => { show = shown; };

export function banner(words, buttons = [], calm = false) {
  $('banner').hidden = !words;
  $('banner').classList.toggle('calm', calm);
  $('banner-words').textContent = words ?? '';
  $('banner-buttons').replaceChildren(...buttons.map(([name, act]) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = name;
    button.addEventListener('click', () => { banner(null); act(); });
    return button;
  }));
}

export function setLayer(layer) {
  state.layer = layer;
  show();
  paintLayer();
}

/** Asks for a change after those before it. Nothing is lost: on a conflict the rater decides. */
export function change(ask) {
  const { at } = state;
  queue = queue.then(async () => {
    if (state.at !== at) return;
    try {
      const before = new Set(state.layer.lesions.map((lesion) => lesion.id));
      const layer = await ask(at, state.layer.revision);
      const fresh = layer.lesions.find((lesion) => !before.has(lesion.id));
      if (fresh) state.lesion = fresh.id;
      if (!layer.lesions.some((lesion) => lesion.id === state.lesion)) state.lesion = null;
      setLayer(layer);
      banner(null);
    } catch (error) {
      refused(error, at, ask);
    }
  });
  return queue;
}

function refused(error, at, ask) {
  const newest = async () => setLayer(await api.readLayer(at));
  if (error.status === 409) {
    banner('This case was changed in another window. Your last change is not saved yet.', [
      ['Show the newest, without my change', () => newest().catch((fault) => refused(fault, at, ask))],
      ['Add my change to the newest', async () => {
        try { await newest(); } catch (fault) { refused(fault, at, ask); return; }
        change(ask);
      }],
    ]);
  } else if (error.status === 0 || error.status === 401) {
    banner(error.status ? 'The server was started again: open the address that it printed.' : error.message,
      [['Try again', () => change(ask)]]);
  } else {
    banner(error.message, [['Good', () => {}]], true);
    paintLayer();
  }
}

export const operate = (operation) => change((at, revision) => api.operate(at, revision, operation));
export const undo = () => change(api.undo);
export const redo = () => change(api.redo);
export const finish = (done) => change((at, revision) => api.setDone(at, revision, done));

/** The lesion that new voxels join: none when a new one was asked for. */
export function stroke(voxels, erase) {
  if (!voxels.size) return;
  const runs = runsOf(voxels);
  if (erase) {
    operate({ type: 'erase', runs });
  } else if (state.startNew) {
    state.startNew = false;
    operate({ type: 'paint', runs, class: state.cls, lesion: null, apart: true });
  } else {
    operate({ type: 'paint', runs, class: state.cls, lesion: null });
  }
}

/** Brush or eraser once, at the crosshair. */
export function stamp(erase, view) {
  const { brush, ball } = state.settings;
  const voxels = new Set(brushAt(state.voxel, state.case, brush, ball ? undefined : DEPTH[view]));
  preview(voxels, erase ? MARK.eraser : MARK.stroke);
  stroke(voxels, erase);
}

/** Of the same visit: the susceptibility map itself, or the SWI. */
const growsOn = (kind) => (kind.endsWith('QSM') ? kind : kind.startsWith('baseline ') ? 'baseline SWI' : 'SWI');

/** Grows on the image of a pane: bright on QSM, dark on all others. */
export function growAt(voxel, kind) {
  const { radius, tolerance } = state.settings;
  const lesion = null;
  const apart = state.startNew;
  state.startNew = false;
  operate({ type: 'grow', seed: indexOf(voxel), radius_mm: radius, tolerance, image: growsOn(kind), class: state.cls, lesion, apart });
}
