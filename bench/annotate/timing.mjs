// How long a rater waits. Called by `cargo xtask timing` as: node timing.mjs DEEPMIR BIDS RUNS
//
// Each run is a new server with a new store and a new browser profile, so nothing is cached; the page is
// asked for as soon as the server has printed its address. Milliseconds; medians below.
//   first_image   from asking for the page to the first image drawn
//   all_images    to all four drawn
//   press         from pressing the brush to the frame on the screen that shows it (the browser's own
//                 event timing, in steps of 8), median of the presses
//   saved         from releasing it to the lesion in the list, with its measures
//   cpu_first     time of all processors of server and browser up to the first image: what the wait comes
//                 to where one processor has nothing else to do (Linux)
//   load          the machine's load average (cpu figures need no quiet machine, the others do)

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { browser, placeOf } from '../../crates/deepmir-annotate/tests/browser/page.mjs';

const [program, dataset, runs = '5'] = process.argv.slice(2);
const PRESSES = 10;

async function serve(derivatives) {
  const server = spawn(program, ['annotate', dataset, '--rater', 'timing', '--derivatives', derivatives, '-q'],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const url of createInterface({ input: server.stdout })) return { server, url };
  throw new Error('the server printed no address');
}

/** Milliseconds of processor that this process's descendants have used. */
function used() {
  if (!existsSync('/proc/self/stat')) return NaN;
  const processes = new Map();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [, parent, ...fields] = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
      const ticks = fields.slice(9, 13).reduce((sum, field) => sum + Number(field), 0);
      processes.set(Number(pid), { parent: Number(parent), ms: ticks * 10 });
    } catch { /* it has ended */ }
  }
  const ours = (pid) => pid === process.pid || (processes.has(pid) && ours(processes.get(pid).parent));
  return [...processes].filter(([pid]) => ours(pid) && pid !== process.pid).reduce((sum, [, { ms }]) => sum + ms, 0);
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Presses the brush here and there. */
async function strokes(page) {
  await page.evaluate(() => {
    globalThis.presses = [];
    new PerformanceObserver((list) => {
      globalThis.presses.push(...list.getEntries().filter((entry) => entry.name === 'pointerdown').map((entry) => entry.duration));
    }).observe({ type: 'event', durationThreshold: 16 });
  });
  const saved = [];
  const middle = await page.evaluate(() => globalThis.deepmir.state.voxel);
  for (let n = 0; n < PRESSES; n += 1) {
    const [x, y] = await placeOf(page, [middle[0] - 30 + 6 * n, middle[1], middle[2]]);
    await page.mouse.move(x, y);
    await page.waitForTimeout(300);
    const before = await page.evaluate(() => document.body.dataset.revision);
    await page.mouse.down();
    await page.waitForTimeout(100);
    const from = await page.evaluate(() => performance.now());
    await page.mouse.up();
    await page.waitForFunction((was) => document.body.dataset.revision !== was, before, { polling: 'raf', timeout: 60000 });
    saved.push(await page.evaluate((then) => performance.now() - then, from));
    await page.waitForTimeout(300);
  }
  // A press that took less than 16 ms is not reported.
  const presses = await page.evaluate(() => globalThis.presses);
  while (presses.length < PRESSES) presses.push(16);
  return { press: median(presses), saved: median(saved) };
}

async function once() {
  const derivatives = mkdtempSync(join(tmpdir(), 'deepmir-timing-'));
  const window = await browser();
  const page = await window.context.newPage();
  const { server, url } = await serve(derivatives);
  try {
    const before = used();
    await page.goto(url);
    await page.waitForSelector('body[data-first-image-ms]', { timeout: 300000 });
    const cpu = used() - before;
    await page.waitForSelector('body[data-ready-ms]', { timeout: 300000 });
    const { firstImageMs, allImagesMs } = await page.evaluate(() => ({ ...document.body.dataset }));
    return { first_image: Number(firstImageMs), all_images: Number(allImagesMs), ...await strokes(page), cpu_first: cpu, load: loadavg()[0] };
  } finally {
    await window.close();
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill();
    await ended;
    rmSync(derivatives, { recursive: true, force: true });
  }
}

const rows = [];
for (let n = 0; n < Number(runs); n += 1) rows.push(await once());
const names = Object.keys(rows[0]);
const say = (cells) => process.stdout.write(`${cells.join('\t')}\n`);
const shown = (name, value) => value.toFixed(name === 'load' ? 1 : 0);
say(['run', ...names]);
rows.forEach((row, n) => say([n + 1, ...names.map((name) => shown(name, row[name]))]));
say(['median', ...names.map((name) => shown(name, median(rows.map((row) => row[name]))))]);
process.exit(0);
