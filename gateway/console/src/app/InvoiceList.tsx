import { Autocomplete } from '@base-ui/react/autocomplete';
import { Toggle } from '@base-ui/react/toggle';
import { ToggleGroup } from '@base-ui/react/toggle-group';
import { useEffect, useMemo, useState } from 'react';
import { Link, useLocation, useSearchParams } from 'wouter';

import { Activity } from './Activity';
import { AddInvoice } from './Demo';
import { nameOf, words } from './format';
import { CustomersDocument, InvoicesDocument, type InvoicesQuery, type InvoiceStatus, type RowFragment } from './generated';
import { Amount, Badge, Bar, Empty, Failure, partsOf, Skeleton, When } from './parts';
import { useRights } from './rights';
import type { Happening } from './session';
import { useStore } from './store';
import { useSession, useShown } from './views';

const PAGE = 20;
const STATUSES: InvoiceStatus[] = ['DRAFT', 'OPEN', 'PAID', 'UNCOLLECTIBLE', 'VOID'];

interface Filter {
  status: InvoiceStatus | null;
  customer: string | null;
}

/** The filter and the page stand in the address, so that they can be sent to somebody. */
function useFilter() {
  const [given, setGiven] = useSearchParams();
  const status = STATUSES.find((one) => one === given.get('status')) ?? null;
  const customer = given.get('customer');
  const [after, before] = [given.get('after'), given.get('before')];
  const turn = (changes: Record<string, string | null>) =>
    setGiven((were) => {
      const next = new URLSearchParams(were);
      ['after', 'before'].forEach((name) => next.delete(name));
      for (const [name, value] of Object.entries(changes)) value ? next.set(name, value) : next.delete(name);
      return next;
    });
  return { status, customer, after, before, turn };
}

const fits = (invoice: RowFragment, { status, customer }: Filter) =>
  (status === null || invoice.status === status) && (customer === null || invoice.customerId === customer);

export function InvoiceList() {
  const { status, customer, after, before, turn } = useFilter();
  const { mayReadEvents, mayPlay } = useRights();
  const variables = useMemo(() => {
    const page = before ? { last: PAGE, before } : { first: PAGE, after };
    return { ...page, filter: { status, customerId: customer } };
  }, [status, customer, after, before]);
  const isTouchedBy = ({ invoice, invoiceId }: Happening, data: InvoicesQuery | undefined) => {
    if (!invoice) return true;
    const isShown = data?.invoices?.nodes.some(({ id }) => id === invoiceId) ?? false;
    return isShown !== fits(invoice, { status, customer });
  };
  const { data, failure, again } = useShown(InvoicesDocument, variables, isTouchedBy);
  useEffect(() => void (document.title = 'Invoices'), []);
  const page = data?.invoices;

  return (
    <div className="with-aside">
      <section aria-labelledby="invoices">
        <div className="heading">
          <h1 id="invoices">Invoices</h1>
          {mayPlay && <AddInvoice />}
        </div>
        <div className="filters">
          <ToggleGroup
            className="tabs"
            aria-label="Status"
            value={[status ?? 'ALL']}
            onValueChange={([next]) => turn({ status: next && next !== 'ALL' ? next : null })}
          >
            {['ALL', ...STATUSES].map((one) => (
              <Toggle key={one} value={one} className="tab">
                {words(one)}
              </Toggle>
            ))}
          </ToggleGroup>
          <CustomerFilter customer={customer} onCustomer={(next) => turn({ customer: next })} />
        </div>
        {failure && <Failure what="The invoices could not be read." message={failure} again={again} />}
        {!failure && !page && <Skeleton rows={8} />}
        {page && page.nodes.length === 0 && <NoInvoices isFiltered={status !== null || customer !== null} />}
        {page && page.nodes.length > 0 && (
          <>
            <table className="rows invoices">
              <thead>
                <tr>
                  <th scope="col" className="number">Amount</th>
                  <th scope="col">Status</th>
                  <th scope="col">Invoice</th>
                  <th scope="col">Customer</th>
                  <th scope="col">Paid</th>
                  <th scope="col" className="number">Remaining</th>
                  <th scope="col">Created</th>
                </tr>
              </thead>
              <tbody>
                {page.nodes.map((invoice) => (
                  <Row key={invoice.id} invoice={invoice} />
                ))}
              </tbody>
            </table>
            <nav className="pages" aria-label="Pages">
              <button
                type="button"
                className="button"
                disabled={!page.pageInfo.hasPreviousPage || (!after && !before)}
                onClick={() => turn({ before: page.pageInfo.startCursor })}
              >
                Newer
              </button>
              <button
                type="button"
                className="button"
                disabled={!page.pageInfo.hasNextPage}
                onClick={() => turn({ after: page.pageInfo.endCursor })}
              >
                Older
              </button>
            </nav>
          </>
        )}
      </section>
      {mayReadEvents && <Activity />}
    </div>
  );
}

