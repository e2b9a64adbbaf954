import type { Client, DocumentInput } from '@urql/core';

import type { Item, Listen, LiveEvent } from './index.js';

type Data<E extends LiveEvent> = { invoicePaymentEvents: Item<E> };

/** `listen` over a client of urql. Its Graphcache has taken each event in before it is told. */
export const overUrql =
  <E extends LiveEvent>(client: Client, subscription: DocumentInput<Data<E>, any>): Listen<E> =>
  (after, sink) =>
    client.subscription(subscription, { after }).subscribe(({ data, error, hasNext }) => {
      if (error) sink.error(error);
      // The end is told by the last item once more.
      else if (!hasNext) sink.complete();
      else if (data) sink.next(data.invoicePaymentEvents);
    }).unsubscribe;
