// Talking to the server. Everything stays on this machine.

/** What the server said no to; `status` 409 is a change made in another window. */
export class Refusal extends Error {
  constructor(status, words) { super(words); this.status = status; }
}

async function ask(method, path, body) {
  const options = { method, credentials: 'same-origin', headers: {} };
  if (body !== undefined) {
    options.headers['Content-Type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refusal(0, 'The server does not answer. What was saved is safe; start deepmir annotate again and open the new address.');
  }
  if (!response.ok) {
    const text = await response.text();
    let words = text;
    try { words = JSON.parse(text).error ?? text; } catch { /* plain words */ }
    throw new Refusal(response.status, words);
  }
  return response;
}

const part = encodeURIComponent;
const layer = (at) => `/api/layers/${part(at.case)}/${part(at.rater)}/${at.stage}`;
const json = async (...request) => (await ask(...request)).json();

export const session = () => json('GET', '/api/session');
export const addRater = (id) => json('POST', '/api/raters', { id });
export const saveSettings = (rater, settings) => json('PUT', `/api/raters/${part(rater)}/settings`, settings);
export const cases = (rater) => json('GET', `/api/raters/${part(rater)}/cases`);
export const caseOf = (id) => json('GET', `/api/cases/${part(id)}`);
export const image = async (id, kind) => (await ask('GET', `/api/cases/${part(id)}/images/${part(kind)}`)).arrayBuffer();
/** A byte a voxel; or words, why there are none. */
export async function regions(id) {
  const answer = await ask('GET', `/api/cases/${part(id)}/regions`);
  const known = answer.headers.get('Content-Type') === 'application/octet-stream';
  return known ? new Uint8Array(await answer.arrayBuffer()) : (await answer.json()).reason;
}
export const readLayer = (at) => json('GET', layer(at));
export const operate = (at, revision, operation) => json('POST', `${layer(at)}/operations`, { revision, operation });
export const undo = (at, revision) => json('POST', `${layer(at)}/undo`, { revision });
export const redo = (at, revision) => json('POST', `${layer(at)}/redo`, { revision });
export const setDone = (at, revision, done) => json('POST', `${layer(at)}/done`, { revision, done });
export const startReview = (id, rater) => json('POST', `/api/reviews/${part(id)}/${part(rater)}`);
export const startAdjudication = (id, first, second) =>
  json('POST', `/api/adjudications/${part(id)}/${part(first)}/${part(second)}`);
export const protocol = async () => (await ask('GET', '/api/protocol')).text();
