// Plays the pages in a browser without a screen: node pages.mjs SUBJECT.html COHORT.html

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

// Where `cargo xtask test` put playwright-core and axe-core: not beside this file.
const modules = createRequire(join(process.env.DEEPMIR_BROWSER, 'node_modules/'));
const { chromium } = modules('playwright-core');

const browser = await chromium.launch({
  executablePath: process.env.DEEPMIR_CHROMIUM, headless: true, args: ['--no-sandbox', '--disable-gpu', '--no-first-run'],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
const faults = [];
context.on('request', (request) => { if (!/^(file|data):/.test(request.url())) faults.push(`asked: ${request.url()}`); });
context.on('console', (message) => { if (message.type() === 'error') faults.push(message.text()); });
context.on('weberror', (error) => faults.push(String(error.error())));

async function open(file, width = 1280) {
  const page = await context.newPage();
  await page.setViewportSize({ width, height: 800 });
  await page.goto(pathToFileURL(file).href);
  return page;
}

async function fits(page, width) {
  await page.setViewportSize({ width, height: 800 });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `wider than ${width}`);
}

async function subject(file) {
  const page = await open(file);
  assert.equal(await page.locator('#summary p').count(), 3);
  assert.equal(await page.locator('b.injected').count(), 0);
  // Keys step through the cards and switch the outlines.
  const focused = () => page.evaluate(() => document.activeElement.id);
  await page.keyboard.press('j');
  assert.equal(await focused(), 'lesion-1');
  await page.keyboard.press('j');
  assert.equal(await focused(), 'lesion-2');
  await page.keyboard.press('k');
  assert.equal(await focused(), 'lesion-1');
  const outline = page.locator('#lesion-1 .outline.CMB').first();
  const visibility = () => outline.evaluate((path) => getComputedStyle(path).visibility);
  assert.equal(await visibility(), 'visible');
  await page.keyboard.press('o');
  assert.equal(await visibility(), 'hidden');
  // Pictures are decoded, each at least 240 pixels wide.
  const widths = await page.evaluate(() => Promise.all([...document.querySelectorAll('image')].map(async (one) => {
    const image = new Image();
    image.src = one.href.baseVal;
    await image.decode();
    return image.naturalWidth;
  })));
  assert.ok(widths.length >= 6 && widths.every((width) => width >= 240), String(widths));
  // A number of the overview leads to its card; a link to what is folded opens it.
  await page.locator('.glass a').first().click();
  assert.match(page.url(), /#lesion-1$/);
  await page.evaluate(() => { location.hash = '#candidate-A'; });
  await page.waitForFunction(() => document.getElementById('near').open);
  // In print, each image is there with the outline and without.
  const shown = () => page.locator('#lesion-1 .strips figure:visible').count();
  const before = await shown();
  await page.emulateMedia({ media: 'print' });
  assert.equal(await shown(), 2 * before);
  assert.equal(await visibility(), 'visible');
  await page.emulateMedia({ media: 'screen' });
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.locator('#copy').click();
  await page.waitForFunction(() => document.getElementById('copied').textContent !== '');
  for (const width of [390, 1280, 1920]) await fits(page, width);
  await page.close();
}

async function cohort(file) {
  const started = Date.now();
  const page = await open(file);
  const painted = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN);
  const count = () => page.locator('#count').textContent();
  const first = (column) => page.locator(`#scans tbody tr:first-child td:nth-child(${column})`).textContent();
  assert.equal(await count(), '10000 of 10000');
  assert.equal(await page.locator('b.injected').count(), 0);
  // What failed comes first, with the reason; a column without content is left out.
  assert.equal(await first(2), 'failed');
  const headings = await page.locator('#scans thead button').allTextContents();
  assert.ok(headings.includes('cmb count') && !headings.includes('empty'), String(headings));
  assert.match(await page.locator('#scans thead th').nth(3).getAttribute('title'), /^cmb_count: what/);
  // Sort, filter and columns stand in the address, and come back from it.
  await page.getByRole('button', { name: 'cmb count' }).click();
  assert.equal(await first(4), '6');
  const filtering = await page.evaluate(() => {
    const filter = document.getElementById('filter'), times = [];
    for (const words of ['cmb_count>=6 sub-00', 'measure_3<0', 'sub-09', 'cmb_count>=6 sub-00']) {
      const begun = performance.now();
      filter.value = words;
      filter.dispatchEvent(new Event('input'));
      document.body.offsetHeight;
      times.push(performance.now() - begun);
    }
    return times;
  });
  assert.match(await count(), /^1\d\d of 10000$/);
  await page.locator('details.columns summary').click();
  await page.getByLabel('measure 30', { exact: true }).check();
  assert.match(page.url(), /filter=.*sort=-cmb_count.*columns=.*measure_30/);
  const again = await open(file);
  await again.goto(page.url());
  assert.equal(await again.locator('#count').textContent(), await count());
  assert.ok((await again.locator('#scans thead button').allTextContents()).includes('measure 30'));
  await again.close();
  // Rows that are saved are those that are shown; no cell is a formula.
  await page.locator('#filter').fill('failed');
  const [download] = await Promise.all([page.waitForEvent('download'), page.locator('#export').click()]);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  const lines = Buffer.concat(chunks).toString().trim().split('\r\n');
  assert.equal(lines.length, 11);
  assert.ok(lines[0].startsWith('scan_id,state,reason,cmb_count,empty,measure_0'));
  assert.ok(lines[1].includes(`"'=HYPERLINK(""x"")"`) && /,-\d/.test(lines[1]), lines[1]);
  for (const width of [390, 1280, 1920]) await fits(page, width);
  await page.close();
  console.log(`10,000 rows, ${(statSync(file).size / 1e6).toFixed(1)} MB: first paint ${painted.toFixed(0)} ms, all ${Date.now() - started} ms, filter ${Math.max(...filtering).toFixed(0)} ms at most`);
  // Far from the 2 s and 100 ms that an idle machine is held to, as tests share theirs.
  assert.ok(!(painted > 10_000) && Math.max(...filtering) < 1000, `${painted} ${filtering}`);
}

/** What makes a page hard to use with a keyboard, a screen reader or low vision, by axe-core's rules. */
async function accessible(files) {
  const axe = readFileSync(modules.resolve('axe-core/axe.min.js'), 'utf8');
  for (const colorScheme of ['light', 'dark']) {
    // The page's own policy lets no script in.
    const other = await browser.newContext({ bypassCSP: true, colorScheme, viewport: { width: 1280, height: 800 } });
    for (const file of files) {
      const page = await other.newPage();
      await page.goto(pathToFileURL(file).href);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      const grave = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
      assert.deepEqual(grave.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`), [], `${colorScheme} ${file}`);
      await page.close();
    }
    await other.close();
  }
}

await accessible(process.argv.slice(2));
await subject(process.argv[2]);
await cohort(process.argv[3]);
await browser.close();
assert.deepEqual(faults, []);
