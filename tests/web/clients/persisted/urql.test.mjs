// urql with its exchange for persisted queries.

import { Client, fetchExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';

import { persisted, sha256, url } from './persisted.mjs';

persisted('urql', async (text, fetching) => {
  const exchange = persistedExchange({
    preferGetForPersistedQueries: false,
    generateHash: async (query) => sha256(query),
  });
  const exchanges = [exchange, fetchExchange];
  const client = new Client({ url, exchanges, fetch: fetching, preferGetMethod: false });

  const { data, error } = await client.query(text, {}).toPromise();

  return { data, errors: error };
});
