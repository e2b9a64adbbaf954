// The tools that read the schema: code generators, Relay's compiler, and caches that know it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { before, test } from 'node:test';
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client/core/index.js';
import { generate } from '@graphql-codegen/cli';
import { Client, fetchExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { getIntrospectionQuery } from 'graphql';

import { url } from '../gateway.mjs';

const here = import.meta.dirname;
const folder = mkdtempSync(join(here, 'made-'));
const sdl = join(folder, 'schema.graphql');
const SCALARS = {
  CurrencyCode: 'string',
  DateTime: 'string',
  Decimal: 'string',
  EventCursor: 'string',
  MinorUnits: 'number',
};
let introspection;

before(async () => {
  const printed = await fetch(new URL('/schema.graphql', url));
  writeFileSync(sdl, await printed.text());
  const asked = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: getIntrospectionQuery() }),
  });
  introspection = (await asked.json()).data;
});

const generated = (documents, into) =>
  generate({
    schema: sdl,
    documents,
    generates: {
      [`${into}/`]: { preset: 'client', config: { strictScalars: true, scalars: SCALARS } },
    },
    silent: true,
  });

test('GraphQL Code Generator makes types of every scalar, and they compile', async () => {
  const typed = join(folder, 'typed');
  cpSync(join(here, 'typed'), typed, { recursive: true });

  await generated(join(typed, '*.ts'), join(typed, 'gen'));

  const options = { strict: true, noEmit: true, module: 'esnext', moduleResolution: 'bundler' };
  const compilerOptions = { ...options, target: 'es2022', skipLibCheck: true, types: [] };
  writeFileSync(join(typed, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['.'] }));
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
  const compiled = spawnSync(process.execPath, [tsc, '-p', typed], { encoding: 'utf8' });
  assert.equal(compiled.status, 0, compiled.stdout);
});

test('GraphQL Code Generator refuses a field that there is none of', async () => {
  const wrong = join(folder, 'wrong.graphql');
  writeFileSync(wrong, 'query Wrong { invoice(id: "in_1") { paid } }');

  await assert.rejects(generated(wrong, join(folder, 'wrong')), /paid/);
});

function relay(name, source) {
  const root = join(folder, name);
  mkdirSync(join(root, 'made'), { recursive: true });
  writeFileSync(join(root, 'invoice.js'), source);
  const config = join(root, 'relay.config.json');
  const customScalarTypes = SCALARS;
  const settings = { src: '.', schema: '../schema.graphql', artifactDirectory: 'made' };
  writeFileSync(config, JSON.stringify({ ...settings, language: 'javascript', customScalarTypes }));
  const cli = createRequire(import.meta.url).resolve('relay-compiler/cli.js');
  const run = spawnSync(process.execPath, [cli, config], { cwd: root, encoding: 'utf8' });
  return { ...run, artifacts: readdirSync(join(root, 'made')) };
}

test('Relay compiles refetched fragments, connections and streams', () => {
  const source = readFileSync(join(here, 'relay', 'invoice.js'), 'utf8');

  const { status, stdout, stderr, artifacts } = relay('relay', source);

  assert.equal(status, 0, stdout + stderr);
  assert.deepEqual(artifacts.sort(), [
    'PaymentsPage.graphql.js',
    'invoiceQuery.graphql.js',
    'invoiceSubscription.graphql.js',
    'invoice_payments.graphql.js',
  ]);
});

test('Relay refuses a field that there is none of', () => {
  const { status } = relay('wrong-relay', 'graphql`query invoiceQuery { gateway { color } }`;');

  assert.notEqual(status, 0);
});

const READ = `query Read { invoice(id: "in_demo_paid_by_two") { __typename id status
  payments { nodes { __typename id status source { __typename ... on PaymentIntent { id } } } } } }`;
const write = (name, payment, key) => `mutation { ${name}(input: {
  invoiceId: "in_demo_paid_by_two", ${payment}, idempotencyKey: "${key}" }) {
  errors { code } invoice { __typename id status } } }`;
const DETACH = write('detachPayment', 'paymentIntentId: "pi_demo_two_b"', 'tools-off');
const ATTACH = write('attachPayment', 'payment: { paymentIntentId: "pi_demo_two_b" }', 'tools-on');

test("urql's Graphcache knows the schema: what a write changes shows in what was read", async () => {
  const logger = (severity, message) => assert.fail(`${severity}: ${message}`);
  const cache = cacheExchange({ schema: introspection, logger });
  const client = new Client({ url, exchanges: [cache, fetchExchange], preferGetMethod: false });
  const status = async (requestPolicy) => {
    const { data, error } = await client.query(READ, {}, { requestPolicy });
    assert.equal(error, undefined);
    return data?.invoice.status;
  };

  const before = await status('cache-first');
  await client.mutation(DETACH, {});
  const after = await status('cache-only');
  await client.mutation(ATTACH, {});

  assert.deepEqual([before, after, await status('cache-only')], ['PAID', 'OPEN', 'PAID']);
});

test('Apollo Client takes its possible types from the schema, and normalizes by id', async () => {
  const abstract = introspection.__schema.types.filter((one) => one.possibleTypes);
  const named = (one) => [one.name, one.possibleTypes.map(({ name }) => name)];
  const possibleTypes = Object.fromEntries(abstract.map(named));
  const cache = new InMemoryCache({ possibleTypes });
  const client = new ApolloClient({ cache, link: new HttpLink({ uri: url }) });
  const query = gql`query { node(id: "in_demo_paid_by_two") { id ... on Node { id }
    ... on Invoice { status } } }`;

  const read = (await client.query({ query })).data.node;
  await client.mutate({ mutation: gql(DETACH.replace('tools-off', 'tools-off-2')) });
  const shown = client.readQuery({ query }).node;
  await client.mutate({ mutation: gql(ATTACH.replace('tools-on', 'tools-on-2')) });

  assert.deepEqual([read.status, shown.status], ['PAID', 'OPEN']);
});
