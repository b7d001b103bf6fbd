// The sheet of two visits: what only the reader can say, and the signature.

import { $, state } from './state.js';
import * as work from './work.js';

const NUMBERS = { siderosis: 'siderosis_areas', macrohaemorrhages: 'macrohaemorrhages' };
const TEXTS = { remark: 'remark', reader: 'reader' };
const EMPTY = { siderosis_areas: null, macrohaemorrhages: null, remark: '', reader: '' };

function say(change) {
  work.operate({ type: 'findings', findings: { ...EMPTY, ...state.layer.findings, ...change } });
}

/** Sends each field when it is left. */
export function listenToSheet() {
  for (const [id, name] of Object.entries(NUMBERS)) {
    $(id).addEventListener('change', ({ target }) => {
      const count = target.value === '' ? null : Number(target.value);
      if (target.checkValidity()) say({ [name]: count });
      else work.banner('A number from 0 to 99, please.', [['Good', () => {}]], true);
    });
  }
  for (const [id, name] of Object.entries(TEXTS)) {
    $(id).addEventListener('change', ({ target }) => say({ [name]: target.value }));
  }
  $('sheet').addEventListener('submit', (event) => event.preventDefault());
}

/** Shows what the marks come to. */
export function showSheet() {
  const { reading, findings, done } = state.layer;
  $('sheet').hidden = !reading;
  if (!reading) return;
  $('grade').textContent = done ? `signed ${done.slice(0, 16).replace('T', ' ')}` : reading.Grade ?? 'not judged yet';
  const possible = reading.NewPossibleMicrohaemorrhages ? `, ${reading.NewPossibleMicrohaemorrhages} possible` : '';
  const many = reading.BaselineAboveFour ? ' (more than 4)' : '';
  const count = state.case.visits.new_large_findings;
  const large = count ? ` At the follow-up alone: ${count} finding${count === 1 ? '' : 's'} too large for a microbleed, on the page of the comparison.` : '';
  $('reading').textContent = `${reading.NewMicrohaemorrhages} new microbleed${reading.NewMicrohaemorrhages === 1 ? '' : 's'}${possible}: ${reading.MicrohaemorrhageSeverity}; `
    + `${reading.BaselineMicrohaemorrhages} at the baseline${many}. The scans are ${state.case.visits.verdict}.${large}`;
  $('reading').title = state.case.visits.reasons.join('\n');
  const said = { ...EMPTY, ...findings };
  for (const [id, name] of Object.entries({ ...NUMBERS, ...TEXTS })) {
    if (document.activeElement !== $(id)) $(id).value = said[name] ?? '';
    $(id).disabled = Boolean(done);
  }
}
