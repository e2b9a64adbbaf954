import { Link } from 'wouter';

import { HAPPENED } from './format';
import { HistoryDocument } from './generated';
import { When } from './parts';
import type { Told } from './session';
import { useStore } from './store';
import { useSession, useShown } from './views';

const SHOWN_MAX = 30;

/** What has happened since the page was opened. */
export function Activity() {
  const told = useStore(useSession().told);
  return (
    <aside className="activity" aria-labelledby="activity">
      <h2 id="activity">Live events</h2>
      {told.length === 0 ? (
        <p className="muted">Nothing has happened since you opened this page. What happens appears here, from wherever it comes.</p>
      ) : (
        <Events events={told.slice(0, SHOWN_MAX)} isNamed />
      )}
    </aside>
  );
}

/** What has happened to one invoice, as far back as the log goes and a page of it reaches. */
export function History({ invoice }: { invoice: string }) {
  const told = useStore(useSession().told);
  const { data } = useShown(HistoryDocument, { invoice, after: null });
  // Of what was told here it is known whose it was.
  const since = told.filter((event) => event.invoiceId === invoice);
  const known = new Set(since.map(({ cursor }) => cursor));
  const before = (data?.invoicePaymentEvents?.nodes ?? []).filter(({ cursor }) => !known.has(cursor));
  const events = [...since, ...before.reverse()];
  return (
    <section className="card activity" aria-labelledby="activity">
      <h2 id="activity">Events</h2>
      {events.length === 0 ? (
        <p className="muted">Nothing has happened to this invoice’s payments yet.</p>
      ) : (
        <Events events={events.slice(0, SHOWN_MAX)} />
      )}
    </section>
  );
}

const ORIGINS = { WEBHOOK: 'told by Stripe', MUTATION: 'through this gateway', RECONCILED: 'found while catching up' };

function Events({ events, isNamed }: { events: readonly Told[]; isNamed?: boolean }) {
  return (
    <ol className="events">
      {events.map((event) => (
        <li key={event.cursor} className={event.type.toLowerCase()} title={`${event.rawType}, ${ORIGINS[event.origin]}`}>
          <span className="what">{HAPPENED[event.type]}</span>
          {event.isOwn && <span className="badge grey">You</span>}
          <span className="detail muted">
            {isNamed && <Link href={`/invoices/${encodeURIComponent(event.invoiceId)}`}>{event.number ?? event.invoiceId}</Link>}
            {event.paymentIntentId && <code>{event.paymentIntentId}</code>}
            <When at={event.occurredAt} />
          </span>
        </li>
      ))}
    </ol>
  );
}
