/** What a page shows, kept equal to what the server has: read once, followed by its events,
 * resumed after every cut, and read again where history is missing.
 *
 * It knows no GraphQL client: three functions bind it to one (`./urql`, `./apollo`). */

/** `live`: everything up to now is shown; `catching up`: what was missed is on its way; `offline`:
 * the stream is cut, and is resumed as soon as that can be. */
export type State = 'live' | 'catching up' | 'offline';

/** What an event must select; the rest is what `apply` needs. */
export interface LiveEvent {
  readonly __typename: 'InvoicePaymentEvent';
  readonly cursor: string;
  readonly idempotencyKey?: string | null;
}

export interface Checkpoint {
  readonly __typename: 'StreamCheckpoint';
  readonly cursor: string;
  readonly live: boolean;
}

export interface Gap {
  readonly __typename: 'StreamGap';
  readonly reason: string;
}

export type Item<E extends LiveEvent> = E | Checkpoint | Gap;

/** Where a stream goes. It ends with one call of `error` or of `complete`, whichever is first. */
export interface Sink<E extends LiveEvent> {
  next(item: Item<E>): void;
  error(reason: unknown): void;
  complete(): void;
}

/** Opens `invoicePaymentEvents(after:)`; what it returns ends the stream. */
export type Listen<E extends LiveEvent> = (after: string | undefined, sink: Sink<E>) => () => void;

/** The payload of a mutation, as far as it decides about the key. */
export interface Payload {
  readonly errors: readonly { readonly code: string }[];
}

/** What was sent by `write`. */
export interface Attempt {
  readonly operation: string;
  readonly input: object;
}

