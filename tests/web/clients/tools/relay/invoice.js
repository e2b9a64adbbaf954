import { graphql } from 'relay-runtime';
export const query = graphql`query invoiceQuery($id: ID!) { invoice(id: $id) { ...invoice_payments status } }`;
export const fragment = graphql`
  fragment invoice_payments on Invoice @refetchable(queryName: "PaymentsPage") @argumentDefinitions(first: {type: "Int", defaultValue: 5}, after: {type: "String"}) {
    payments(first: $first, after: $after) @connection(key: "invoice_payments") { edges { node { id status } } }
  }`;
export const stream = graphql`subscription invoiceSubscription($after: EventCursor) { invoicePaymentEvents(after: $after) { __typename ... on InvoicePaymentEvent { cursor invoice { id status } } } }`;
