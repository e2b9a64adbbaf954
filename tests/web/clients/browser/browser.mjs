// A real Chromium, headless, and pages in it that tell of everything that must not happen.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { chromium } from 'playwright-core';

const QUIET = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-extensions', '--force-color-profile=srgb',
];
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const base = process.env.GATEWAY_URL && new URL('/', process.env.GATEWAY_URL).href;

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM, args: QUIET });

/** A window with cookies and storage of its own. `problems` are what it said to its console (what
 * the policy of the page refused is among it), what it threw, and what it asked of other hosts. */
export async function openWindow(browser, url, { width = 1440, height = 900, theme = 'light' } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    locale: 'en-US',
    timezoneId: 'UTC',
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const problems = [];
  const { host: origin } = new URL(url);
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`exception: ${error.stack}`));
  const ask = (address) => {
    const { host, protocol } = new URL(address);
    if (host !== origin && !['data:', 'blob:'].includes(protocol)) problems.push(`foreign request: ${address}`);
  };
  page.on('request', (request) => ask(request.url()));
  page.on('websocket', (socket) => ask(socket.url()));
  await page.goto(url);
  return { page, problems, context };
}

export const live = (page) => page.locator('.live-state.live').waitFor();

/** What axe-core holds to be serious, or worse; by all its rules, or by these. */
export async function seriousFindings(page, ...rules) {
  await page.evaluate(AXE);
  const options = { resultTypes: ['violations'], ...(rules.length > 0 && { runOnly: rules }) };
  const { violations } = await page.evaluate((given) => window.axe.run(given), options);
  return violations
    .filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join('\n')}`);
}

/** Nothing is cut off or has to be scrolled for sideways. */
export async function assertFits(page) {
  const { scrolled, inner } = await page.evaluate(() => ({
    scrolled: document.documentElement.scrollWidth,
    inner: window.innerWidth,
  }));
  assert.ok(scrolled <= inner, `${scrolled} pixels in a window of ${inner}`);
}

/** Another program, without any client library. */
export async function elsewhere(url, query, variables, headers = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close', ...headers },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

const DETACH = `mutation ($invoiceId: ID!, $paymentIntentId: ID!, $idempotencyKey: String!) {
  detachPayment(input: { invoiceId: $invoiceId, paymentIntentId: $paymentIntentId, idempotencyKey: $idempotencyKey }) {
    errors { code message } } }`;
let keys = 0;

export async function detachElsewhere(url, invoiceId, paymentIntentId, headers) {
  const idempotencyKey = `${process.pid}-${(keys += 1)}`;
  const { detachPayment } = await elsewhere(url, DETACH, { invoiceId, paymentIntentId, idempotencyKey }, headers);
  assert.deepEqual(detachPayment.errors, []);
}
