// Results of the program, which are shown and not marked.

import { paintLayer } from './panes.js';
import { $, state } from './state.js';

/** What keys can do then. */
export const LOOKING = new Set([
  'left', 'right', 'up', 'down', 'slice-up', 'slice-down', 'next-lesion', 'previous-lesion', 'deselect', 'hide', 'regions', 'view', 'side', 'pane',
  'fourth', 'zoom-in', 'zoom-out', 'reset', 'pan-left', 'pan-right', 'pan-up', 'pan-down', 'brighter', 'darker', 'narrower', 'wider', 'case-below',
  'case-above', 'next-candidate', 'previous-candidate', 'help',
]);

/** Makes the page one to look at; `changed` is called when other candidates are to be listed. */
export function startLooking(changed) {
  document.title = 'deepmir view';
  $('title').textContent = 'deepmir view';
  $('cases-title').textContent = 'Scans';
  document.body.classList.add('looking');
  state.tool = 'look';
  $('least-label').hidden = false;
  $('least').value = state.least;
  $('least').addEventListener('input', ({ target }) => {
    state.least = Number(target.value);
    changed();
    paintLayer();
  });
}
