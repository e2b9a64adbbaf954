// `invoice-payments-live` in virtual time: whatever is lost on the way, the screen ends up as a
// fresh query would have it, and every attempt is made once.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Server, pass, virtualTime } from './server.mjs';

const { goLive } = await import(process.env.LIVE);
const SEED = Number(process.env.SEED ?? 15);
const HOUR = 3_600_000;

/** A page that shows all invoices of a server. */
function page(server, more = {}) {
  const shown = { states: [], events: [], echoes: [], gaps: [], reads: 0, screen: {} };
  shown.live = goLive({
    async snapshot() {
      const { cursor, invoices } = await server.snapshot();
      shown.reads += 1;
      shown.screen = invoices;
      return cursor;
    },
    listen: server.listen,
    apply(event, own) {
      shown.events.push(own ? `own ${own.input.id}` : event.invoice.id);
      shown.screen = { ...shown.screen, [event.invoice.id]: event.invoice };
    },
    onEcho: (event) => shown.echoes.push(event.invoice.id),
    onState: (state) => shown.states.push(state),
    onGap: (gap) => shown.gaps.push(gap.reason),
    ...more,
  });
  shown.write = (id, send = (key) => server.write(id, key)) =>
    shown.live.write('pay', { id }, async ({ idempotencyKey }) => {
      const payload = await send(idempotencyKey);
      if (payload.invoice) shown.screen = { ...shown.screen, [id]: payload.invoice };
      return payload;
    });
  return shown;
}

test('what happens anywhere is shown', async (t) => {
  virtualTime(t, SEED);
  const server = new Server();
  server.change('in_1');
  const shown = page(server);
  await pass(100);

  server.change('in_2');
  await pass(100);

  assert.deepEqual(shown.states, ['live']);
  assert.deepEqual(shown.events, ['in_2']);
  assert.deepEqual(shown.screen, server.fresh());
});

test('an hour offline is caught up with from the last position, without reading again', async (t) => {
  virtualTime(t, SEED);
  const server = new Server();
  const shown = page(server);
  await pass(100);

  server.kill();
  for (let minute = 0; minute < 60; minute += 1) {
    server.change(`in_${minute % 7}`);
    await pass(HOUR / 60, 100);
  }
  assert.equal(shown.live.state, 'offline');
  server.start();
  await pass(10_000);

  assert.deepEqual(shown.states, ['live', 'offline', 'catching up', 'live']);
  assert.equal(shown.events.length, 60);
  assert.equal(shown.reads, 1);
  assert.deepEqual(shown.screen, server.fresh());
});

test('an hour offline beyond what the log keeps is told, and everything is read again', async (t) => {
  virtualTime(t, SEED);
  const server = new Server();
  const shown = page(server);
  await pass(100);

  server.kill();
  server.change('in_1');
  server.change('in_2');
  server.forget();
  await pass(HOUR, 100);
  server.start();
  await pass(10_000);

  assert.deepEqual(shown.gaps, ['RETENTION']);
  assert.equal(shown.reads, 2);
  assert.equal(shown.live.state, 'live');
  assert.deepEqual(shown.screen, server.fresh());
});

for (const seed of Array.from({ length: Number(process.env.ROUNDS ?? 4) }, (_, round) => SEED + round)) {
  test(`killed 50 times, the screen is what a fresh query says each time (seed ${seed})`, async (t) => {
    const random = virtualTime(t, seed);
    const server = new Server();
    server.delay = () => Math.floor(random() * 300);
    const shown = page(server);
    const wanted = [];
    const asked = { states: [] };

    /** A person who tries again until it is known what became of it. */
    async function insist(id) {
      for (;;) {
        try {
          await shown.write(id);
          return wanted.push(id);
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 1000));
        }
      }
    }

    for (let kills = 0; kills < 50; kills += 1) {
      const insisting = [];
      for (let step = 0; step < 12; step += 1) {
        const id = `in_${Math.floor(random() * 5)}`;
        const what = random();
        if (what < 0.4) server.change(id);
        else if (what < 0.7 && step < 8) insisting.push(insist(id).catch(assert.fail));
        else if (what < 0.8) void shown.live.ask(() => server.snapshot().then(({ invoices }) => (shown.screen = invoices))).catch(() => {});
        else if (what < 0.84) server.forget();
        await pass(random() * 400);
        if (step === 6) server.kill(random() < 0.7);
        if (step === 9) server.start();
      }
      await pass(75_000, 50);
      await Promise.all(insisting);
      asked.states.push(shown.live.state);

      assert.deepEqual(shown.screen, server.fresh(), `seed ${seed}, kill ${kills}`);
      assert.equal(shown.live.state, 'live', `seed ${seed}, kill ${kills}`);
    }
    // The same invoice may be wanted twice at once: that is one attempt.
    assert.ok(server.outcomes.size <= wanted.length);
    assert.ok(server.outcomes.size > 50);
  });
}

