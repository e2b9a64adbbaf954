// One caller's connection: the cache, the stream, and what of it the views show. Everything that
// is about keeping up with the server is `invoice-payments-live`; this binds it to urql.

import { cacheExchange } from '@urql/exchange-graphcache';
import { createClient as createSocket } from 'graphql-ws';
import { goLive, type Attempt, type Gap, type Live, type State } from 'invoice-payments-live';
import { overUrql } from 'invoice-payments-live/urql';
import {
  Client,
  createRequest,
  fetchExchange,
  subscriptionExchange,
  type AnyVariables,
  type CombinedError,
  type OperationResult,
  type TypedDocumentNode,
} from 'urql';

import {
  AttachDocument,
  DetachDocument,
  EventsDocument,
  PositionDocument,
  type EventsSubscription,
} from './generated';
import { Store } from './store';

export type StreamItem = EventsSubscription['invoicePaymentEvents'];
export type Happening = Extract<StreamItem, { __typename: 'InvoicePaymentEvent' }>;
export type Told = Omit<Happening, 'invoice' | '__typename'> & { isOwn?: boolean; number?: string | null };

const ENDPOINT = new URL('/graphql', location.origin);
const SOCKET = new URL(ENDPOINT);
SOCKET.protocol = ENDPOINT.protocol === 'https:' ? 'wss:' : 'ws:';

const TOLD_MAX = 200;
const PING_MS = 10_000;
/** Events of one change come together. */
const GATHER_MS = 30;
/** Closes of a socket by which the gateway says that it does not know the caller (any more). */
const UNKNOWN_CALLER = new Set([4401, 4403]);

/** A query that is on the screen: part of every snapshot, and asked for again when an event may
 * change which objects it holds. */
export interface View {
  load(): Promise<unknown>;
  isTouchedBy(event: Happening): boolean;
}

const WITHOUT_ID = [
  'Money', 'InvoiceConnection', 'InvoicePaymentConnection', 'CreditNoteConnection', 'PageInfo',
  'InvoiceLineItemConnection', 'PaymentIntentConnection', 'InvoicePaymentEventConnection', 'GatewayInfo',
  'DetachPreview', 'InvoicePaymentEvent', 'StreamCheckpoint', 'StreamGap', 'AttachPaymentPayload',
  'DetachPaymentPayload', 'StateProblem', 'InputProblem', 'UpstreamProblem',
];

export class Session {
  readonly client: Client;
  readonly live: Live;
  readonly state = new Store<State>('catching up');
  readonly gap = new Store<(Gap & { at: Date }) | null>(null);
  /** Newest first, since the page was opened. */
  readonly told = new Store<readonly Told[]>([]);
  /** Attempts whose event was seen: what was not answered is known to be done. */
  readonly done = new Store<Attempt | null>(null);
  /** Whether the gateway has ever taken its token. */
  isKnown = false;
  readonly #headers: Record<string, string>;
  readonly #views = new Set<View>();
  readonly #gathered = new Set<View>();
  #requests = 0;

