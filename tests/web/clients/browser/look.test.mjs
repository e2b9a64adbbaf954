// How the console looks to machines that judge it: at three widths and in both themes.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertFits, base, launch, live, openWindow, seriousFindings } from './browser.mjs';

let browser;

before(async () => void (browser = await launch()));
after(() => browser.close());

for (const [width, height] of [[360, 740], [768, 1024], [1440, 900]]) {
  test(`axe-core has no serious finding and everything fits into ${width} pixels`, async () => {
    const { page, problems, context } = await openWindow(browser, base, { width, height });
    const look = async (what) => {
      await assertFits(page);
      assert.deepEqual(await seriousFindings(page), [], what);
      // The theme changes colours and nothing else.
      await page.emulateMedia({ colorScheme: 'dark' });
      assert.deepEqual(await seriousFindings(page, 'color-contrast'), [], `${what}, dark`);
      await page.emulateMedia({ colorScheme: 'light' });
    };
    await live(page);
    await page.locator('.invoices tbody tr').first().waitFor();
    await look('the list');
    await page.goto(`${base}invoices/in_demo_credited`);
    await page.locator('.payment').first().waitFor();
    await look('an invoice');
    await page.goto(`${base}invoices/in_demo_paid_by_two`);
    await page.getByRole('button', { name: /^Detach/ }).first().click();
    await page.getByRole('alertdialog').waitFor();
    await look('the dialog that detaches');
    await page.goto(`${base}invoices/in_demo_kwd_open`);
    await page.getByRole('button', { name: 'Attach payment' }).click();
    await page.getByRole('dialog').waitFor();
    await look('the dialog that attaches');
    assert.deepEqual(problems, []);
    await context.close();
  });
}