test('the echo of an own write is no news', async (t) => {
  virtualTime(t, SEED);
  const server = new Server();
  const shown = page(server);
  await pass(100);
  server.delay = (() => { let calls = 0; return () => (calls++ % 3 === 2 ? 0 : 500); })();

  const writing = shown.write('in_1');
  await pass(5000);
  await writing;

  assert.deepEqual([shown.echoes, shown.events, shown.reads], [['in_1'], [], 1]);
  assert.deepEqual(shown.screen, server.fresh());
});

test('an echo after something else is shown, as that may have been older than the answer', async (t) => {
  virtualTime(t, SEED);
  const server = new Server();
  const shown = page(server);
  await pass(100);

  const sink = [...server.streams][0].sink;
  const event = (cursor, key) => ({
    __typename: 'InvoicePaymentEvent', cursor, idempotencyKey: key, invoice: { id: 'in_1', times: key ? 2 : 1 },
  });
  let key;
  await shown.write('in_1', async (made) => {
    key = made;
    return { errors: [], invoice: { id: 'in_1', times: 2 } };
  });
  sink.next(event('1', null));
  sink.next(event('2', key));

  assert.deepEqual(shown.events, ['in_1', 'own in_1']);
  assert.deepEqual(shown.screen, { in_1: { id: 'in_1', times: 2 } });
});

test('an answer that comes after its own echo is read again, as it may be older', async (t) => {
  virtualTime(t, SEED);
  const server = new Server();
  const shown = page(server);
  await pass(100);

  const writing = shown.write('in_1', async (key) => {
    const { invoice } = await server.write('in_1', key);
    server.change('in_1');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return { errors: [], invoice };
  });
  await pass(2000);
  await writing;

  assert.equal(shown.reads, 2);
  assert.deepEqual(shown.screen, server.fresh());
});

test('a query that is overtaken by an event runs again', async (t) => {
  virtualTime(t, SEED);
  const server = new Server();
  const shown = page(server);
  await pass(100);

  let loads = 0;
  const asking = shown.live.ask(async () => {
    loads += 1;
    const invoices = server.fresh();
    await new Promise((resolve) => setTimeout(resolve, 500));
    return invoices;
  });
  server.change('in_1');
  await pass(2000);

  assert.deepEqual([loads, await asking], [2, server.fresh()]);
});

test('where more happens than can be read between, the stream stands still for it', async (t) => {
  virtualTime(t, SEED);
  const server = new Server();
  const shown = page(server);
  await pass(100);

  let loads = 0;
  const asking = shown.live.ask(async () => {
    loads += 1;
    server.change('in_1');
    await new Promise((resolve) => setTimeout(resolve, 500));
  });
  await pass(5000);
  await asking;

  assert.deepEqual([loads, shown.reads], [3, 2]);
  assert.equal(shown.live.state, 'live');
});

test('a read that comes when nobody waits for it any more is not what stays', async (t) => {
  virtualTime(t, SEED);
  const server = new Server();
  const { snapshot } = server;
  let reads = 0;
  server.snapshot = async () => {
    const answer = await snapshot.call(server);
    if (reads++ === 0) await new Promise((resolve) => setTimeout(resolve, 60_000));
    return answer;
  };
  const shown = page(server);
  await pass(50_000, 100);
  assert.deepEqual(shown.states, ['offline', 'live']);
  server.change('in_1');
  await pass(50_000, 100);

  assert.deepEqual(shown.screen, server.fresh());
});

test('what cannot be shown by itself makes it read again', async (t) => {
  virtualTime(t, SEED);
  const server = new Server();
  const shown = page(server, { apply: () => false });
  await pass(100);

  server.change('in_1');
  await pass(1000);

  assert.deepEqual([shown.reads, shown.screen], [2, server.fresh()]);
});