  constructor(
    token: string | null,
    private readonly onUnknownCaller: (message: string) => void,
  ) {
    const headers: Record<string, string> = token === null ? {} : { Authorization: `Bearer ${token}` };
    this.#headers = headers;
    const socket = createSocket({
      url: SOCKET.href,
      connectionParams: headers,
      retryAttempts: 0,
      keepAlive: PING_MS,
    });
    this.client = new Client({
      url: ENDPOINT.href,
      preferGetMethod: false,
      fetchOptions: { headers },
      exchanges: [
        cacheExchange({ keys: Object.fromEntries(WITHOUT_ID.map((name) => [name, () => null])) }),
        subscriptionExchange({
          forwardSubscription: ({ query, variables }) => ({
            subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: query ?? '', variables }, sink as never) }),
          }),
        }),
        fetchExchange,
      ],
    });
    this.live = goLive<Happening>({
      snapshot: () => this.#snapshot(),
      listen: overUrql(this.client, EventsDocument as never),
      apply: (event, own) => this.#apply(event, own),
      onEcho: (event) => this.#tell(event, true),
      onState: (state) => this.state.set(state),
      onGap: (gap) => this.gap.set({ ...gap, at: new Date() }),
      onCut: (reason) => this.#mayComeAgain(reason as CombinedError | undefined),
      keys: keysOf(sessionStorage),
    });
  }

  /** Past the cache, which takes the answer in. Rejects where there was none. */
  async query<D, V extends AnyVariables>(document: TypedDocumentNode<D, V>, variables: V): Promise<OperationResult<D, V>> {
    // With a key of its own it shares no answer that was asked for before.
    const request = { ...createRequest(document, variables), key: --this.#requests };
    const result = await this.client.executeQuery(request, { requestPolicy: 'network-only' }).toPromise();
    if (isUnknownCaller(result.error)) this.onUnknownCaller(messageOf(result.error!));
    if (result.error?.networkError || result.data == null) throw result.error;
    this.isKnown = true;
    return result;
  }

  /** Show this query until what is returned is called. */
  show(view: View): () => void {
    this.#views.add(view);
    return () => void this.#views.delete(view);
  }

  attach(input: { invoiceId: string; payment: { paymentIntentId: string } }) {
    return this.live.write('attachPayment', input, async (sent) => {
      const { data, error } = await this.client.mutation(AttachDocument, { input: sent }).toPromise();
      return answered(data?.attachPayment, error);
    });
  }

  detach(input: { invoiceId: string; paymentIntentId: string; ifAmountPaidMinorUnits: number }) {
    return this.live.write('detachPayment', input, async (sent) => {
      const { data, error } = await this.client.mutation(DetachDocument, { input: sent }).toPromise();
      return answered(data?.detachPayment, error);
    });
  }

  /** The demo's controls, which are no part of the API. Rejects with a sentence. */
  async demo(action: string, given: object): Promise<string> {
    const response = await fetch(`/demo/${action}`, {
      method: 'POST',
      headers: { ...this.#headers, 'Content-Type': 'application/json' },
      body: JSON.stringify(given),
    });
    const body = await response.json();
    if (!response.ok) throw new Error(body.errors?.[0]?.message ?? response.statusText);
    return body.id;
  }

  close(): void {
    this.live.stop();
  }

  async #snapshot(): Promise<string | undefined> {
    // First, so that its cursor is older than everything that is read after it.
    const { data } = await this.query(PositionDocument, {});
    await Promise.all([...this.#views].map((view) => view.load()));
    return data?.invoices?.nodes[0]?.eventCursor;
  }

  #apply(event: Happening, own: Attempt | undefined): boolean {
    this.#tell(event, own !== undefined);
    if (own) this.done.set(own);
    for (const view of this.#views) if (view.isTouchedBy(event)) this.#gather(view);
    return event.invoice != null;
  }

  #gather(view: View): void {
    if (this.#gathered.has(view)) return;
    this.#gathered.add(view);
    setTimeout(() => {
      this.#gathered.delete(view);
      if (this.#views.has(view)) void this.live.ask(() => view.load()).catch(() => this.live.refresh());
    }, GATHER_MS);
  }

  #tell({ invoice, ...event }: Happening, isOwn: boolean): void {
    const told = { ...event, isOwn, number: invoice?.number ?? null };
    this.told.set([told, ...this.told.get()].slice(0, TOLD_MAX));
  }

  #mayComeAgain(reason: CombinedError | undefined): boolean {
    if (!isUnknownCaller(reason)) return true;
    this.onUnknownCaller(messageOf(reason!));
    return false;
  }
}

/** Only an answer decides about a key: whatever else went wrong leaves the outcome open. */
function answered<P>(payload: P | null | undefined, error: CombinedError | undefined): P {
  if (payload == null) throw error ?? new Error('There was no answer.');
  return payload;
}

function isUnknownCaller(error: CombinedError | undefined): boolean {
  if (!error) return false;
  const { networkError, response, graphQLErrors = [] } = error;
  return (
    response?.status === 401 ||
    UNKNOWN_CALLER.has((networkError as unknown as CloseEvent | undefined)?.code ?? 0) ||
    graphQLErrors.some(({ extensions }) => extensions?.code === 'UNAUTHENTICATED')
  );
}

export function messageOf(error: CombinedError | Error): string {
  if ('graphQLErrors' in error && error.graphQLErrors[0]) return error.graphQLErrors[0].message;
  const { networkError } = error as CombinedError;
  return (networkError as { reason?: string } | undefined)?.reason || networkError?.message || error.message;
}

const keysOf = (storage: Storage) => ({
  getItem: (name: string) => storage.getItem(`attempt ${name}`),
  setItem: (name: string, key: string) => storage.setItem(`attempt ${name}`, key),
  removeItem: (name: string) => storage.removeItem(`attempt ${name}`),
});