function NoInvoices({ isFiltered }: { isFiltered: boolean }) {
  if (!isFiltered) return <Empty title="There are no invoices yet.">They appear here as soon as there is one.</Empty>;
  return (
    <Empty title="No invoice fits these filters.">
      <Link href="/">Show all invoices</Link>
    </Empty>
  );
}

function Row({ invoice }: { invoice: RowFragment }) {
  const [, go] = useLocation();
  const href = `/invoices/${encodeURIComponent(invoice.id)}`;
  const changed = useChanged(invoice.id);
  return (
    <tr key={changed} className={changed ? 'changed' : undefined} onClick={(event) => event.detail && go(href)}>
      <td className="number strong">
        <Amount of={invoice.total} />
      </td>
      <td>
        <Badge status={invoice.status} raw={invoice.rawStatus} />
        {invoice.amountOverpaid.minorUnits > 0 && <span className="badge amber">Overpaid</span>}
      </td>
      <td className="name">
        <Link href={href} onClick={(event) => event.stopPropagation()}>
          {nameOf(invoice)}
        </Link>
      </td>
      <td className="customer">{invoice.customerName ?? invoice.customerEmail ?? <span className="muted">No customer</span>}</td>
      <td className="progress">
        <Bar invoice={invoice} />
      </td>
      <td className="number">
        {partsOf(invoice).remaining > 0 ? <Amount of={invoice.amountRemaining} /> : <span className="none muted">–</span>}
      </td>
      <td className="created muted">
        <When at={invoice.createdAt} />
      </td>
    </tr>
  );
}

/** The place of the latest event about an invoice, so that what changed stands out for a moment. */
export function useChanged(invoiceId: string): string | undefined {
  return useStore(useSession().told).find((event) => event.invoiceId === invoiceId)?.cursor;
}

interface Choice {
  value: string;
  label: string;
}

function CustomerFilter({ customer, onCustomer }: { customer: string | null; onCustomer(id: string | null): void }) {
  const { data } = useShown(CustomersDocument, {}, ({ invoice }, seen) =>
    Boolean(invoice?.customerId && !seen?.invoices?.nodes.some((one) => one.customerId === invoice.customerId)),
  );
  const choices = useMemo(() => {
    const names = new Map<string, string>();
    for (const { customerId, customerName } of data?.invoices?.nodes ?? []) {
      if (customerId) names.set(customerId, customerName ?? names.get(customerId) ?? customerId);
    }
    return [...names].map(([value, label]): Choice => ({ value, label })).sort((a, b) => a.label.localeCompare(b.label));
  }, [data]);
  const chosen = choices.find(({ value }) => value === customer)?.label ?? customer ?? '';
  const [text, setText] = useState(chosen);
  useEffect(() => setText(chosen), [chosen]);

  const choose = (written: string) => {
    const found = choices.find(({ label, value }) => label === written || value === written);
    if (found) onCustomer(found.value);
    else if (/^cus_\w+$/.test(written.trim())) onCustomer(written.trim());
    else if (written.trim() === '') onCustomer(null);
  };

  return (
    <Autocomplete.Root
      items={choices}
      itemToStringValue={(choice: Choice) => choice.label}
      value={text}
      // Who opens it to choose another sees all of them.
      filter={text === chosen ? null : undefined}
      onValueChange={(next, { reason }) => {
        setText(next);
        if (reason === 'item-press' || next === '') choose(next);
      }}
      openOnInputClick
    >
      <div className="combo">
        <Autocomplete.Input
          aria-label="Customer"
          placeholder="Any customer"
          onKeyDown={(event) => event.key === 'Enter' && choose(text)}
          onBlur={() => setText(chosen)}
        />
        {customer && (
          <button type="button" className="clear" aria-label="Any customer" onClick={() => onCustomer(null)}>
            ×
          </button>
        )}
      </div>
      <Autocomplete.Portal>
        <Autocomplete.Positioner className="popup-place" sideOffset={4} align="end">
          <Autocomplete.Popup className="popup">
            <Autocomplete.Empty className="popup-empty">No such customer here. An id (cus_…) works, too.</Autocomplete.Empty>
            <Autocomplete.List>
              {(choice: Choice) => (
                <Autocomplete.Item key={choice.value} value={choice} className="popup-item">
                  {choice.label}
                </Autocomplete.Item>
              )}
            </Autocomplete.List>
          </Autocomplete.Popup>
        </Autocomplete.Positioner>
      </Autocomplete.Portal>
    </Autocomplete.Root>
  );
}
