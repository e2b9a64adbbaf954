// A frontend that is newer than the gateway's manifest, told with each client's own link.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

export { url } from '../gateway.mjs';

export const sha256 = (text) => createHash('sha256').update(text).digest('hex');

const hasManifest = process.env.GATEWAY_KNOWS !== undefined;
export const KNOWN = process.env.GATEWAY_KNOWS;
export const UNKNOWN = 'query Unknown {\n  gateway {\n    backend\n  }\n}';

/** `ask(text, fetching)` answers `{ data, errors }`. */
export function persisted(client, ask) {
  test(`${client}: a document of the manifest needs no text`, { skip: !hasManifest }, async () => {
    const { sent, fetching } = watched();

    const { data, errors } = await ask(KNOWN, fetching);

    assert.equal(errors, undefined);
    assert.equal(typeof data.gateway.version, 'string');
    assert.deepEqual(sent, ['hash']);
  });

  test(`${client}: one that the gateway does not have is sent with its text`, async () => {
    const { sent, fetching } = watched();

    const { data, errors } = await ask(UNKNOWN, fetching);

    assert.equal(errors, undefined);
    assert.equal(data.gateway.backend, 'MEMORY');
    assert.deepEqual(sent, ['hash', 'text']);
  });
}

/** A fetch that notes whether each request had a text. */
function watched() {
  const sent = [];
  const fetching = (input, init) => {
    const { query } = JSON.parse(init.body);
    sent.push(query ? 'text' : 'hash');
    return fetch(input, init);
  };
  return { sent, fetching };
}
