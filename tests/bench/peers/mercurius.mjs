// mercurius on Fastify, with its just-in-time compiler from the first repetition on.
import fastify from 'fastify';
import mercurius from 'mercurius';
import { port, resolvers, typeDefs } from './world.mjs';

const { InvoicePaymentStreamItem, ...rest } = resolvers;
const app = fastify();
app.register(mercurius, {
  schema: typeDefs,
  resolvers: { ...rest, InvoicePaymentStreamItem: { resolveType: InvoicePaymentStreamItem.__resolveType } },
  jit: 1,
  subscription: false,
});
await app.listen({ port, host: '127.0.0.1' });
console.log('ready');
