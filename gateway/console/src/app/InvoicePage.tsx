import { useEffect } from 'react';
import { Link } from 'wouter';

import { Attach } from './Attach';
import { History } from './Activity';
import { InvoiceControls, SettleControls } from './Demo';
import { Detach } from './Detach';
import { BLOCKED, COLLECTION, day, money, nameOf, withMinorUnits, words } from './format';
import { InvoiceDocument, type DetailFragment, type PaymentFragment } from './generated';
import { useChanged } from './InvoiceList';
import { Amount, Badge, Bar, Failure, partsOf, Skeleton, When } from './parts';
import { useRights } from './rights';
import { useShown } from './views';

const ATTACHABLE = ['OPEN', 'UNCOLLECTIBLE'];

export function InvoicePage({ id }: { id: string }) {
  const { data, failure, again } = useShown(InvoiceDocument, { id }, ({ invoiceId }) => invoiceId === id);
  const { can, mayReadEvents, mayPlay } = useRights();
  const invoice = data?.invoice;
  useEffect(() => void (document.title = invoice ? `Invoice ${nameOf(invoice)}` : 'Invoice'), [invoice && nameOf(invoice)]);

  return (
    <article className="invoice">
      <nav aria-label="Breadcrumb" className="crumb">
        <Link href="/">Invoices</Link>
        <span aria-hidden="true">/</span>
        <span aria-current="page">{invoice ? nameOf(invoice) : id}</span>
      </nav>
      {failure && <Failure what="This invoice could not be read." message={failure} again={again} />}
      {!failure && !invoice && <Skeleton rows={6} />}
      {invoice && (
        <>
          <Heading invoice={invoice}>
            {can('ATTACH_PAYMENT_INTENT') && ATTACHABLE.includes(invoice.status ?? '') && <Attach invoice={invoice} />}
          </Heading>
          <div className="columns">
            <div>
              <Payments invoice={invoice} />
              <CreditNotes invoice={invoice} />
              <Lines invoice={invoice} />
            </div>
            <div>
              {mayPlay && <InvoiceControls invoice={invoice} />}
              <Facts invoice={invoice} />
              {mayReadEvents && <History invoice={invoice.id} />}
            </div>
          </div>
        </>
      )}
    </article>
  );
}

function Heading({ invoice, children }: { invoice: DetailFragment; children: React.ReactNode }) {
  const { paid, elsewhere, remaining } = partsOf(invoice);
  const written = (minorUnits: number) => money(withMinorUnits(invoice.amountDue, minorUnits));
  const changed = useChanged(invoice.id);
  return (
    <header className="card summary">
      <div className="heading">
        <div>
          <h1>
            <Amount of={invoice.total} /> <Badge status={invoice.status} raw={invoice.rawStatus} />
            {invoice.amountOverpaid.minorUnits > 0 && (
              <span className="badge amber">Overpaid by {money(invoice.amountOverpaid)}</span>
            )}
          </h1>
          <p className="muted">
            Invoice {nameOf(invoice)} for {invoice.customerName ?? invoice.customer?.name ?? 'no customer'}
          </p>
        </div>
        {children}
      </div>
      <div key={changed} className={changed ? 'changed' : undefined}>
        <Bar invoice={invoice} size="large" />
        <dl className="legend">
          <div className="paid">
            <dt>Paid</dt>
            <dd>{written(paid)}</dd>
          </div>
          {elsewhere > 0 && (
            <div className="elsewhere">
              <dt>Paid out of band</dt>
              <dd>{written(elsewhere)}</dd>
            </div>
          )}
          <div className="remaining">
            <dt>Remaining</dt>
            <dd data-testid="remaining">{written(remaining)}</dd>
          </div>
        </dl>
      </div>
    </header>
  );
}

const SOURCES = { PAYMENT_INTENT: 'PaymentIntent', PAYMENT_RECORD: 'Payment record', CHARGE: 'Charge', UNRECOGNIZED: 'Payment' };

function Payments({ invoice }: { invoice: DetailFragment }) {
  const payments = invoice.payments;
  return (
    <section className="card" aria-labelledby="payments">
      <h2 id="payments">Payments</h2>
      {payments === null && <p className="problem">The payments could not be read. They are asked for again with the next change.</p>}
      {payments?.nodes.length === 0 && <p className="muted">Nothing pays this invoice yet.</p>}
      {payments && payments.nodes.length > 0 && (
        <ul className="payments">
          {payments.nodes.map((payment) => (
            <Payment key={payment.id} payment={payment} invoice={invoice} />
          ))}
        </ul>
      )}
      {payments?.pageInfo.hasNextPage && <p className="muted">Only the fifty newest are shown.</p>}
    </section>
  );
}

