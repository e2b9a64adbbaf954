// `invoice-payments-live` over urql and over Apollo Client, against a gateway that is killed again
// and again while Stripe (the sandbox) goes on: both screens end up as a fresh query would have it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, fetchExchange } from '@urql/core';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { overSandbox, wait } from '../processes.mjs';

// As in browsers: Apollo's link asks for it by name.
globalThis.WebSocket = WebSocket;

const { goLive } = await import(process.env.LIVE);
const { overUrql } = await import(new URL('urql.js', process.env.LIVE));
const { overApollo } = await import(new URL('apollo.js', process.env.LIVE));

const KILLS = Number(process.env.KILLS ?? 2);
const SETTLED_MS_MAX = 60_000;
const COUNTED = 'in_demo_open';

const INVOICE = `id status metadataValue(key: "count") amountRemaining { minorUnits }
  payments(first: 5) { nodes { id status } }`;
const SNAPSHOT = `{ invoices(first: 50) { nodes { eventCursor ${INVOICE} } } }`;
const STREAM = `subscription Live($after: EventCursor) { invoicePaymentEvents(after: $after) {
  __typename
  ... on InvoicePaymentEvent { cursor idempotencyKey invoiceId invoice { ${INVOICE} } }
  ... on StreamCheckpoint { cursor live }
  ... on StreamGap { reason resumesAt }
} }`;
const DETACH = `mutation ($input: DetachPaymentInput!) { detachPayment(input: $input) { errors { code } invoice { ${INVOICE} } } }`;
const ATTACH = `mutation ($input: AttachPaymentInput!) { attachPayment(input: $input) { errors { code } invoice { ${INVOICE} } } }`;

async function ask(url, query, variables) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

const byId = (nodes) => Object.fromEntries(nodes.map(({ eventCursor, ...invoice }) => [invoice.id, plain(invoice)]));
/** Without what a client's cache adds. */
const plain = (value) => JSON.parse(JSON.stringify(value, (key, inner) => (key === '__typename' ? undefined : inner)));

function page(url, listen) {
  const shown = { screen: {}, gaps: [], states: [] };
  shown.live = goLive({
    async snapshot() {
      const { invoices } = await ask(url, SNAPSHOT);
      shown.screen = byId(invoices.nodes);
      return invoices.nodes[0].eventCursor;
    },
    listen,
    apply({ invoice }) {
      if (!invoice) return false;
      shown.screen = { ...shown.screen, [invoice.id]: plain(invoice) };
    },
    onState: (state) => shown.states.push(state),
    onGap: ({ reason }) => shown.gaps.push(reason),
  });
  shown.write = (operation, document, input) =>
    shown.live.write(operation, input, async (sent) => {
      const payload = (await ask(url, document, { input: sent }))[operation];
      if (payload.invoice) shown.screen = { ...shown.screen, [payload.invoice.id]: plain(payload.invoice) };
      return payload;
    });
  return shown;
}

test(`killed ${KILLS} times, both pages show what a fresh query says`, async (t) => {
  const stripe = await overSandbox();
  const { url } = stripe;
  const urql = new Client({ url, exchanges: [fetchExchange], preferGetMethod: false, fetchSubscriptions: true });
  const socket = createClient({ url: url.replace('http', 'ws'), webSocketImpl: WebSocket, retryAttempts: 0 });
  const apollo = new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION, new GraphQLWsLink(socket), new HttpLink({ uri: url })),
  });
  const pages = [page(url, overUrql(urql, STREAM)), page(url, overApollo(apollo, gql(STREAM)))];
  t.after(async () => {
    pages.forEach(({ live }) => live.stop());
    await stripe.end();
  });

  /** Both pages are live and equal a fresh query. */
  async function settled(count) {
    const until = Date.now() + SETTLED_MS_MAX;
    for (;;) {
      const fresh = byId((await ask(url, SNAPSHOT)).invoices.nodes);
      const isThere = fresh[COUNTED].metadataValue === `${count}`;
      const equal = pages.every(({ screen, live }) => live.state === 'live' && JSON.stringify(screen) === JSON.stringify(fresh));
      if (isThere && equal) return;
      if (Date.now() > until) return pages.forEach(({ screen }) => assert.deepEqual(screen, fresh));
      await wait(100);
    }
  }

  const count = (number) => stripe.post(`/v1/invoices/${COUNTED}`, { 'metadata[count]': `${number}` });
  const moved = { invoiceId: 'in_demo_paid_by_two', paymentIntentId: 'pi_demo_two_b' };
  await count(0);
  await settled(0);

  for (let kill = 1; kill <= KILLS; kill += 1) {
    const isAttached = kill % 2 === 1;
    // A write whose answer may be lost with the process, and is tried again with its key.
    const [operation, document, input] = isAttached
      ? ['detachPayment', DETACH, moved]
      : ['attachPayment', ATTACH, { invoiceId: moved.invoiceId, payment: { paymentIntentId: moved.paymentIntentId } }];
    const first = pages[kill % 2].write(operation, document, input).catch(() => null);
    await wait(20 * (kill % 4));
    await stripe.kill();
    await count(kill);
    await stripe.start();
    let payload = await first;
    while (payload === null || payload.errors.length > 0) {
      payload = await pages[kill % 2].write(operation, document, input).catch(() => null);
      await wait(100);
    }
    await settled(kill);
  }

  assert.deepEqual(pages.map(({ gaps }) => gaps), [[], []]);
});
