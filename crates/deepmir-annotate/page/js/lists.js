// The lists beside the panes.

import { $, candidates as listed, lesionById, regionAt, state } from './state.js';

const STATUS = { unread: ['○', 'unread'], open: ['◐', 'begun'], done: ['●', 'done'], reviewing: ['◑', 'in review'], reviewed: ['✔', 'reviewed'], found: ['●', ''] };
const number = (value, digits) => (value === null || value === undefined ? '–' : value.toFixed(digits).replace('-', '−'));

function item(current, parts, act, data = {}) {
  const li = document.createElement('li');
  const button = document.createElement('button');
  button.type = 'button';
  if (current) button.setAttribute('aria-current', 'true');
  Object.assign(button.dataset, data);
  for (const [tag, text, cls] of parts) {
    const part = document.createElement(tag);
    part.textContent = text;
    if (cls) part.className = cls;
    button.append(part);
  }
  button.addEventListener('click', act);
  li.append(button);
  return li;
}

/** Fills a list, leaving the focus and the place where they were. */
function fill(list, items) {
  const focused = [...list.querySelectorAll('button')].indexOf(document.activeElement);
  const top = list.scrollTop;
  list.replaceChildren(...items);
  list.scrollTop = top;
  list.querySelectorAll('button')[focused]?.focus();
  list.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest' });
}

export function showCases(open) {
  const finished = state.cases.filter((other) => ['done', 'reviewing', 'reviewed'].includes(other.status)).length;
  $('progress').textContent = state.results ? `${state.cases.length}` : `${finished} of ${state.cases.length} done`;
  fill($('cases'), state.cases.map((other) => {
    const [sign, words] = STATUS[other.status];
    const count = other.status === 'unread' ? words : `${other.lesions[0]} + ${other.lesions[1]}${other.adjudicated ? ', settled' : ''}`;
    return item(other.id === state.at?.case, [['span', sign], ['span', other.id], ['small', count]], () => open(other.id), { case: other.id, status: other.status });
  }));
}

const size = (lesion) => `${number(lesion.diameter_mm, 1)} mm`;
const chi = (lesion) => (lesion.chi_mean_ppm === null ? '' : ` χ ${number(lesion.chi_mean_ppm, 2)}`);

/** What the rater said, else what is proposed, else what the place in the brain suggests. */
function regionOf(lesion) {
  const said = lesion.region?.replaceAll('_', ' ');
  const proposed = regionAt(lesion.voxel)?.key.replaceAll('_', ' ');
  return said ?? (proposed ? `${proposed}?` : lesion.lobe ?? '');
}

export function showLesions(choose) {
  const { lesions } = state.layer;
  const count = (cls) => lesions.filter((lesion) => lesion.class === cls).length;
  $('counts').textContent = `${count('CMB')} CMB, ${count('NHID')} NHID`;
  fill($('lesions'), lesions.map((lesion) => item(lesion.id === state.lesion, [
    ['span', `${lesion.id}`],
    ['b', lesion.class, lesion.class.toLowerCase()],
    ['span', lesion.certainty === 'possible' ? '?' : ''],
    ['span', lesion.change ?? '', 'other'],
    ['span', `${lesion.side} ${regionOf(lesion)}`],
    ['small', size(lesion) + chi(lesion)],
  ], () => choose(lesion.id), { lesion: lesion.id })));
}

/** A candidate's number in the program's table. */
const numberOf = ({ key }) => key.replace(/^(model|lesion|place):(map)?/, '');

