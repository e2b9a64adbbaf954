// What a page does with one invoice, told once for every client, against a whole gateway.
//
// A client brings `ask(document, variables)`, which resolves to `{ data, errors }`, and
// `listen(document, variables, onResult)`, which returns a function that ends the stream.
// The invoice is left as it was found, so that clients can take turns.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { url } from '../gateway.mjs';

const ids = { invoice: 'in_demo_paid_by_two', intent: 'pi_demo_two_b' };

const READ = `query Read($invoice: ID!) {
  invoice(id: $invoice) {
    id status eventCursor
    payments(status: [PAID]) { nodes { id status paymentIntent { id status } } }
  }
}`;
const STREAM = `subscription Listen($after: EventCursor) {
  invoicePaymentEvents(after: $after) {
    __typename
    ... on StreamCheckpoint { cursor live }
    ... on StreamGap { resumesAt reason }
    ... on InvoicePaymentEvent {
      cursor type idempotencyKey
      invoice { id status } invoicePayment { id } paymentIntent { id }
    }
  }
}`;
const LOG = `query Log($after: EventCursor) {
  invoicePaymentEvents(first: 100, after: $after) { nodes { cursor type } }
}`;
const DETACH = `mutation Detach($invoice: ID!, $intent: ID!, $key: String!) {
  detachPayment(input: { invoiceId: $invoice, paymentIntentId: $intent, idempotencyKey: $key }) {
    replayed
    invoice { id status }
    errors { __typename code path ... on StateProblem { invoice { id status } } }
  }
}`;
const ATTACH = `mutation Attach($invoice: ID!, $intent: ID!, $key: String!) {
  attachPayment(input: {
    invoiceId: $invoice, payment: { paymentIntentId: $intent }, idempotencyKey: $key
  }) { invoice { id status } errors { code } }
}`;

export function story(name, client) {
  test('a page sees its own detach, goes offline, and misses nothing', async () => {
    const [mine, theirs] = [`${name}-${process.pid}-mine`, `${name}-${process.pid}-theirs`];

    const { invoice } = await answered(client.ask(READ, { invoice: ids.invoice }));
    const first = listening(client, invoice.eventCursor);
    await first.until(({ live }) => live);
    const { detachPayment } = await answered(client.ask(DETACH, { ...ids, key: mine }));
    const echo = await first.until(({ type }) => type === 'DETACHED');
    await first.stop();
    await elsewhere(ATTACH, { ...ids, key: theirs });
    const second = listening(client, first.cursor());
    const missed = await second.until(({ type }) => type === 'ATTACHED');
    await second.stop();
    const seen = [...first.seen(), ...second.seen()];

    assert.equal(invoice.status, 'PAID');
    assert.deepEqual(intentsOf(invoice), [ids.intent, 'pi_demo_two_a']);
    assert.deepEqual(detachPayment.errors, []);
    assert.equal(detachPayment.invoice.status, 'OPEN');
    assert.equal(echo.idempotencyKey, mine);
    assert.equal(echo.invoice.status, 'OPEN');
    assert.equal(echo.invoicePayment, null);
    assert.equal(echo.paymentIntent.id, ids.intent);
    assert.equal(missed.idempotencyKey, theirs);
    assert.equal(missed.invoice.status, 'PAID');
    assert.deepEqual(seen, await logged(invoice, seen.length));
  });

  test('an unknown id is a null and an error with its code and path', async () => {
    const { data, errors } = await client.ask(READ, { invoice: 'in_nowhere' });

    assert.equal(data.invoice, null);
    assert.equal(errors.length, 1);
    assert.equal(errors[0].extensions.code, 'NOT_FOUND');
    assert.deepEqual(errors[0].path, ['invoice']);
  });

  test('a refusal is data, with the state that stands against it', async () => {
    const variables = { ...ids, intent: 'pi_demo_free', key: `${name}-${process.pid}-refused` };

    const { detachPayment } = await answered(client.ask(DETACH, variables));

    assert.equal(detachPayment.invoice, null);
    assert.equal(detachPayment.errors.length, 1);
    assert.equal(detachPayment.errors[0].__typename, 'StateProblem');
    assert.equal(detachPayment.errors[0].code, 'PAYMENT_NOT_ATTACHED');
    assert.deepEqual(detachPayment.errors[0].path, ['paymentIntentId']);
    assert.equal(detachPayment.errors[0].invoice.status, 'PAID');
  });
}

/** One connection to the stream: its items, and a promise of the first that meets a condition. */
function listening(client, after) {
  const items = [];
  let look = () => {};
  let fail = () => {};
  const stop = client.listen(STREAM, { after }, ({ data, errors }) => {
    if (errors) return fail(new Error(JSON.stringify(errors)));
    items.push(data.invoicePaymentEvents);
    look();
  });
  return {
    stop,
    cursor: () => items.at(-1).cursor,
    seen: () => items.filter((item) => item.type).map((item) => item.cursor),
    until: (meets) =>
      new Promise((resolve, reject) => {
        fail = reject;
        look = () => items.some(meets) && resolve(items.find(meets));
        look();
      }),
  };
}

/** The events that the log holds behind the read: what was streamed must equal them. */
async function logged(invoice, count) {
  const { invoicePaymentEvents } = await elsewhere(LOG, { after: invoice.eventCursor });
  return invoicePaymentEvents.nodes.slice(0, count).map((event) => event.cursor);
}

/** Another program, without any client library. */
async function elsewhere(query, variables) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  return answered(response.json());
}

async function answered(asking) {
  const { data, errors } = await asking;
  assert.equal(errors, undefined);
  return data;
}

const intentsOf = (invoice) => invoice.payments.nodes.map((payment) => payment.paymentIntent.id);
