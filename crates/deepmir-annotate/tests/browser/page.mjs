// A browser without a screen, and what tests do with the page.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Where `cargo xtask test` put playwright-core: not beside this file.
const { chromium } = createRequire(join(process.env.DEEPMIR_BROWSER, 'node_modules/'))('playwright-core');

const FLAGS = ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--disable-quic',
  '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Opens a browser; `close` fails if the page asked for anything elsewhere or complained. */
export async function browser(width = 1280, height = 800) {
  const profile = mkdtempSync(join(tmpdir(), 'deepmir-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.DEEPMIR_CHROMIUM, headless: true, args: FLAGS, viewport: { width, height },
  });
  const faults = [];
  let expected = [];
  context.on('request', (request) => {
    if (!/^(http:\/\/127\.0\.0\.1:|data:|blob:)/.test(request.url())) faults.push(`asked elsewhere: ${request.url()}`);
  });
  context.on('weberror', (error) => faults.push(`page error: ${error.error()}`));
  context.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`);
  });
  return {
    context,
    /** Messages that a test brings about itself. */
    expect(...patterns) { expected = patterns; },
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
      assert.deepEqual(faults.filter((fault) => !expected.some((pattern) => pattern.test(fault))), []);
    },
  };
}

export async function open(context, url) {
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForSelector('body[data-ready-ms]', { timeout: 120000 });
  return page;
}

/** Waits for the layer's revision. */
export const revision = (page, wanted) =>
  page.waitForFunction((n) => document.body.dataset.revision === String(n), wanted, { timeout: 20000 });

/** Brings a voxel's slice up and says where it is on the screen, in a pane. */
export async function placeOf(page, voxel, pane = 0) {
  return page.evaluate(async ([wanted, n]) => {
    const { state, panes } = globalThis.deepmir;
    const { moveTo } = await import('/page/js/panes.js');
    moveTo([state.voxel[0], state.voxel[1], wanted[2]]);
    // A click means what is on the screen: wait until that is the wanted slice.
    while (panes[n].voxel?.[2] !== wanted[2]) await new Promise((resolve) => requestAnimationFrame(resolve));
    return panes[n].placeOf(wanted);
  }, [voxel, pane]);
}

export async function clickVoxel(page, voxel, pane = 0, options = {}) {
  const [x, y] = await placeOf(page, voxel, pane);
  await page.mouse.click(x, y, options);
}

/** Moves the crosshair with the keyboard alone. */
export async function walkTo(page, voxel) {
  const at = await page.evaluate(() => [globalThis.deepmir.state.voxel, globalThis.deepmir.state.settings.radiological]);
  const [from, flip] = [at[0], at[1] ? -1 : 1];
  const press = async (count, key) => { for (let n = 0; n < count; n += 1) await page.keyboard.press(key); };
  const right = (voxel[0] - from[0]) * flip;
  await press(Math.abs(right), right > 0 ? 'ArrowRight' : 'ArrowLeft');
  await press(Math.abs(voxel[1] - from[1]), voxel[1] > from[1] ? 'ArrowUp' : 'ArrowDown');
  await press(Math.abs(voxel[2] - from[2]), voxel[2] > from[2] ? 'PageUp' : 'PageDown');
  assert.deepEqual(await page.evaluate(() => globalThis.deepmir.state.voxel), voxel);
}

export const layer = (page) => page.evaluate(() => globalThis.deepmir.state.layer);
