// What the mouse does in a pane: looking, strokes, windows.

import { brushAt, line } from './brush.js';
import { beginAt, changeWindow, moveTo, pan, preview, setActive, step, zoom } from './panes.js';
import { indexOf, lesionAt, state } from './state.js';
import { DEPTH, MARK } from './viewer.js';
import * as work from './work.js';

/** Listens to a pane; `chosen` is called with the lesion that was clicked, `moved` when one looks elsewhere. */
export function listenToPointers(pane, n, chosen, moved) {
  let path = null;
  const ring = document.createElement('div');
  ring.className = 'ring';
  ring.hidden = true;
  pane.element.append(ring);
  const erasing = (event) => state.tool === 'eraser' || event.buttons & 32;
  const flat = () => (state.settings.ball ? undefined : DEPTH[pane.view]);

  const extend = (voxel) => {
    const fresh = [];
    for (const at of line(path.last ?? voxel, voxel)) {
      for (const touched of brushAt(at, state.case, state.settings.brush, flat())) {
        if (!path.voxels.has(touched)) { path.voxels.add(touched); fresh.push(touched); }
      }
    }
    path.last = voxel;
    preview(fresh, path.erase ? MARK.eraser : MARK.stroke);
  };

  pane.cover.addEventListener('pointerdown', (event) => {
    if (!state.layer) return;
    document.activeElement?.blur();
    setActive(n);
    const voxel = pane.voxelAt(event);
    pane.cover.setPointerCapture(event.pointerId);
    if (event.button === 2) path = { window: [event.clientX, event.clientY] };
    else if (event.button === 1 || event.ctrlKey) path = { pan: [event.clientX, event.clientY] };
    else if (voxel && (state.tool === 'look' || event.shiftKey || pane.side !== undefined)) path = { look: true };
    else if (voxel && state.tool === 'grow') { moveTo(voxel); work.growAt(voxel, pane.kind); }
    else if (voxel) path = { voxels: new Set(), erase: erasing(event) };
    if (voxel && path?.look) { moveTo(voxel); chosen(lesionAt(indexOf(voxel)) || null); }
    if (voxel && path?.voxels) { beginAt(voxel); extend(voxel); }
    moved();
    event.preventDefault();
  });

  pane.cover.addEventListener('pointermove', (event) => {
    showRing(event);
    if (!path) return;
    const voxel = pane.voxelAt(event);
    if (path.window) {
      changeWindow(n, (path.window[1] - event.clientY) / -400, (event.clientX - path.window[0]) / 400);
      path.window = [event.clientX, event.clientY];
    } else if (path.pan) {
      const mm = pane.onCanvas ? pane.mmPerPixel(state.case.spacing_mm) * state.zoom : 0;
      pan(n, (event.clientX - path.pan[0]) * mm, (path.pan[1] - event.clientY) * mm);
      path.pan = [event.clientX, event.clientY];
    } else if (voxel && path.look) {
      moveTo(voxel);
      moved();
    } else if (voxel && path.voxels) {
      extend(voxel);
    }
  });

  const end = () => {
    if (path?.voxels) work.stroke(path.voxels, path.erase);
    path = null;
  };
  pane.cover.addEventListener('pointerup', end);
  pane.cover.addEventListener('pointercancel', end);
  pane.cover.addEventListener('pointerleave', () => { ring.hidden = true; });
  pane.cover.addEventListener('contextmenu', (event) => event.preventDefault());
  pane.cover.addEventListener('wheel', (event) => {
    event.preventDefault();
    if (!state.layer) return;
    if (event.ctrlKey) {
      zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2);
    } else {
      setActive(n);
      step(0, 0, event.deltaY < 0 ? 1 : -1);
    }
    moved();
  }, { passive: false });

  function showRing(event) {
    const brush = ['brush', 'eraser'].includes(state.tool) && state.layer && pane.side === undefined;
    const voxel = brush ? pane.voxelAt(event) : null;
    ring.hidden = !voxel;
    if (!voxel) return;
    const pixels = 1 / pane.mmPerPixel(state.case.spacing_mm);
    const radius = state.settings.brush * pixels;
    const box = pane.element.getBoundingClientRect();
    Object.assign(ring.style, { left: `${event.clientX - box.left - radius}px`, top: `${event.clientY - box.top - radius}px`, width: `${2 * radius}px`, height: `${2 * radius}px` });
  }
}
