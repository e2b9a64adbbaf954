import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './main.css';

import { createGraphiQLFetcher, createLocalStorage } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';

import { sampleTabs } from './samples.js';

// The page is served where the API answers, so its own address is the endpoint.
const endpoint = new URL(window.location.pathname, window.location.origin);
const streamEndpoint = new URL(endpoint);
streamEndpoint.protocol = endpoint.protocol === 'https:' ? 'wss:' : 'ws:';

const fetcher = createGraphiQLFetcher({
  url: endpoint.href,
  subscriptionUrl: streamEndpoint.href,
  enableIncrementalDelivery: false,
});

// Other GraphiQL pages on the same localhost port would otherwise share, and hide, these tabs.
const storage = createLocalStorage({ namespace: 'invoice-payments-gateway' });

createRoot(document.getElementById('root')).render(
  <GraphiQL
    fetcher={fetcher}
    storage={storage}
    defaultTabs={sampleTabs}
    defaultQuery=""
    inputValueDeprecation
    schemaDescription
  >
    <GraphiQL.Logo>Invoice payments</GraphiQL.Logo>
  </GraphiQL>,
);