test('without a position nothing falls between the first read and the stream', async (t) => {
  virtualTime(t, SEED);
  const server = new Server();
  const { snapshot } = server;
  server.snapshot = async () => ({ ...(await snapshot.call(server)), cursor: null });
  server.delay = () => 200;
  const shown = page(server);
  await pass(500);
  server.change('in_1');
  server.delay = () => 0;
  await pass(5000);

  assert.deepEqual(shown.screen, server.fresh());
});

test('a silent connection is a dead one', async (t) => {
  virtualTime(t, SEED);
  const server = new Server();
  const shown = page(server);
  await pass(100);

  server.kill(false);
  server.start();
  server.change('in_1');
  await pass(60_000, 100);

  assert.deepEqual(shown.states, ['live', 'offline', 'catching up', 'live']);
  assert.deepEqual(shown.screen, server.fresh());
});

test('who is not let in waits to be woken', async (t) => {
  virtualTime(t, SEED);
  const server = new Server();
  const shown = page(server, { onCut: () => false });
  await pass(100);
  server.kill();
  server.start();
  await pass(HOUR, 1000);
  assert.equal(shown.live.state, 'offline');

  shown.live.wake();
  await pass(100);

  assert.equal(shown.live.state, 'live');
});

test('nothing is heard after stop', async (t) => {
  virtualTime(t, SEED);
  const server = new Server();
  const shown = page(server);
  await pass(100);

  shown.live.stop();
  server.change('in_1');
  await pass(HOUR, 1000);

  assert.deepEqual([shown.events, server.streams.size], [[], 0]);
});

const refused = (code) => async () => ({ errors: [{ code }] });
const KEPT = {
  'the network fails': async () => { throw new Error('connection reset'); },
  'nobody knows': refused('UPSTREAM_OUTCOME_UNKNOWN'),
  'it is under way': refused('IDEMPOTENCY_IN_PROGRESS'),
  'Stripe is away': refused('UPSTREAM_UNAVAILABLE'),
  'Stripe asks to wait': refused('UPSTREAM_RATE_LIMITED'),
};
const ENDED = {
  'it is done': async () => ({ errors: [] }),
  'a rule stands against it': refused('PAYMENT_IS_DEFAULT'),
  'the key is taken': refused('IDEMPOTENCY_KEY_REUSED'),
};

/** The keys of two tries, where the first ends so. */
async function tries(first, store, second = () => page(new Server(), { keys: store })) {
  const keys = [];
  const send = (answer) => (key) => (keys.push(key), answer(key));
  await page(new Server(), { keys: store }).write('in_1', send(first)).catch(() => {});
  await second().write('in_1', send(ENDED['it is done']));
  return keys;
}

function storage() {
  const items = new Map();
  return {
    items,
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => items.set(name, value),
    removeItem: (name) => items.delete(name),
  };
}

for (const [why, first] of Object.entries(KEPT)) {
  test(`the key is kept while the outcome is open: ${why}`, async (t) => {
    virtualTime(t, SEED);
    const store = storage();

    const [one, two] = await tries(first, store);

    assert.match(one, /^[0-9a-f]{32}$/);
    assert.equal(two, one);
    assert.equal(store.items.size, 0);
  });
}

for (const [why, first] of Object.entries(ENDED)) {
  test(`a known outcome ends the attempt: ${why}`, async (t) => {
    virtualTime(t, SEED);

    const [one, two] = await tries(first, storage());

    assert.notEqual(two, one);
  });
}

test('other input is another attempt', async (t) => {
  virtualTime(t, SEED);
  const shown = page(new Server());
  const keys = [];
  const send = async (key) => { keys.push(key); throw new Error('connection reset'); };

  for (const id of ['in_1', 'in_2', 'in_1']) await shown.write(id, send).catch(() => {});

  assert.equal(keys[2], keys[0]);
  assert.notEqual(keys[1], keys[0]);
});

test('the event of a write whose answer was lost says whose it is, and trying again repeats it', async (t) => {
  virtualTime(t, SEED);
  const server = new Server();
  const shown = page(server);
  const keys = [];
  await pass(100);

  const lost = async (key) => { keys.push(key); throw new Error('connection reset'); };
  await shown.write('in_1', lost).catch(() => {});
  server.change('in_1', keys[0]);
  await pass(100);
  await shown.write('in_1', lost).catch(() => {});
  shown.live.forget({ operation: 'pay', input: { id: 'in_1' } });
  await shown.write('in_1', lost).catch(() => {});

  assert.deepEqual(shown.events, ['own in_1']);
  assert.equal(keys[1], keys[0]);
  assert.notEqual(keys[2], keys[0]);
});
