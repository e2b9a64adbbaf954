// Pictures of the console at three widths and in both themes, for people to look at.

import { mkdirSync } from 'node:fs';

import { base, detachElsewhere, launch, live, openWindow } from './browser.mjs';

const folder = process.env.FOLDER;
const url = process.env.GATEWAY_URL;
const SIZES = [[1440, 900], [768, 1024], [360, 740]];

const play = (action, given) =>
  fetch(`${base}demo/${action}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(given),
  });

mkdirSync(folder, { recursive: true });
const browser = await launch();
const windows = [];
for (const theme of ['light', 'dark']) {
  for (const [width, height] of SIZES) {
    const { page } = await openWindow(browser, base, { width, height, theme });
    await live(page);
    const shot = (what) => page.screenshot({ path: `${folder}/${what}-${width}-${theme}.png` });
    windows.push({ page, shot });
  }
}

// Something happens while all of them are open.
await detachElsewhere(url, 'in_demo_twelve', 'pi_demo_twelve_03');
await play('settle', { paymentIntentId: 'pi_demo_partly_paid_default', outcome: 'succeeded' });
await detachElsewhere(url, 'in_demo_paid_by_two', 'pi_demo_two_b');

for (const { page, shot } of windows) {
  await page.locator('.invoices tbody tr', { hasText: 'DEMO-0001' }).getByText('Open').waitFor();
  await shot('list');
  await page.locator('.invoices .name a', { hasText: 'DEMO-0001' }).click();
  await page.locator('.payment').first().waitFor();
  await page.locator('.events').getByText('Payment detached').waitFor();
  await page.evaluate(() => scrollTo(0, 0));
  await shot('invoice');
  await page.getByRole('button', { name: /^Detach/ }).first().click();
  await page.getByRole('alertdialog').waitFor();
  await shot('detach');
}
await browser.close();
