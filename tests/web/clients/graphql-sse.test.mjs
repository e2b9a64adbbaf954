// The client of graphql-sse in its distinct connections mode: everything is an event stream.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createClient } from 'graphql-sse';

import { collected, url } from './gateway.mjs';

const client = createClient({ url, retryAttempts: 0 });
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

test('a validation error is a result with errors', async () => {
  const [result] = await run('{ nope }');

  assert.equal(result.errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
});
