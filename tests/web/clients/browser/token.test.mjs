// Callers have to sign in, with tokens that expire.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';

import { base, detachElsewhere, launch, live, openWindow, seriousFindings } from './browser.mjs';

const url = process.env.GATEWAY_URL;
const LASTS_SECONDS = 6;
let browser;

before(async () => void (browser = await launch()));
after(() => browser.close());

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

function token({ seconds = 3600, scope = 'invoices:read events:read payments:write' } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: 'test', aud: 'gateway', sub: 'anna', exp: now + seconds, scope, customers: '*' };
  const signed = `${encoded({ alg: 'HS256', typ: 'JWT' })}.${encoded(claims)}`;
  return `${signed}.${createHmac('sha256', process.env.SECRET).update(signed).digest('base64url')}`;
}

async function signIn(page, given) {
  await page.getByLabel('Access token').fill(given);
  await page.getByRole('button', { name: 'Continue' }).click();
}

test('a token that expires brings the sign-in back, and who signs in again is where they were', async () => {
  const { page, problems, context } = await openWindow(browser, `${base}invoices/in_demo_paid_by_two`);
  await page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
  assert.deepEqual(await seriousFindings(page), []);

  await signIn(page, token({ seconds: LASTS_SECONDS }));
  await page.locator('.summary .badge').getByText('Paid', { exact: true }).waitFor();
  await live(page);
  await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
  await detachElsewhere(url, 'in_demo_paid_by_two', 'pi_demo_two_b', { authorization: `Bearer ${token()}` });
  await signIn(page, token());
  await page.locator('.summary .badge').getByText('Open', { exact: true }).waitFor();
  await live(page);

  assert.match(page.url(), /invoices\/in_demo_paid_by_two$/);
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  assert.ok(!kept.includes('eyJ'), kept);
  assert.deepEqual(problems, []);
  await context.close();
});

test('what a caller may not do is not offered', async () => {
  const { page, problems, context } = await openWindow(browser, `${base}invoices/in_demo_open`);

  await signIn(page, token({ scope: 'invoices:read events:read' }));
  await page.locator('.payment').first().waitFor();
  await live(page);

  assert.equal(await page.getByRole('button', { name: /Attach|Detach|Let it|Pay out/ }).count(), 0);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
  assert.equal(await page.locator('.payment').count(), 0);
  assert.deepEqual(problems, []);
  await context.close();
});

test('a token that is no good is refused with the reason', async () => {
  const { page, context } = await openWindow(browser, base);

  await signIn(page, 'nonsense');

  await page.getByRole('alert').getByText('The token was refused').waitFor();
  await page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
  await context.close();
});
