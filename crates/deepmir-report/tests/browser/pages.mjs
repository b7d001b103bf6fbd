// Plays the pages in a browser without a screen: node pages.mjs SUBJECT.html COHORT.html

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

// Where `cargo xtask test` put playwright-core: not beside this file.
const { chromium } = createRequire(join(process.env.DEEPMIR_BROWSER, 'node_modules/'))('playwright-core');

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

await subject(process.argv[2]);
await browser.close();
assert.deepEqual(faults, []);
