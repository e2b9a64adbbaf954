import type { ApolloClient, TypedDocumentNode } from '@apollo/client';

import type { Item, Listen, LiveEvent } from './index.js';

type Data<E extends LiveEvent> = { invoicePaymentEvents: Item<E> };

/** `listen` over an Apollo Client. Its cache has taken each event in before it is told. */
export const overApollo =
  <E extends LiveEvent>(client: ApolloClient, query: TypedDocumentNode<Data<E>, any>): Listen<E> =>
  (after, sink) => {
    const stream = client.subscribe({ query, variables: { after } }).subscribe({
      next: ({ data, error }) => {
        if (error) sink.error(error);
        else if (data) sink.next(data.invoicePaymentEvents as Item<E>);
      },
      error: (reason) => sink.error(reason),
      complete: () => sink.complete(),
    });
    return () => stream.unsubscribe();
  };
