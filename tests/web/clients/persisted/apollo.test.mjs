// Apollo Client with its link for persisted queries.

import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client/core';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';

import { persisted, sha256, url } from './persisted.mjs';

persisted('Apollo', async (text, fetching) => {
  const link = ApolloLink.from([
    new PersistedQueryLink({ sha256 }),
    new HttpLink({ uri: url, fetch: fetching }),
  ]);
  const client = new ApolloClient({ link, cache: new InMemoryCache({ addTypename: false }) });

  const { data, error } = await client.query({ query: gql(text), errorPolicy: 'all' });

  client.stop();
  return { data, errors: error };
});
