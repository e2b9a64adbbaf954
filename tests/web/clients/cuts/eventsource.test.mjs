// An EventSource on one URL, behind a proxy that cuts: it comes back by itself, with Last-Event-ID
// beside the `after` of its first visit.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { test } from 'node:test';
import { EventSource } from 'eventsource';

import { url } from '../gateway.mjs';

const ids = { invoice: 'in_demo_paid_by_two', intent: 'pi_demo_two_b' };
const STREAM = `subscription ($after: EventCursor) { invoicePaymentEvents(after: $after) {
  __typename ... on StreamCheckpoint { cursor live } ... on InvoicePaymentEvent { cursor type } } }`;
const WRITES = [
  `detachPayment(input: { invoiceId: $invoice, paymentIntentId: $intent, idempotencyKey: $key })`,
  `attachPayment(input: { invoiceId: $invoice, payment: { paymentIntentId: $intent },
    idempotencyKey: $key })`,
];
const CUT_AFTER = 2;

test('three cuts repeat nothing and lose nothing', async () => {
  const { invoice } = await ask(`{ invoice(id: "${ids.invoice}") { eventCursor } }`);
  for (let number = 0; number < 6; number += 1) await write(number);
  const expected = await logged(invoice.eventCursor);
  const proxy = await cuttingProxy();

  const seen = await seenThrough(proxy, invoice.eventCursor, expected.at(-1));

  proxy.close();
  proxy.closeAllConnections();
  assert.deepEqual(seen, expected);
  assert.ok(proxy.cuts >= 3, `${proxy.cuts} cuts`);
});

async function write(number) {
  const document = `mutation ($invoice: ID!, $intent: ID!, $key: String!) {
    done: ${WRITES[number % 2]} { errors { code message } } }`;
  const { done } = await ask(document, { ...ids, key: `cuts-${process.pid}-${number}` });
  assert.deepEqual(done.errors, []);
}

/** The cursors behind a position, once the log is quiet. */
async function logged(after, before = -1) {
  const document = `query ($after: EventCursor) {
    invoicePaymentEvents(first: 100, after: $after) { nodes { cursor } } }`;
  const { invoicePaymentEvents } = await ask(document, { after });
  const cursors = invoicePaymentEvents.nodes.map(({ cursor }) => cursor);
  if (cursors.length === before) return cursors;
  await new Promise((resolve) => setTimeout(resolve, 1000)); // webhooks of the sandbox are late
  return logged(after, cursors.length);
}

async function ask(query, variables = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined);
  return data;
}

/** The cursors of all events up to the last, in the order in which the page saw them. */
async function seenThrough(proxy, after, last) {
  const query = new URLSearchParams({ query: STREAM, variables: JSON.stringify({ after }) });
  const source = new EventSource(`http://127.0.0.1:${proxy.address().port}/graphql?${query}`);
  const seen = [];
  await new Promise((resolve) => {
    source.addEventListener('next', ({ data }) => {
      const item = JSON.parse(data).data.invoicePaymentEvents;
      if (item.__typename === 'InvoicePaymentEvent') seen.push(item.cursor);
      if (item.cursor === last) resolve();
    });
  });
  source.close();
  return seen;
}

/** Hands on each visit's first items and then cuts the connection. */
async function cuttingProxy() {
  const proxy = createServer((incoming, outgoing) => {
    const headers = { ...incoming.headers, host: new URL(url).host };
    const inner = request(new URL(incoming.url, url), { headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      outgoing.write('retry: 20\n\n');
      let rest = '';
      let items = 0;
      answer.setEncoding('utf8').on('data', (chunk) => {
        rest += chunk;
        const whole = rest.split('\n\n');
        rest = whole.pop();
        for (const item of whole) {
          outgoing.write(`${item}\n\n`);
          items += item.includes('InvoicePaymentEvent"') ? 1 : 0;
          if (items === CUT_AFTER) {
            proxy.cuts += 1;
            inner.destroy();
            outgoing.end();
            return;
          }
        }
      });
    });
    inner.on('error', () => {}).end();
    outgoing.on('close', () => inner.destroy());
  });
  proxy.cuts = 0;
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return proxy;
}
