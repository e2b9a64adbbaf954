// A gateway in virtual time, with the promises that `invoice-payments-live` builds on: its answers
// are late, out of order and lost, its streams are in order, and what it did it has done once.

import { mock } from 'node:test';

/** Seconds pass when `pass` says so, and chance comes from a seed. */
export function virtualTime(t, seed) {
  mock.timers.enable({ apis: ['setTimeout'] });
  const random = chance(seed);
  mock.method(Math, 'random', random);
  t.after(() => {
    mock.timers.reset();
    mock.restoreAll();
  });
  return random;
}

export async function pass(milliseconds, step = 20) {
  for (let passed = 0; passed < milliseconds; passed += step) {
    mock.timers.tick(step);
    await new Promise(setImmediate);
  }
}

/** mulberry32 */
function chance(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const late = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export class Server {
  isUp = true;
  invoices = new Map();
  /** Its entries by position; the first `forgotten` are gone. */
  log = [];
  forgotten = 0;
  streams = new Set();
  outcomes = new Map();
  /** Milliseconds of one way. */
  delay = () => 0;
  /** Calls whose request or answer is lost with the process. */
  #run = 0;

  fresh() {
    return Object.fromEntries(this.invoices);
  }

  /** Something happens, through this gateway or at Stripe. */
  change(id, key) {
    const times = (this.invoices.get(id)?.times ?? 0) + 1;
    this.invoices.set(id, { id, times });
    this.log.push({ id, key });
    for (const stream of this.streams) this.#deliver(stream);
  }

  async call(work) {
    const run = this.#run;
    await late(this.delay());
    if (!this.isUp || run !== this.#run) throw new Error('connection refused');
    const answer = work();
    await late(this.delay());
    if (run !== this.#run) throw new Error('connection reset');
    return answer;
  }

  snapshot() {
    return this.call(() => ({ cursor: `${this.log.length}`, invoices: this.fresh() }));
  }

  write(id, key) {
    return this.call(() => {
      if (!this.outcomes.has(key)) {
        this.outcomes.set(key, id);
        this.change(id, key);
      }
      return { errors: [], invoice: this.invoices.get(id) };
    });
  }

  listen = (after, sink) => {
    const stream = { sink, at: 0, arrives: Promise.resolve() };
    void late(this.delay()).then(() => {
      if (stream.isEnded) return;
      if (!this.isUp) return sink.error(new Error('connection refused'));
      this.streams.add(stream);
      stream.at = Number(after ?? this.log.length);
      if (stream.at < this.forgotten) {
        this.#send(stream, { __typename: 'StreamGap', reason: 'RETENTION' });
        stream.at = this.forgotten;
      }
      this.#send(stream, this.#checkpoint(stream, stream.at === this.log.length));
      this.#deliver(stream);
      this.#send(stream, this.#checkpoint(stream, true));
      const beat = () => {
        if (!this.streams.has(stream)) return;
        this.#send(stream, this.#checkpoint(stream, true));
        setTimeout(beat, 15_000);
      };
      setTimeout(beat, 15_000);
    });
    return () => {
      stream.isEnded = true;
      this.streams.delete(stream);
    };
  };

  #checkpoint = (stream, live) => ({ __typename: 'StreamCheckpoint', cursor: `${stream.at}`, live });

  /** Every event with the invoice as it is now, which is never older than the event. */
  #deliver(stream) {
    while (stream.at < this.log.length) {
      const { id, key } = this.log[stream.at++];
      const invoice = this.invoices.get(id);
      const event = { __typename: 'InvoicePaymentEvent', cursor: `${stream.at}`, invoice };
      this.#send(stream, { ...event, idempotencyKey: key ?? null });
    }
  }

  #send(stream, item) {
    const arrives = late(this.delay());
    stream.arrives = stream.arrives.then(() => arrives).then(() => this.streams.has(stream) && stream.sink.next(item));
  }

  /** `isTold`: the peers see a reset, and not only silence. */
  kill(isTold = true) {
    this.isUp = false;
    this.#run += 1;
    const cut = [...this.streams];
    this.streams.clear();
    if (isTold) cut.forEach(({ sink }) => sink.error(new Error('connection reset')));
  }

  start() {
    this.isUp = true;
  }

  /** Retention: what was in the log until now is gone. */
  forget() {
    this.forgotten = this.log.length;
  }
}
