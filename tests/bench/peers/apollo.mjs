// Apollo Server with its standalone HTTP server.
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import { port, resolvers, typeDefs } from './world.mjs';

const server = new ApolloServer({ typeDefs, resolvers, nodeEnv: 'production' });
await startStandaloneServer(server, { listen: { port, host: '127.0.0.1' } });
console.log('ready');
