// The client of graphql-sse: every operation is an event stream of its own.

import { after } from 'node:test';
import { createClient } from 'graphql-sse';

import { collected, url } from '../gateway.mjs';
import { story } from './story.mjs';

const client = createClient({ url, retryAttempts: 0 });
after(() => client.dispose());

story('graphql-sse', {
  async ask(query, variables) {
    const [result] = await collected((sink) => client.subscribe({ query, variables }, sink));
    return result;
  },
  listen(query, variables, next) {
    const error = (errors) => next({ errors });
    return client.subscribe({ query, variables }, { next, error, complete() {} });
  },
});
