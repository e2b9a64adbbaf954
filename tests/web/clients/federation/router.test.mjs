// A router of Hive's over two subgraphs: this gateway, and orders that point to its invoices.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import * as apollo from '@apollo/composition';
import { createGatewayRuntime } from '@graphql-hive/gateway-runtime';
import * as guild from '@theguild/federation-composition';
import { parse } from 'graphql';
import { createSchema, createYoga } from 'graphql-yoga';

import { url } from '../gateway.mjs';

const ORDERS = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable"])
  type Query { orders: [Order!]! }
  type Order @key(fields: "id") { id: ID! title: String! invoice: Invoice }
  type Invoice @key(fields: "id", resolvable: false) { id: ID! }
`;
const orders = [
  { id: '1', title: 'a desk', invoice: { id: 'in_demo_paid_by_two' } },
  { id: '2', title: 'a lamp', invoice: { id: 'in_demo_open' } },
  { id: '3', title: 'a chair', invoice: { id: 'in_nowhere' } },
  { id: '4', title: 'a gift', invoice: null },
];

const servers = [];

async function serving(listener) {
  const server = createServer(listener);
  servers.push(server);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${server.address().port}/graphql`;
}

async function ask(endpoint, query, accept = 'application/json') {
  const body = JSON.stringify({ query });
  const headers = { 'content-type': 'application/json', accept };
  const response = await fetch(endpoint, { method: 'POST', body, headers });
  return accept === 'application/json' ? response.json() : response;
}

let services;
let router;
let runtime;
const asked = [];

before(async () => {
  const typeDefs = ORDERS.replace(/extend schema.*\n/, '').replaceAll(/@key\([^)]*\)/g, '');
  const schema = createSchema({ typeDefs, resolvers: { Query: { orders: () => orders } } });
  const ordersUrl = await serving(createYoga({ schema, logging: false }));
  const { data } = await ask(url, '{ _service { sdl } }');
  services = [
    { name: 'invoices', typeDefs: parse(data._service.sdl), url },
    { name: 'orders', typeDefs: parse(ORDERS), url: ordersUrl },
  ];
  const onFetch = ({ url: to, options }) => {
    if (to === url) asked.push(JSON.parse(options.body).query);
  };
  runtime = createGatewayRuntime({
    supergraph: guild.composeServices(services).supergraphSdl,
    logging: false,
    plugins: () => [{ onFetch }],
    transportEntries: {
      invoices: { options: { subscriptions: { kind: 'ws', location: '/graphql' } } },
    },
  });
  router = await serving(runtime);
});

after(async () => {
  await runtime[Symbol.asyncDispose]();
  for (const server of servers) server.close();
});

for (const [name, library] of Object.entries({ apollo, guild })) {
  test(`${name} composes it with another subgraph, without an error or a hint`, () => {
    const { errors, hints, supergraphSdl } = library.composeServices(services);

    assert.deepEqual(errors ?? [], []);
    assert.deepEqual(hints ?? [], []);
    assert.match(supergraphSdl, /type Order/);
  });
}

test('one query across both asks this gateway once for all invoices', async () => {
  const invoice = 'invoice { id status payments { nodes { paymentIntent { status } } } }';

  const answer = await ask(router, `{ orders { title ${invoice} } }`);

  const paid = { paymentIntent: { status: 'SUCCEEDED' } };
  const unpaid = { paymentIntent: { status: 'REQUIRES_PAYMENT_METHOD' } };
  assert.deepEqual(answer.data.orders, [
    {
      title: 'a desk',
      invoice: { id: 'in_demo_paid_by_two', status: 'PAID', payments: { nodes: [paid, paid] } },
    },
    { title: 'a lamp', invoice: { id: 'in_demo_open', status: 'OPEN', payments: { nodes: [unpaid] } } },
    { title: 'a chair', invoice: { id: 'in_nowhere', status: null, payments: null } },
    { title: 'a gift', invoice: null },
  ]);
  assert.equal(asked.length, 1);
  assert.match(asked[0], /_entities/);
});

test('an error of an invoice keeps its path and its code through the router', async () => {
  const answer = await ask(router, '{ invoice(id: "in_nowhere") { id } }');

  assert.deepEqual(answer.data, { invoice: null });
  assert.deepEqual(answer.errors.map(({ path, extensions }) => [path, extensions.code]), [
    [['invoice'], 'NOT_FOUND'],
  ]);
});

test('a subscription passes through, with the event of a write through the router', async () => {
  const stream = await ask(
    router,
    `subscription { invoicePaymentEvents(filter: { invoiceIds: ["in_demo_paid_by_two"] }) {
      __typename ... on InvoicePaymentEvent { type invoice { id status } } } }`,
    'text/event-stream',
  );
  const items = itemsOf(stream);
  const first = (await items.next()).value;
  const detached = await ask(router, `mutation { detachPayment(input: {
    invoiceId: "in_demo_paid_by_two", paymentIntentId: "pi_demo_two_b", idempotencyKey: "router"
  }) { invoice { status } errors { code } } }`);
  let item = first;
  while (item.__typename !== 'InvoicePaymentEvent') item = (await items.next()).value;
  await items.return();

  assert.equal(first.__typename, 'StreamCheckpoint');
  assert.deepEqual(detached.data.detachPayment, { invoice: { status: 'OPEN' }, errors: [] });
  assert.deepEqual(item, {
    __typename: 'InvoicePaymentEvent',
    type: 'DETACHED',
    invoice: { id: 'in_demo_paid_by_two', status: 'OPEN' },
  });
});

async function* itemsOf(response) {
  let text = '';
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const frames = text.split('\n\n');
    text = frames.pop();
    for (const frame of frames) {
      const data = /^event: next\ndata: (.*)$/m.exec(frame);
      if (data) yield JSON.parse(data[1]).data.invoicePaymentEvents;
    }
  }
}