/** Where keys outlive the page, for example `sessionStorage`. */
export interface KeyStore {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

export interface Options<E extends LiveEvent> {
  /** Reads all that is shown, past every cache, and resolves to its `eventCursor`: of several
   * queries that of the one that was sent first. Null where nothing there has a cursor. */
  snapshot(): Promise<string | null | undefined>;
  listen: Listen<E>;
  /** Shows an event; `own` is the write of this page that caused it. False: it cannot be shown by
   * itself, so everything is read again. */
  apply(event: E, own: Attempt | undefined): boolean | void;
  /** The event of a write of this page whose answer is shown already: no news. */
  onEcho?(event: E): void;
  onState?(state: State): void;
  /** History is missing. Everything is being read again. */
  onGap?(gap: Gap): void;
  /** The stream was cut, or could not be opened. False: wait for `wake`, as for a new token. */
  onCut?(reason: unknown): boolean | void;
  /** Quiet beyond this is a dead connection: the server sends a checkpoint every 15 s. */
  silenceMs?: number;
  keys?: KeyStore;
}

export interface Live {
  readonly state: State;
  /** Everything up to here is shown; undefined until something is. */
  readonly cursor: string | undefined;
  /** Runs a query that becomes part of what is shown. What was told while it was under way may be
   * newer than its answer: then it runs again. */
  ask<T>(load: () => Promise<T>): Promise<T>;
  /** Sends a mutation with a key of its own, which is kept until the outcome is known: the same
   * operation with the same input, tried again, is the same attempt. Rejects as `send` does. */
  write<I extends object, P extends Payload>(
    operation: string,
    input: I,
    send: (input: I & { idempotencyKey: string }) => Promise<P>,
  ): Promise<P>;
  /** The outcome of an attempt was learned otherwise, as from its event: trying again is a new one. */
  forget(attempt: Attempt): void;
  /** Reads everything again, without ending the stream. */
  refresh(): Promise<void>;
  /** Try now, as when the browser is online again or there is a new token. */
  wake(): void;
  stop(): void;
}

/** After these nobody knows whether it was done, or the same key may still do it. */
const UNDECIDED = new Set([
  'UPSTREAM_OUTCOME_UNKNOWN',
  'IDEMPOTENCY_IN_PROGRESS',
  'UPSTREAM_UNAVAILABLE',
  'UPSTREAM_RATE_LIMITED',
]);

/** Whether the same attempt may still turn out to be done, or be done by trying again. */
export const isUndecided = (payload: Payload): boolean => payload.errors.some(({ code }) => UNDECIDED.has(code));

const WAIT_MS = 500;
const WAIT_MS_MAX = 10_000;
const SILENCE_MS = 45_000;
const TRIES = 3;

export function goLive<E extends LiveEvent>(options: Options<E>): Live {
  const keys = attempts(options.keys);
  /** Keys of own writes whose answers are shown, with nothing over them that may be older. */
  const answered = new Set<string>();
  let state: State = 'catching up';
  let cursor: string | undefined;
  /** How often the server has told something that is shown. */
  let moves = 0;
  let failures = 0;
  /** Of what is under way only the latest counts. */
  let turn = 0;
  let isOpen = false;
  let end = () => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  let refreshing: Promise<void> | undefined;

  const tell = (next: State) => {
    if (state !== next) options.onState?.((state = next));
  };

  /** A new turn: what the one before still brings is not heard. */
  const begin = () => {
    clearTimeout(timer);
    const ending = end;
    end = () => {};
    isOpen = false;
    turn += 1;
    ending();
    return turn;
  };

  const watch = (mine: number) => {
    clearTimeout(timer);
    const silence = options.silenceMs ?? SILENCE_MS;
    timer = setTimeout(() => mine === turn && cut(new Error('Nothing came for long.')), silence);
  };

  const cut = (reason: unknown) => {
    begin();
    tell('offline');
    if (options.onCut?.(reason) === false) return;
    // All pages are cut at once when a server goes, and should not come back at once.
    timer = setTimeout(resume, Math.random() * Math.min(WAIT_MS_MAX, WAIT_MS * 2 ** failures++));
  };

  const resume = () => (cursor === undefined ? void start() : open());

  async function start(): Promise<void> {
    const mine = begin();
    watch(mine);
    try {
      const position = await options.snapshot();
      settle();
      if (mine !== turn) return distrust();
      cursor = position ?? undefined;
      open();
    } catch (reason) {
      settle();
      if (mine === turn) cut(reason);
    }
  }

  /** A read is shown. A write that was answered meanwhile may be newer, so its event is news. */
  const settle = () => {
    moves += 1;
    answered.clear();
  };

  /** What is shown may be older than the position. */
  const distrust = () => {
    if (isOpen) void refresh();
    else cursor = undefined;
  };

  function open(): void {
    const mine = begin();
    watch(mine);
    isOpen = true;
    const ending = options.listen(cursor, {
      next: (item) => mine === turn && take(item, mine),
      error: (reason) => mine === turn && cut(reason),
      complete: () => mine === turn && cut(undefined),
    });
    if (mine === turn) end = ending;
    else ending();
  }

  function take(item: Item<E>, mine: number): void {
    watch(mine);
    if (item.__typename === 'StreamGap') {
      options.onGap?.(item);
      tell('catching up');
      return void start();
    }
    // What was read before the stream had a place may lack what came between.
    if (cursor === undefined) void refresh();
    cursor = item.cursor;
    if (item.__typename === 'StreamCheckpoint') {
      if (item.live) failures = 0;
      return tell(item.live ? 'live' : 'catching up');
    }
    const key = item.idempotencyKey ?? '';
    const own = keys.made.get(key);
    if (answered.delete(key)) return options.onEcho?.(item);
    settle();
    if (options.apply(item, own) === false) void refresh();
  }

  /** `done` is called in the very step in which the answer is found to be good. */
  async function ask<T>(load: () => Promise<T>, done = () => {}): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      const before = moves;
      const answer = await load().catch((reason) => {
        if (tries > 1) distrust();
        throw reason;
      });
      const isOlder = before !== moves;
      if (isOlder && tries < TRIES) continue;
      done();
      if (isOlder) {
        // So much happens that the stream has to stand still for it.
        cursor = undefined;
        if (isOpen) void start();
      }
      return answer;
    }
  }

  function refresh(): Promise<void> {
    // One that is under way takes another turn.
    moves += 1;
    const done = () => (refreshing = undefined);
    const snapshot = async () => void (await options.snapshot());
    return (refreshing ??= ask(snapshot, done).catch((reason) => {
      done();
      cursor = undefined;
      if (isOpen) cut(reason);
    }));
  }

  const live: Live = {
    get state() {
      return state;
    },
    get cursor() {
      return cursor;
    },
    ask: (load) => ask(load),
    async write(operation, input, send) {
      const attempt = { operation, input };
      const key = keys.of(attempt);
      const before = moves;
      const payload = await send({ ...input, idempotencyKey: key });
      if (!isUndecided(payload)) keys.forget(attempt);
      // What was told during the call may be newer than its answer.
      const isOlder = before !== moves;
      moves += 1;
      if (isOlder) distrust();
      else if (payload.errors.length === 0) answered.add(key);
      return payload;
    },
    forget: keys.forget,
    refresh,
    wake() {
      if (state !== 'offline') return;
      failures = 0;
      resume();
    },
    stop() {
      begin();
    },
  };
  void start();
  return live;
}

/** The keys of the attempts whose outcome is not known yet, and all that were made here. */
function attempts(store?: KeyStore) {
  const kept = new Map<string, string>();
  const made = new Map<string, Attempt>();
  const nameOf = ({ operation, input }: Attempt) => JSON.stringify([operation, input]);
  return {
    made,
    of(attempt: Attempt): string {
      const name = nameOf(attempt);
      const key = kept.get(name) ?? store?.getItem(name) ?? newKey();
      made.set(key, attempt);
      kept.set(name, key);
      store?.setItem(name, key);
      return key;
    },
    forget(attempt: Attempt): void {
      kept.delete(nameOf(attempt));
      store?.removeItem(nameOf(attempt));
    },
  };
}

/** `crypto.randomUUID` is there on https and localhost only. */
const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