function Payment({ payment, invoice }: { payment: PaymentFragment; invoice: DetailFragment }) {
  const { can, mayPlay } = useRights();
  const { source, detachPreview } = payment;
  const intent = source?.__typename === 'PaymentIntent' ? source : null;
  const isOver = payment.status === 'CANCELED';
  const why = detachPreview?.blockedBy[0];
  return (
    <li className={isOver ? 'payment over' : 'payment'}>
      <div className="payment-main">
        <p>
          <span className="strong">
            <Amount of={payment.amountPaid ?? payment.amountRequested} />
          </span>{' '}
          <Badge status={payment.status} raw={payment.rawStatus} />
          {payment.isDefault && <span className="badge outline">Default</span>}
        </p>
        <p className="muted">
          {SOURCES[payment.sourceType]} <code>{payment.sourceId}</code>
          {intent && <> · {words(intent.status, intent.rawStatus).toLowerCase()}</>}
        </p>
        {source && 'description' in source && source.description && <p className="muted">{source.description}</p>}
        <p className="muted">
          {payment.paidAt ? <>Paid <When at={payment.paidAt} /></> : payment.canceledAt ? <>Canceled <When at={payment.canceledAt} /></> : <>Attached <When at={payment.createdAt} /></>}
        </p>
      </div>
      <div className="payment-actions">
        {mayPlay && intent && payment.status === 'OPEN' && <SettleControls intent={intent} />}
        {can('DETACH') && intent && detachPreview?.allowed && <Detach payment={payment} intent={intent} invoice={invoice} />}
        {can('DETACH') && intent && !isOver && why && <p className="hint muted">Cannot be detached: {BLOCKED[why] ?? words(why)}</p>}
      </div>
    </li>
  );
}

function CreditNotes({ invoice }: { invoice: DetailFragment }) {
  const notes = invoice.creditNotes?.nodes ?? [];
  if (notes.length === 0) return null;
  return (
    <section className="card" aria-labelledby="credit-notes">
      <h2 id="credit-notes">Credit notes</h2>
      <ul className="payments">
        {notes.map((note) => (
          <li key={note.id} className="payment">
            <div className="payment-main">
              <p>
                <span className="strong">
                  <Amount of={note.amount} />
                </span>{' '}
                <Badge status={note.status} />
              </p>
              <p className="muted">
                {note.number ?? note.id} · {words(note.type)}
                {note.reason && <> · {words(note.reason).toLowerCase()}</>} · <When at={note.createdAt} />
              </p>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Lines({ invoice }: { invoice: DetailFragment }) {
  const lines = invoice.lines?.nodes ?? [];
  if (lines.length === 0) return null;
  return (
    <section className="card" aria-labelledby="lines">
      <h2 id="lines">Lines</h2>
      <table className="rows plain">
        <thead>
          <tr>
            <th scope="col">Description</th>
            <th scope="col" className="number">Quantity</th>
            <th scope="col" className="number">Amount</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <tr key={line.id}>
              <td>{line.description ?? <span className="muted">No description</span>}</td>
              <td className="number">{line.quantityDecimal ?? ''}</td>
              <td className="number">
                <Amount of={line.amount} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Facts({ invoice }: { invoice: DetailFragment }) {
  const facts: [string, React.ReactNode][] = [
    ['Customer', invoice.customer?.name ?? invoice.customerName ?? 'None'],
    ['E-mail', invoice.customer?.email ?? invoice.customerEmail],
    ['Amount due', <Amount of={invoice.amountDue} />],
    ['Starting balance', invoice.startingBalance.minorUnits !== 0 && <Amount of={invoice.startingBalance} />],
    ['Credited', invoice.prePaymentCreditNotesAmount.minorUnits > 0 && <Amount of={invoice.prePaymentCreditNotesAmount} />],
    ['Credited after payment', invoice.postPaymentCreditNotesAmount.minorUnits > 0 && <Amount of={invoice.postPaymentCreditNotesAmount} />],
    ['Collection', COLLECTION[invoice.collectionMethod]],
    ['Created', <When at={invoice.createdAt} />],
    ['Due', invoice.dueAt && day(invoice.dueAt)],
    ['Finalized', invoice.finalizedAt && <When at={invoice.finalizedAt} />],
    ['Paid', invoice.paidAt && <When at={invoice.paidAt} />],
    ['Voided', invoice.voidedAt && <When at={invoice.voidedAt} />],
    ['Marked uncollectible', invoice.markedUncollectibleAt && <When at={invoice.markedUncollectibleAt} />],
    ['Id', <code>{invoice.id}</code>],
  ];
  return (
    <section className="card" aria-labelledby="details">
      <h2 id="details">Details</h2>
      <dl className="facts">
        {facts.map(([name, fact]) =>
          fact ? (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{fact}</dd>
            </div>
          ) : null,
        )}
      </dl>
      {invoice.description && <p className="muted">{invoice.description}</p>}
    </section>
  );
}

