// The page: cases, tools, keys and pointers, wired together.

import * as api from './api.js';
import { ACTIONS, Keys } from './keys.js';
import * as lists from './lists.js';
import {
  active, changeWindow, draw, expect, layOut, moveTo, nextFourth, openCase, paintLayer, pan, panes, resetView, setActive, setHidden,
  startPanes, step, zoom,
} from './panes.js';
import { listenToPointers } from './pointers.js';
import { LOOKING, startLooking } from './results.js';
import { listenToSheet, showSheet } from './sheet.js';
import { $, candidates, indexOf, lesionAt, lesionById, placeOf, regionAt, state } from './state.js';
import * as work from './work.js';

const keys = new Keys(saveSettings);

function saveSettings() {
  state.settings.keys = keys.own;
  if (state.rater) api.saveSettings(state.rater, state.settings).catch((error) => work.banner(error.message));
}

// Cases

async function refreshCases() {
  state.cases = await api.cases(state.rater);
  lists.showCases(open);
}

const firstStage = (id) => (state.results ? 'results' : state.cases.find((other) => other.id === id)?.visits ? 'visits' : 'own');

async function open(id, stage = firstStage(id), opened = null) {
  work.banner(null);
  const asked = performance.now();
  const rater = stage === 'adjudication' ? 'adjudicated' : state.rater;
  const at = { case: id, rater, stage };
  try {
    const [wanted, layer] = await Promise.all([api.caseOf(id), opened ?? api.readLayer(at)]);
    const same = state.case?.id === id;
    Object.assign(state, { at, case: wanted, layer, lesion: null, candidate: null, startNew: false });
    if (state.results) $('who').textContent = `found by ${wanted.model}`;
    if (same) {
      work.setLayer(layer);
      await layOut();
    } else {
      Object.assign(state, { regionMap: null, noRegions: null, voxel: wanted.shape.map((length) => Math.floor(length / 2)), zoom: 1, pan: [0, 0, 0] });
      // One can begin at the first image, while the others come.
      await openCase(() => {
        document.body.dataset.firstImageMs ??= String(Math.round(performance.now()));
        work.setLayer(layer);
      });
    }
    document.body.dataset.opened = `${id} ${stage}`;
    document.body.dataset.allImagesMs ??= String(Math.round(performance.now()));
    document.body.dataset.openedMs = String(Math.round(performance.now() - asked));
    await refreshCases();
    // Of results the regions stand in the table; the colours are found when they are asked for.
    if (!same && state.results) showRegions();
    else if (!same) findRegions(id);
    // So that it is there when this one is done.
    const next = state.cases.find((other) => other.status === 'unread');
    if (next) api.caseOf(next.id).catch(() => {});
  } catch (error) {
    work.banner(error.message, [['Try again', () => open(id, stage, opened)]]);
  }
}

/** Asks for the regions of the case; they come after some seconds. */
async function findRegions(id) {
  showRegions();
  const found = await api.regions(id).catch((error) => error.message);
  if (state.case?.id !== id) return;
  if (typeof found === 'string') state.noRegions = `The regions of this head are not known: ${found}.`;
  else state.regionMap = found;
  document.body.dataset.regions = state.regionMap ? id : `${id} unknown`;
  show();
  showRegions();
  draw();
}

function showRegions() {
  const box = $('show-regions');
  box.disabled = !state.regionMap && !(state.results && !state.noRegions);
  box.checked = state.showRegions && Boolean(state.regionMap);
  box.parentElement.title = state.noRegions ?? (state.regionMap ? '' : 'Being found…');
}

function toggleRegions() {
  if (state.results && !state.regionMap && !state.noRegions) {
    state.showRegions = true;
    findRegions(state.case.id);
    return;
  }
  if (!state.regionMap) {
    work.banner(state.noRegions ?? 'The regions of this head are still being found.', [['Good', () => {}]], true);
    return;
  }
  state.showRegions = !state.showRegions;
  showRegions();
  draw();
}

async function openNext() {
  const unread = state.cases.find((other) => other.status === 'unread') ?? state.cases.find((other) => other.status === 'open');
  if (unread) await open(unread.id);
  else work.banner('Every case is done.', [['Good', () => {}]], true);
}

async function openBeside(by) {
  const beside = state.cases[state.cases.findIndex((other) => other.id === state.at.case) + by];
  if (beside) await open(beside.id);
}

async function review() {
  const id = state.at.case;
  try {
    await open(id, 'review', await api.startReview(id, state.rater));
  } catch (error) {
    work.banner(error.message, [['Good', () => {}]], true);
  }
}

