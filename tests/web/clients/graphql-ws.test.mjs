// The client of graphql-ws: all three kinds of operation over one socket.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { collected, socketUrl } from './gateway.mjs';

const client = createClient({ url: socketUrl, webSocketImpl: WebSocket, retryAttempts: 0 });
after(() => client.dispose());

const run = (query) => collected((sink) => client.subscribe({ query }, sink));

test('a query is answered', async () => {
  assert.deepEqual(await run('{ hello }'), [{ data: { hello: 'Hello world' } }]);
});

test('a mutation is answered', async () => {
  assert.deepEqual(await run('mutation { pay }'), [{ data: { pay: 'paid' } }]);
});

test('a subscription is streamed to its end', async () => {
  const results = await run('subscription { count(to: 3) }');

  assert.deepEqual(results.map((result) => result.data.count), [1, 2, 3]);
});

test('an invalid operation fails and its siblings live on', async () => {
  const sibling = run('subscription { count(to: 2) }');

  await assert.rejects(run('{ nope }'), (errors) => {
    assert.equal(errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
    return true;
  });
  assert.equal((await sibling).length, 2);
});
