import { AlertDialog } from '@base-ui/react/alert-dialog';
import { useState } from 'react';

import { useAttempt, type Phase } from './attempt';
import { money, nameOf, words } from './format';
import type { DetailFragment, IntentFragment, PaymentFragment } from './generated';
import { useSession } from './views';

interface Props {
  payment: PaymentFragment;
  intent: IntentFragment;
  invoice: DetailFragment;
}

/** Says what will follow, as the gateway foretells it, and does it once. */
export function Detach({ payment, intent, invoice }: Props) {
  const session = useSession();
  const [isOpen, setIsOpen] = useState(false);
  const { phase, send, reset } = useAttempt(() => setIsOpen(false));
  const preview = payment.detachPreview;
  const detach = () => {
    const input = {
      invoiceId: invoice.id,
      paymentIntentId: intent.id,
      // What was confirmed was told of this state, and of no other.
      ifAmountPaidMinorUnits: invoice.amountPaid.minorUnits,
    };
    void send({ operation: 'detachPayment', input }, () => session.detach(input));
  };
  return (
    <AlertDialog.Root open={isOpen} onOpenChange={(next) => { if (next) reset(); setIsOpen(next); }}>
      <AlertDialog.Trigger className="button small" aria-label={`Detach ${money(payment.amountPaid ?? payment.amountRequested)}`}>
        Detach
      </AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="backdrop" />
        <AlertDialog.Popup className="dialog">
          <AlertDialog.Title>Detach this payment?</AlertDialog.Title>
          <AlertDialog.Description className="muted">
            {money(intent.amount)} by <code>{intent.id}</code>
          </AlertDialog.Description>
          <ul className="follows">
            {preview?.statusAfter && preview.amountRemainingAfter && (
              <li>
                {preview.statusAfter === invoice.status
                  ? `Invoice ${nameOf(invoice)} stays ${words(invoice.status).toLowerCase()} and will ask for ${money(preview.amountRemainingAfter)}.`
                  : `Invoice ${nameOf(invoice)} goes from ${words(invoice.status).toLowerCase()} back to ${words(preview.statusAfter).toLowerCase()} and will ask for ${money(preview.amountRemainingAfter)}.`}
              </li>
            )}
            {preview?.createsDefaultPaymentIntent && <li>Stripe makes a new default PaymentIntent for that balance.</li>}
            <li>
              No money is given back. The PaymentIntent stays {words(intent.status, intent.rawStatus).toLowerCase()}, and can be
              attached to another invoice.
            </li>
          </ul>
          <Outcome phase={phase} />
          <div className="dialog-actions">
            <AlertDialog.Close className="button">Keep it</AlertDialog.Close>
            <button type="button" className="button danger" disabled={phase.at === 'sending' || !preview?.allowed} onClick={detach}>
              {phase.at === 'sending' ? 'Detaching…' : phase.at === 'open' ? 'Try again' : 'Detach'}
            </button>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}

/** What became of an attempt, where that has to be said. */
export function Outcome({ phase }: { phase: Phase }) {
  if (phase.at === 'refused') {
    return (
      <p className="problem" role="alert">
        Nothing was changed. {phase.message}
      </p>
    );
  }
  if (phase.at === 'open') {
    return (
      <p className="problem" role="alert">
        It is not known yet whether that was done. {phase.message} Trying again is safe: it is done at most once.
      </p>
    );
  }
  return null;
}