function adjudicate() {
  const { finished } = state.cases.find((other) => other.id === state.at.case);
  const options = () => finished.map((rater) => new Option(rater, rater));
  $('first').replaceChildren(...options());
  $('second').replaceChildren(...options());
  $('second').selectedIndex = 1;
  $('between').onclose = async () => {
    if ($('between').returnValue !== 'go') return;
    const id = state.at.case;
    try {
      await open(id, 'adjudication', await api.startAdjudication(id, $('first').value, $('second').value));
    } catch (error) {
      work.banner(error.message, [['Good', () => {}]], true);
    }
  };
  $('between').showModal();
}

async function finish() {
  await work.finish(!state.layer.done);
  await refreshCases();
  show();
}

// What is shown

function show() {
  if (!state.layer) return;
  lists.showLesions(choose);
  lists.showLesion();
  lists.showCandidates(chooseCandidate);
  showSheet();
  const stage = state.at.stage;
  const row = state.cases.find((other) => other.id === state.at.case);
  if (row && !['adjudication', 'results'].includes(stage)) {
    row.lesions = ['CMB', 'NHID'].map((cls) => state.layer.lesions.filter((lesion) => lesion.class === cls).length);
    lists.showCases(open);
  }
  $('undo').disabled = !state.layer.can_undo || Boolean(state.layer.done);
  $('redo').disabled = !state.layer.can_redo || Boolean(state.layer.done);
  const what = { own: 'this case', review: 'this review', adjudication: 'settling', visits: 'this reading' }[stage];
  $('done').textContent = state.layer.done ? `Reopen ${what}` : stage === 'visits' ? 'Sign this reading' : `Done with ${what}`;
  $('review').hidden = !(stage === 'own' && row?.candidates && state.layer.done);
  $('adjudicate').hidden = !(stage === 'own' && (row?.finished.length ?? 0) > 1);
  $('own').hidden = ['own', 'visits'].includes(stage);
  document.body.dataset.revision = state.layer.revision;
  document.body.dataset.lesions = state.layer.lesions.length;
  showTools();
  showWhere();
}

function showTools() {
  document.querySelectorAll('[data-tool]').forEach((button) => button.setAttribute('aria-pressed', button.dataset.tool === state.tool));
  document.querySelectorAll('[data-class]').forEach((button) => button.setAttribute('aria-pressed', button.dataset.class === state.cls));
  $('brush').value = state.settings.brush;
  $('brush-mm').textContent = `${(2 * state.settings.brush).toFixed(0)} mm`;
  $('brush-3d').checked = state.settings.ball;
  $('radius').value = state.settings.radius;
  $('radius-mm').textContent = `${state.settings.radius} mm`;
  $('tolerance').value = state.settings.tolerance;
  $('tolerance-value').textContent = state.settings.tolerance.toFixed(2);
}

function showWhere() {
  if (!state.case) return;
  const place = placeOf(state.voxel).map((mm) => mm.toFixed(1).replace('-', '−'));
  const lesion = lesionAt(indexOf(state.voxel));
  const region = regionAt(state.voxel)?.name;
  $('where').textContent = `slice ${state.voxel[2] + 1} of ${state.case.shape[2]}; ${place.join(', ')} mm${region ? `, ${region}` : ''}${lesion ? `; lesion ${lesion}` : ''}${state.startNew ? '; next mark is a new lesion' : ''}`;
}

function choose(id) {
  state.lesion = id;
  // Of results one is chosen, a lesion or a candidate.
  if (state.results) state.candidate = null;
  const lesion = lesionById(id);
  if (lesion) moveTo(lesion.voxel);
  if (state.zoom > 1) zoom(1);
  show();
  paintLayer();
}

function chooseNext(list, current, by, pick) {
  if (!list.length) return;
  const place = list.indexOf(current);
  pick(list[(place + by + list.length + (place < 0 && by < 0 ? 1 : 0)) % list.length]);
}

function chooseCandidate(key) {
  state.candidate = key;
  if (state.results) state.lesion = null;
  const candidate = state.layer.candidates.find((other) => other.key === key);
  if (candidate) moveTo(candidate.voxel);
  if (state.zoom > 1) zoom(1);
  show();
  paintLayer();
}

async function decide(type) {
  const key = state.candidate;
  if (!key) return;
  const rival = state.layer.candidates.find((other) => other.key === key)?.rival;
  await work.operate({ type, candidate: key });
  if (type === 'withdraw') return;
  const open = state.layer.candidates.filter((other) => !other.verdict && other.key !== rival);
  if (open.length && state.layer.candidates.find((other) => other.key === key)?.verdict) chooseCandidate(open[0].key);
}

/** Says of the chosen lesion what is proposed, unless the rater has said something. */
function takeProposed() {
  const lesion = lesionById(state.lesion);
  const proposed = lesion && !lesion.region && regionAt(lesion.voxel);
  if (proposed) annotate({ region: proposed.key });
}

