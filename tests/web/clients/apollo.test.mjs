// Apollo Client: queries and mutations over HTTP, subscriptions over a socket.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client/core';
import { OperationTypeNode } from 'graphql';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { collected, socketUrl, url } from './gateway.mjs';

const socket = createClient({ url: socketUrl, webSocketImpl: WebSocket, retryAttempts: 0 });
const http = new HttpLink({ uri: url });
const link = ApolloLink.split(
  ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
  new GraphQLWsLink(socket),
  http,
);
const client = new ApolloClient({ link, cache: new InMemoryCache() });
after(() => {
  client.stop();
  socket.dispose();
});

test('a query is answered', async () => {
  const { data } = await client.query({ query: gql`query Hello { hello }` });

  assert.equal(data.hello, 'Hello world');
});

test('a mutation is answered', async () => {
  const { data } = await client.mutate({ mutation: gql`mutation Pay { pay }` });

  assert.equal(data.pay, 'paid');
});

test('a subscription is streamed over a socket', async () => {
  const query = gql`subscription Count { count(to: 3) }`;

  const results = await collected((sink) => client.subscribe({ query }).subscribe(sink));

  assert.deepEqual(results.map((result) => result.data.count), [1, 2, 3]);
});

test('a subscription over HTTP is refused with advice', async () => {
  const overHttp = new ApolloClient({ link: http, cache: new InMemoryCache() });
  const query = gql`subscription Count { count(to: 3) }`;

  const [result] = await collected((sink) => overHttp.subscribe({ query }).subscribe(sink));

  assert.match(JSON.stringify(result.error), /406|event-stream/);
});
