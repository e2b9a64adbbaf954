// What the Node peers share: the data, as the gateway shows it, and the resolvers over it.
// Objects behind other objects have async resolvers, as they would be fetched; the rest are properties.
import { readFileSync } from 'node:fs';

export const port = Number(process.env.BENCH_PORT);
export const typeDefs = readFileSync(new URL('./schema.graphql', import.meta.url), 'utf8');

const { invoices, event } = JSON.parse(readFileSync(process.env.BENCH_WORLD, 'utf8'));
const byId = new Map(invoices.map((invoice) => [invoice.id, invoice]));

// One level of indirection keeps the raw children from being taken for fields.
const paymentsOf = new Map(invoices.map((invoice) => [invoice, invoice.payments.nodes]));
const intentOf = new Map();
for (const invoice of [...invoices, event.invoice]) {
  const payments = invoice.payments.nodes;
  paymentsOf.set(invoice, payments);
  for (const payment of payments) {
    intentOf.set(payment, payment.paymentIntent);
    delete payment.paymentIntent;
  }
  delete invoice.payments;
}

const subscribers = new Set();

// An event for everybody who listens, each with a queue of its own.
export function publish(number) {
  const invoiceId = `in_bench_${String(number).padStart(6, '0')}`;
  const item = { __typename: 'InvoicePaymentEvent', ...event, cursor: `c${number}`, invoiceId };
  for (const subscriber of subscribers) {
    if (subscriber.wanted === null || subscriber.wanted.has(invoiceId)) subscriber.push(item);
  }
}

async function* listen(wanted) {
  const waiting = [];
  let wake = null;
  const subscriber = { wanted, push: (item) => { waiting.push(item); wake?.(); } };
  subscribers.add(subscriber);
  try {
    yield { invoicePaymentEvents: { __typename: 'StreamCheckpoint', cursor: 'c', live: true } };
    while (true) {
      while (waiting.length) yield { invoicePaymentEvents: waiting.shift() };
      await new Promise((resolve) => { wake = resolve; });
    }
  } finally {
    subscribers.delete(subscriber);
  }
}

export const resolvers = {
  Query: {
    invoice: async (_, { id }) => byId.get(id) ?? null,
    invoices: async (_, { first }) => ({ nodes: invoices.slice(0, first ?? 20) }),
  },
  Invoice: {
    payments: async (invoice, { first }) => ({ nodes: paymentsOf.get(invoice).slice(0, first ?? 20) }),
  },
  InvoicePayment: {
    paymentIntent: async (payment) => intentOf.get(payment) ?? null,
  },
  InvoicePaymentStreamItem: {
    __resolveType: (item) => item.__typename,
  },
  Subscription: {
    invoicePaymentEvents: {
      subscribe: (_, { filter }) => listen(filter?.invoiceIds ? new Set(filter.invoiceIds) : null),
    },
  },
};