export function showLesion() {
  const candidate = state.results ? state.layer.candidates.find((one) => one.key === state.candidate) : null;
  const lesion = lesionById(state.lesion) ?? candidate;
  $('lesion').hidden = !lesion;
  if (!lesion) return;
  $('lesion-title').textContent = lesion === candidate ? `Candidate ${numberOf(candidate)}, not called` : `Lesion ${lesion.id}`;
  const remarks = [
    lesion.note?.includes('diamagnetic') ? 'dark on QSM: calcification?' : '',
    lesion.note?.includes('linear') ? 'long: a vessel?' : '',
    lesion.parts > 1 ? `in ${lesion.parts} pieces` : '',
  ].filter(Boolean);
  const place = lesion.side ? ` ${{ L: 'left', R: 'right' }[lesion.side]} ${regionOf(lesion)};` : '';
  const sure = lesion.certainty ? `${lesion.certainty}, ` : '';
  const found = typeof lesion.probability === 'number' ? `${sure}probability ${number(lesion.probability, 2)};${place} ` : '';
  $('lesion-measures').textContent = found +
    `${number(lesion.volume_mm3, 1)} mm³, ${size(lesion)}, ${lesion.n_voxels} voxels; χ ${number(lesion.chi_mean_ppm, 3)} ppm; `
    + `SWI ${lesion.swi_contrast === null ? '–' : `${number(100 * lesion.swi_contrast, 0)} %`}${remarks.length ? `; ${remarks.join('; ')}` : ''}`;
  $('lesion-class').textContent = lesion.class;
  $('lesion-class').className = lesion.class.toLowerCase();
  $('lesion-certainty').textContent = lesion.certainty;
  $('change-label').hidden = !lesion.change;
  $('change').value = lesion.change ?? 'new';
  const region = $('region');
  if (!region.options.length) {
    region.append(new Option('', ''), ...['lobar', 'deep', 'infratentorial'].map((lobe) => {
      const group = document.createElement('optgroup');
      group.label = lobe;
      group.append(...state.regions.filter((other) => other.lobe === lobe).map((other) => new Option(other.name, other.key)));
      return group;
    }));
  }
  const proposed = regionAt(lesion.voxel);
  const guess = proposed ? `${proposed.name} (proposed)` : `${lesion.lobe ?? 'not known'} (by place)`;
  region.options[0].text = lesion.region ? 'not said' : guess;
  $('propose').hidden = !proposed || Boolean(lesion.region);
  region.value = lesion.region ?? '';
  if (document.activeElement !== $('comment')) $('comment').value = lesion.comment;
}

export function showCandidates(choose) {
  const candidates = listed();
  const settling = state.at.stage === 'adjudication';
  $('decide').hidden = state.at.stage === 'own';
  const open = candidates.filter((candidate) => !candidate.verdict).length;
  const visits = state.at.stage === 'visits';
  $('least-value').textContent = number(state.least, 2);
  $('decide-title').textContent = state.results ? `Not called, ${candidates.length} of ${state.layer.candidates.length}` : visits ? `Changes, ${open} open` : settling ? `Differences, ${open} open` : `Candidates of the model, ${open} open`;
  fill($('candidates'), candidates.map((candidate) => {
    const verdict = state.results ? '' : candidate.verdict === 'rejected' ? 'rejected' : candidate.verdict ? 'accepted' : 'open';
    const percent = candidate.probability === null ? '' : `${Math.round(100 * candidate.probability)} %`;
    const marked = candidate.marked_as.length ? `is ${candidate.marked_as.join(', ')}` : '';
    const remark = candidate.change ? `${candidate.change} ${percent}`
      : candidate.difference === 'class' ? 'other class' : candidate.difference ? 'alone' : [marked, percent].filter(Boolean).join(', ');
    return item(candidate.key === state.candidate, [
      ['span', { open: '○', accepted: '✔', rejected: '✘' }[verdict] ?? ''],
      ['span', settling ? candidate.key : `${candidate.doubted && !state.results ? '?' : ''}${numberOf(candidate)}`],
      ['b', candidate.class, candidate.class.toLowerCase()],
      ['span', remark, 'other'],
      ['small', size(candidate) + chi(candidate)],
    ], () => choose(candidate.key), { candidate: candidate.key, verdict });
  }));
  for (const id of ['accept', 'reject', 'withdraw']) $(id).disabled = !state.candidate || Boolean(state.layer.done);
}
