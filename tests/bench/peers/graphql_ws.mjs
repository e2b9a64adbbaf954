// graphql-ws on ws; POST /emit/NUMBER publishes an event.
import { createServer } from 'node:http';
import { useServer } from 'graphql-ws/use/ws';
import { createSchema } from 'graphql-yoga';
import { WebSocketServer } from 'ws';
import { port, publish, resolvers, typeDefs } from './world.mjs';

const http = createServer((request, response) => {
  publish(Number(request.url.split('/').at(-1)));
  response.setHeader('Content-Length', 2).end('{}');
});
const sockets = new WebSocketServer({ server: http, path: '/graphql' });
useServer({ schema: createSchema({ typeDefs, resolvers }) }, sockets);
http.listen(port, '127.0.0.1', 4096, () => console.log('ready'));
