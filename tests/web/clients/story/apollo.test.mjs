// Apollo Client, its cache included: reads and writes over HTTP, listens over a socket.

import { after } from 'node:test';
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client/core';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { socketUrl, url } from '../gateway.mjs';
import { story } from './story.mjs';

const socket = createClient({ url: socketUrl, webSocketImpl: WebSocket, retryAttempts: 0 });
const link = ApolloLink.split(
  ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
  new GraphQLWsLink(socket),
  new HttpLink({ uri: url }),
);
const client = new ApolloClient({ link, cache: new InMemoryCache() });
after(() => {
  client.stop();
  socket.dispose();
});

const plain = ({ data, error }) => ({ data, errors: error?.errors ?? error });

story('apollo', {
  async ask(document, variables) {
    const operation = gql(document);
    const asked = document.startsWith('mutation')
      ? client.mutate({ mutation: operation, variables, errorPolicy: 'all' })
      : client.query({ query: operation, variables, errorPolicy: 'all' });
    return plain(await asked);
  },
  listen(document, variables, next) {
    const results = client.subscribe({ query: gql(document), variables });
    const listening = results.subscribe((result) => next(plain(result)));
    return () => listening.unsubscribe();
  },
});
