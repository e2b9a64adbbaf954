// urql: its Accept header names event streams with every request, which must not break queries.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, fetchExchange, gql } from '@urql/core';

import { url } from './gateway.mjs';

const options = { url, exchanges: [fetchExchange], preferGetMethod: false };
const client = new Client({ ...options, fetchSubscriptions: true });

test('a query is answered', async () => {
  const result = await client.query(gql`query Hello { hello }`, {}).toPromise();

  assert.equal(result.error, undefined);
  assert.equal(result.data.hello, 'Hello world');
});

test('a query is answered over GET', async () => {
  const getting = new Client({ ...options, preferGetMethod: 'force' });

  const result = await getting.query(gql`query Hello { hello }`, {}).toPromise();

  assert.equal(result.error, undefined);
  assert.equal(result.data.hello, 'Hello world');
});

test('a mutation is answered', async () => {
  const result = await client.mutation(gql`mutation Pay { pay }`, {}).toPromise();

  assert.equal(result.data.pay, 'paid');
});

test('a subscription is streamed over fetch', async () => {
  const counts = [];

  await new Promise((resolve) => {
    const source = client.subscription(gql`subscription Count { count(to: 3) }`, {});
    const { unsubscribe } = source.subscribe((result) => {
      counts.push(result.data?.count);
      if (!result.hasNext) resolve(unsubscribe);
    });
  });

  assert.deepEqual(counts.slice(0, 3), [1, 2, 3]);
});

test('a validation error is reported with its code', async () => {
  const result = await client.query(gql`query Nope { nope }`, {}).toPromise();

  assert.equal(result.error.graphQLErrors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
});
