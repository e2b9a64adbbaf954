// The gateway behind an open page is killed and started again.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { overSandbox } from '../processes.mjs';
import { launch, live, openWindow } from './browser.mjs';

let browser;
let stripe;

before(async () => void ([browser, stripe] = await Promise.all([launch(), overSandbox()])));
after(() => Promise.all([browser.close(), stripe.end()]));

test('what happened while the gateway was away is there when it is back, and nothing is missed', async () => {
  const base = new URL('/', stripe.url).href;
  const { page, problems, context } = await openWindow(browser, `${base}invoices/in_demo_open`);
  await live(page);
  assert.equal(await page.getByText('Test mode').count(), 1);
  assert.equal(await page.getByText('Let it succeed').count(), 0);

  await stripe.kill();
  await page.locator('.live-state.offline').waitFor();
  await stripe.post('/v1/invoices/in_demo_open/attach_payment', { payment_intent: 'pi_demo_free' });
  await stripe.start();
  await live(page);
  await page.getByTestId('remaining').getByText('$49.00').waitFor();
  await page.locator('.payment', { hasText: 'pi_demo_free' }).first().waitFor();
  await page.locator('.events').getByText('Payment paid').waitFor();

  assert.equal(await page.locator('.notice').count(), 0);
  // Of the server that was away the browser itself tells; of anything else nothing may be told.
  assert.deepEqual(problems.filter((one) => !one.includes('ERR_CONNECTION_REFUSED')), []);
  await context.close();
});

test('where history is lost, everything is read again, and the page says so', async () => {
  const base = new URL('/', stripe.url).href;
  const { page, problems, context } = await openWindow(browser, `${base}?status=OPEN`);
  await live(page);
  const row = page.locator('.invoices tbody tr', { hasText: 'DEMO-0010' });
  await row.waitFor();

  await stripe.kill();
  await page.locator('.live-state.offline').waitFor();
  await stripe.post('/v1/invoices/in_demo_kwd_open/void', {});
  stripe.forget();
  await stripe.start();
  await page.getByText('Some events were missed. The server’s event log was started anew.').waitFor();
  await row.waitFor({ state: 'detached' });
  await live(page);
  await page.getByRole('button', { name: 'Dismiss' }).click();

  assert.equal(await page.locator('.notice').count(), 0);
  assert.deepEqual(problems.filter((one) => !one.includes('ERR_CONNECTION_REFUSED')), []);
  await context.close();
});
