// The client of graphql-ws: reads, writes and listens over one socket.

import { after } from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { collected, socketUrl } from '../gateway.mjs';
import { story } from './story.mjs';

const client = createClient({ url: socketUrl, webSocketImpl: WebSocket, retryAttempts: 0 });
after(() => client.dispose());

story('graphql-ws', {
  async ask(query, variables) {
    const [result] = await collected((sink) => client.subscribe({ query, variables }, sink));
    return result;
  },
  listen(query, variables, next) {
    const error = (errors) => next({ errors });
    return client.subscribe({ query, variables }, { next, error, complete() {} });
  },
});
