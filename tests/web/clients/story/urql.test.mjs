// urql: everything over fetch, its subscriptions as server-sent events.

import { Client, fetchExchange } from '@urql/core';

import { url } from '../gateway.mjs';
import { story } from './story.mjs';

const client = new Client({
  url,
  exchanges: [fetchExchange],
  preferGetMethod: false,
  fetchSubscriptions: true,
});

const plain = ({ data, error }) => ({ data, errors: error?.graphQLErrors ?? error });

story('urql', {
  async ask(document, variables) {
    const send = document.startsWith('mutation') ? client.mutation : client.query;
    return plain(await send.call(client, document, variables).toPromise());
  },
  listen(document, variables, next) {
    const source = client.subscription(document, variables);
    const { unsubscribe } = source.subscribe((result) => next(plain(result)));
    // Within the delivery of a result urql leaves its own abort of the fetch unhandled.
    return () => new Promise((resolve) => setImmediate(() => resolve(unsubscribe())));
  },
});