const annotate = (change) => { if (state.lesion) work.operate({ type: 'annotate', lesion: state.lesion, ...change }); };

// What can be done

const actions = {
  left: () => step(-1, 0, 0), right: () => step(1, 0, 0), up: () => step(0, 1, 0), down: () => step(0, -1, 0),
  'slice-up': () => step(0, 0, 1), 'slice-down': () => step(0, 0, -1),
  stamp: () => work.stamp(false, panes[active].view), 'stamp-erase': () => work.stamp(true, panes[active].view),
  grow: () => work.growAt(state.voxel, panes[active].kind),
  fill: () => { if (state.lesion) work.operate({ type: 'fill', lesion: state.lesion }); },
  'new-lesion': () => { state.startNew = !state.startNew; },
  'tool-brush': () => { state.tool = 'brush'; }, 'tool-eraser': () => { state.tool = 'eraser'; },
  'tool-grow': () => { state.tool = 'grow'; }, 'tool-look': () => { state.tool = 'look'; },
  smaller: () => set({ brush: Math.max(0.5, state.settings.brush - 0.5) }), larger: () => set({ brush: Math.min(15, state.settings.brush + 0.5) }),
  ball: () => set({ ball: !state.settings.ball }),
  nearer: () => set({ radius: Math.max(1, state.settings.radius - 0.5) }), farther: () => set({ radius: Math.min(12, state.settings.radius + 0.5) }),
  stricter: () => setTolerance(-0.05), looser: () => setTolerance(0.05),
  cmb: () => { state.cls = 'CMB'; }, nhid: () => { state.cls = 'NHID'; },
  class: () => annotate({ class: lesionById(state.lesion)?.class === 'CMB' ? 'NHID' : 'CMB' }),
  certainty: () => annotate({ certainty: lesionById(state.lesion)?.certainty === 'definite' ? 'possible' : 'definite' }),
  region: () => $('region').focus(), propose: () => takeProposed(), comment: () => $('comment').focus(),
  delete: () => { if (state.lesion) work.operate({ type: 'delete', lesion: state.lesion }); },
  'next-lesion': () => chooseNext(state.layer.lesions.map((lesion) => lesion.id), state.lesion, 1, choose),
  'previous-lesion': () => chooseNext(state.layer.lesions.map((lesion) => lesion.id), state.lesion, -1, choose),
  deselect: () => { state.lesion = null; show(); paintLayer(); },
  undo: () => work.undo(), redo: () => work.redo(),
  hide: () => setHidden(!state.hidden), regions: () => toggleRegions(), view: () => { state.planes = !state.planes; layOut(); },
  side: () => { set({ radiological: !state.settings.radiological }); layOut(); },
  pane: () => setActive((active + 1) % 4), fourth: () => nextFourth(),
  'zoom-in': () => zoom(1.4), 'zoom-out': () => zoom(1 / 1.4), reset: () => resetView(),
  'pan-left': () => pan(active, -10, 0), 'pan-right': () => pan(active, 10, 0), 'pan-up': () => pan(active, 0, 10), 'pan-down': () => pan(active, 0, -10),
  brighter: () => changeWindow(active, -0.05, 0), darker: () => changeWindow(active, 0.05, 0),
  narrower: () => changeWindow(active, 0, -0.1), wider: () => changeWindow(active, 0, 0.1),
  done: () => finish(), 'next-case': () => openNext(), 'case-below': () => openBeside(1), 'case-above': () => openBeside(-1),
  // As their buttons: only where they are offered.
  review: () => { if (!$('review').hidden) review(); }, adjudicate: () => { if (!$('adjudicate').hidden) adjudicate(); },
  own: () => { if (!$('own').hidden) open(state.at.case); },
  exchange: () => { if (state.case.visits) { state.exchanged = !state.exchanged; layOut(); } },
  'next-candidate': () => chooseNext(candidates().map((other) => other.key), state.candidate, 1, chooseCandidate),
  'previous-candidate': () => chooseNext(candidates().map((other) => other.key), state.candidate, -1, chooseCandidate),
  accept: () => decide('accept'), reject: () => decide('reject'), withdraw: () => decide('withdraw'),
  protocol: () => ($('protocol').open ? $('protocol').close() : $('protocol').show()),
  help: () => { keys.render($('keys')); $('help').showModal(); },
};

function act(name) {
  actions[name]();
  showTools();
  showWhere();
}

const setTolerance = (by) => set({ tolerance: Math.round(100 * Math.max(0.1, Math.min(0.9, state.settings.tolerance + by))) / 100 });

function set(change) {
  Object.assign(state.settings, change);
  saveSettings();
}

