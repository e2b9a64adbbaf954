import type { ResultOf } from '@graphql-typed-document-node/core';
import { graphql } from './gen';

export const READ = graphql(`
  query Read($id: ID!) {
    invoice(id: $id) { id status amountRemaining { minorUnits currency } eventCursor
      payments(first: 5) { nodes { id source { __typename ... on PaymentIntent { id } } } } }
  }
`);
export const DETACH = graphql(`
  mutation Detach($input: DetachPaymentInput!) {
    detachPayment(input: $input) { errors { code message } replayed invoice { id status } }
  }
`);
export const LISTEN = graphql(`
  subscription Listen($after: EventCursor) {
    invoicePaymentEvents(after: $after) { __typename
      ... on InvoicePaymentEvent { cursor type invoice { id status } }
      ... on StreamCheckpoint { cursor live }
      ... on StreamGap { resumesAt reason } }
  }
`);

/** What an editor knows without having asked anybody. */
export function remaining(read: ResultOf<typeof READ>): number | undefined {
  const amount: { minorUnits: number; currency: string } | undefined = read.invoice?.amountRemaining;
  return amount?.minorUnits;
}
