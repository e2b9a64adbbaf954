/** Follow one invoice, and take a payment off it: a client with generated types.
 *
 *     node made/follow-invoice.js URL in_demo_paid_by_two pi_demo_two_b
 *
 * With a type of event as a fourth argument it ends with the first of that type. */

import process from 'node:process';
import { createClient } from 'graphql-ws';
import { goLive, type Item } from 'invoice-payments-live';
import WebSocket from 'ws';

import { graphql } from './gen/gql.js';
import type { FollowSubscription, ShownFragment, TypedDocumentString } from './gen/graphql.js';

const READ = graphql(`
  query Read($id: ID!) {
    invoice(id: $id) { ...Shown eventCursor }
  }
  fragment Shown on Invoice {
    id
    status
    amountRemaining { minorUnits currency }
  }
`);
const DETACH = graphql(`
  mutation Detach($input: DetachPaymentInput!) {
    detachPayment(input: $input) {
      replayed
      errors { code message }
      invoice { ...Shown }
    }
  }
`);
const FOLLOW = graphql(`
  subscription Follow($ids: [ID!], $after: EventCursor) {
    invoicePaymentEvents(filter: { invoiceIds: $ids }, after: $after) {
      __typename
      ... on InvoicePaymentEvent { cursor type idempotencyKey invoice { ...Shown } }
      ... on StreamCheckpoint { cursor live }
      ... on StreamGap { resumesAt reason }
    }
  }
`);
type Event = Extract<
  FollowSubscription['invoicePaymentEvents'],
  { __typename: 'InvoicePaymentEvent' }
>;

const [url, invoiceId, paymentIntentId, until] = process.argv.slice(2);
const token = process.env.GATEWAY_TOKEN;
const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
const sockets = createClient({
  url: url.replace('http', 'ws'),
  webSocketImpl: WebSocket,
  connectionParams: headers,
  retryAttempts: 0, // `goLive` comes back by itself, and knows from where.
});

async function ask<R, V>(document: TypedDocumentString<R, V>, variables: V): Promise<R> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query: document.toString(), variables }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(errors[0].message);
  return data;
}

function show(what: string, invoice: ShownFragment | null | undefined): void {
  const remaining = invoice?.amountRemaining;
  console.log(what, invoice?.status, `${remaining?.minorUnits} ${remaining?.currency} remaining`);
}

const live = goLive<Event>({
  async snapshot() {
    const { invoice } = await ask(READ, { id: invoiceId });
    show('READ', invoice);
    return invoice?.eventCursor;
  },
  listen: (after, sink) =>
    sockets.subscribe<FollowSubscription>(
      { query: FOLLOW.toString(), variables: { ids: [invoiceId], after } },
      {
        next: ({ data, errors }) =>
          errors ? sink.error(errors) : sink.next(data?.invoicePaymentEvents as Item<Event>),
        error: sink.error,
        complete: sink.complete,
      },
    ),
  apply(event) {
    show(event.type, event.invoice);
    if (event.type === until) process.exit();
  },
  onGap: ({ reason }) => console.log('GAP', reason),
  onState(state) {
    console.log(state.toUpperCase());
    if (state === 'live') void detach();
  },
});

let isAsked = false;

/** Tried again with the same key, which `write` keeps, until the outcome is known. */
async function detach(): Promise<void> {
  if (isAsked || !paymentIntentId) return;
  isAsked = true;
  try {
    const payload = await live.write('detachPayment', { invoiceId, paymentIntentId }, async (input) => {
      const { detachPayment } = await ask(DETACH, { input });
      if (!detachPayment) throw new Error('no answer');
      return detachPayment;
    });
    for (const { code, message } of payload.errors) console.log('REFUSED', code, message);
    show('MINE', payload.invoice);
  } catch {
    isAsked = false; // No answer: nobody knows yet whether it was done.
    setTimeout(detach, 500);
  }
}