function listenToKeys() {
  window.addEventListener('keydown', (event) => {
    if (document.querySelector('dialog:modal')) return;
    const typing = event.target.closest('input:not([type=range]):not([type=checkbox]), select');
    if (typing) {
      if (event.key === 'Escape' || (event.key === 'Enter' && typing.tagName === 'INPUT')) typing.blur();
      return;
    }
    const name = keys.actionFor(event);
    // Space presses the button that has the focus, as everywhere.
    if (!name || (event.key === ' ' && event.target.closest('button, input'))) return;
    if (!state.layer && !['help', 'protocol'].includes(name)) return;
    event.preventDefault();
    act(name);
  });
}

function listenToButtons() {
  document.querySelectorAll('[data-tool]').forEach((button) => button.addEventListener('click', () => act(`tool-${button.dataset.tool}`)));
  document.querySelectorAll('[data-class]').forEach((button) => button.addEventListener('click', () => act(button.dataset.class.toLowerCase())));
  const buttons = {
    undo: 'undo', redo: 'redo', done: 'done', 'next-case': 'next-case', review: 'review', adjudicate: 'adjudicate', own: 'own', accept: 'accept', reject: 'reject', withdraw: 'withdraw',
    'help-button': 'help', 'protocol-button': 'protocol', 'lesion-class': 'class', 'lesion-certainty': 'certainty', 'lesion-fill': 'fill', 'lesion-delete': 'delete',
  };
  for (const [id, name] of Object.entries(buttons)) {
    $(id).addEventListener('click', () => act(name));
    const key = ACTIONS.find(([action]) => action === name)?.[1];
    if (key) $(id).title = key;
  }
  $('brush').addEventListener('input', (event) => { set({ brush: Number(event.target.value) }); showTools(); });
  $('radius').addEventListener('input', (event) => { set({ radius: Number(event.target.value) }); showTools(); });
  $('tolerance').addEventListener('input', (event) => { set({ tolerance: Number(event.target.value) }); showTools(); });
  $('brush-3d').addEventListener('change', (event) => set({ ball: event.target.checked }));
  $('propose').addEventListener('click', takeProposed);
  $('show-regions').addEventListener('change', (event) => { toggleRegions(); event.target.blur(); });
  $('region').addEventListener('change', (event) => { annotate({ region: event.target.value || null }); event.target.blur(); });
  $('change').addEventListener('change', (event) => { annotate({ change: event.target.value }); event.target.blur(); });
  $('comment').addEventListener('change', (event) => annotate({ comment: event.target.value }));
  $('lesion').addEventListener('submit', (event) => event.preventDefault());
}

// Beginning

async function logIn(session) {
  if (session.rater) {
    Object.assign(state, { rater: session.rater });
    return session.settings;
  }
  $('raters').replaceChildren(...session.raters.map((rater) => new Option(rater, rater)));
  for (;;) {
    $('login').showModal();
    await new Promise((resolve) => { $('login').onclose = resolve; });
    const id = $('rater').value.trim();
    try {
      const settings = await api.addRater(id);
      state.rater = id;
      return settings;
    } catch (error) {
      work.banner(error.message);
    }
  }
}

async function begin() {
  // The token has done its work; it need not stand in the address bar.
  history.replaceState(null, '', '/');
  const session = await api.session();
  state.regions = session.regions;
  const settings = await logIn(session);
  Object.assign(state.settings, settings);
  keys.use(state.settings.keys);
  state.results = session.results;
  if (state.results) {
    keys.limit(LOOKING);
    startLooking(() => lists.showCandidates(chooseCandidate));
  } else {
    $('who').textContent = `rater ${state.rater}`;
  }
  work.banner(null);
  work.onLayer(show);
  listenToKeys();
  listenToButtons();
  listenToSheet();
  await refreshCases();
  const withStatus = (status) => state.cases.find((other) => other.status === status);
  const first = withStatus('open') ?? withStatus('unread') ?? withStatus('found');
  // The server reads the images while the first pane starts.
  if (first) api.caseOf(first.id).then(expect).catch(() => {});
  await startPanes();
  const chosen = (lesion) => {
    state.lesion = lesion;
    if (lesion && state.results) state.candidate = null;
    show();
    paintLayer();
  };
  panes.forEach((pane, n) => listenToPointers(pane, n, chosen, showWhere));
  if (first) await open(first.id);
  else await openNext();
  api.protocol().then((html) => { $('protocol-text').innerHTML = html; }).catch((error) => work.banner(error.message));
  document.body.dataset.readyMs = String(Math.round(performance.now()));
}

// Read by tests; nothing secret is in it.
globalThis.deepmir = { state, panes, placeOf, indexOf };

begin().catch((error) => work.banner(error.message));
