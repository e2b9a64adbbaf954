// Processes of the gateway's command line: a sandbox that goes on, and a gateway over it that is
// killed and started again on the same port, with its log and journal in SQLite.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const KEY = 'sk_test_sandbox';

export const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The process, once it says this, and what it said. */
async function started(args, environment, says) {
  const child = spawn(process.env.PYTHON, ['-m', 'gateway', ...args], {
    cwd: process.env.PROJECT,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let text = '';
  for await (const chunk of child.stdout) {
    text += chunk;
    const found = text.match(says);
    if (found) return [child, found[1]];
  }
  throw new Error(`it ended before it was up: ${text}`);
}

const ended = (child) =>
  new Promise((resolve) => ((child.exitCode ?? child.signalCode) === null ? child.on('exit', resolve) : resolve()));

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

export async function overSandbox() {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-'));
  const [sandbox, stripe] = await started(['sandbox', '--port', '0'], {}, /Base\s+(http:\S+)[\s\S]*Stop/);
  const port = await freePort();

  async function post(path, fields) {
    const response = await fetch(`${stripe}${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${KEY}`,
        'content-type': 'application/x-www-form-urlencoded',
        connection: 'close',
      },
      body: new URLSearchParams(fields),
    });
    assert.equal(response.status, 200, await response.clone().text());
    return response.json();
  }

  const endpoint = { url: `http://127.0.0.1:${port}/webhooks/stripe`, 'enabled_events[]': '*' };
  const { secret } = await post('/v1/webhook_endpoints', endpoint);
  let gateway;
  const over = {
    url: `http://127.0.0.1:${port}/graphql`,
    /** A call of another program to Stripe. */
    post,
    async start() {
      const environment = {
        STRIPE_API_KEY: KEY,
        GATEWAY_STRIPE_API_BASE: stripe,
        GATEWAY_STRIPE_WEBHOOK_SECRETS: secret,
        GATEWAY_STRIPE_CALLS_PER_SECOND: '1000',
        GATEWAY_STRIPE_ENDPOINT_CALLS_PER_SECOND: '1000',
        GATEWAY_DATA_DIR: folder,
        GATEWAY_LOG: 'sqlite',
      };
      [gateway] = await started(['serve', '--backend', 'stripe', '--port', `${port}`], environment, /(Stop)/);
    },
    async kill() {
      gateway.kill('SIGKILL');
      await ended(gateway);
    },
    /** Its log and its journal are lost. Only while it is killed. */
    forget() {
      rmSync(folder, { recursive: true });
    },
    async end() {
      sandbox.kill('SIGKILL');
      await Promise.all([over.kill(), ended(sandbox)]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await over.start();
  return over;
}
