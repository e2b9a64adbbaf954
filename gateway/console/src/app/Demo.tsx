// The demo's controls: what payers and other programs would do. They exist only where a twin plays
// Stripe, and are no part of the API.

import { Dialog } from '@base-ui/react/dialog';
import { useState, type FormEvent } from 'react';
import { useLocation } from 'wouter';

import { money } from './format';
import { CustomersDocument, type DetailFragment, type IntentFragment } from './generated';
import { useSession, useShown } from './views';

/** Does one thing at a time and says what was refused. */
function useControl() {
  const session = useSession();
  const [isBusy, setIsBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  return {
    isBusy,
    problem,
    async play(action: string, given: object): Promise<string | undefined> {
      setIsBusy(true);
      setProblem(undefined);
      try {
        return await session.demo(action, given);
      } catch (error) {
        setProblem((error as Error).message);
      } finally {
        setIsBusy(false);
      }
    },
  };
}

const Problem = ({ text }: { text: string | undefined }) =>
  text ? (
    <p className="problem" role="alert">
      {text}
    </p>
  ) : null;

/** For one payment that is still open: its payer pays, or the bank says no. */
export function SettleControls({ intent }: { intent: IntentFragment }) {
  const { isBusy, problem, play } = useControl();
  return (
    <div className="controls demo-controls" role="group" aria-label={`Demo: let ${intent.id} end`}>
      {(['succeeded', 'failed'] as const).map((outcome) => (
        <button
          key={outcome}
          type="button"
          className="button small demo-button"
          disabled={isBusy}
          onClick={() => void play('settle', { paymentIntentId: intent.id, outcome })}
        >
          {outcome === 'succeeded' ? 'Let it succeed' : 'Let it fail'}
        </button>
      ))}
      <Problem text={problem} />
    </div>
  );
}

/** For one invoice: money that comes from elsewhere. */
export function InvoiceControls({ invoice }: { invoice: DetailFragment }) {
  const { isBusy, problem, play } = useControl();
  const isOpen = invoice.status === 'OPEN';
  const rest = invoice.amountRemaining;
  const controls: [string, string, object][] = isOpen
    ? [
        ['Pay out of band', 'pay-out-of-band', { invoiceId: invoice.id }],
        ['Overpay by a race', 'overpay', { invoiceId: invoice.id }],
        [`Receive ${money(rest)} to attach`, 'receive', { invoiceId: invoice.id, amountMinorUnits: rest.minorUnits }],
      ]
    : [];
  return (
    <section className="card demo-card" aria-labelledby="demo">
      <h2 id="demo">
        Demo <span className="muted">· what others would do</span>
      </h2>
      {isOpen ? (
        <div className="controls">
          {controls.map(([name, action, given]) => (
            <button key={action} type="button" className="button small demo-button" disabled={isBusy} onClick={() => void play(action, given)}>
              {name}
            </button>
          ))}
        </div>
      ) : (
        <p className="muted">This invoice is not open. Detach a payment, or add another invoice.</p>
      )}
      <Problem text={problem} />
    </section>
  );
}

const DIGITS: Record<string, number> = { usd: 2, jpy: 0, kwd: 3 };

export function AddInvoice() {
  const [isOpen, setIsOpen] = useState(false);
  const [, go] = useLocation();
  const { isBusy, problem, play } = useControl();
  const { data } = useShown(CustomersDocument, {});
  const customers = new Map((data?.invoices?.nodes ?? []).map(({ customerId, customerName }) => [customerId, customerName]));
  const add = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const currency = `${form.get('currency')}`;
    const [whole, part = ''] = `${form.get('amount')}`.split('.');
    const amountMinorUnits = Number(whole + part.padEnd(DIGITS[currency] ?? 2, '0').slice(0, DIGITS[currency] ?? 2));
    const id = await play('add-invoice', { customerId: form.get('customer'), currency, amountMinorUnits });
    if (!id) return;
    setIsOpen(false);
    go(`/invoices/${id}`);
  };
  return (
    <Dialog.Root open={isOpen} onOpenChange={setIsOpen}>
      <Dialog.Trigger className="button demo-button">Add an invoice</Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog">
          <Dialog.Title>Add an invoice</Dialog.Title>
          <Dialog.Description className="muted">The demo makes it, finalizes it, and tells everybody who listens.</Dialog.Description>
          <form className="form" onSubmit={(event) => void add(event)}>
            <label className="field">
              Customer
              <select name="customer" required>
                {[...customers].map(([id, name]) => id && <option key={id} value={id}>{name ?? id}</option>)}
              </select>
            </label>
            <div className="side-by-side">
              <label className="field">
                Amount
                <input name="amount" required inputMode="decimal" pattern="\d{1,6}(\.\d{1,3})?" defaultValue="120" />
              </label>
              <label className="field">
                Currency
                <select name="currency" defaultValue="usd">
                  {Object.keys(DIGITS).map((code) => <option key={code} value={code}>{code.toUpperCase()}</option>)}
                </select>
              </label>
            </div>
            <Problem text={problem} />
            <div className="dialog-actions">
              <Dialog.Close className="button">Cancel</Dialog.Close>
              <button type="submit" className="button primary" disabled={isBusy}>
                Add it
              </button>
            </div>
          </form>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
