import { Dialog } from '@base-ui/react/dialog';
import { Radio } from '@base-ui/react/radio';
import { RadioGroup } from '@base-ui/react/radio-group';
import { useState } from 'react';

import { useAttempt } from './attempt';
import { Outcome } from './Detach';
import { money, nameOf, withMinorUnits } from './format';
import { AttachableDocument, type DetailFragment, type IntentFragment } from './generated';
import { Amount, Badge, Failure, Skeleton, When } from './parts';
import { useSession, useShown } from './views';

/** Offers what fits the invoice, and says what will follow. */
export function Attach({ invoice }: { invoice: DetailFragment }) {
  const session = useSession();
  const [isOpen, setIsOpen] = useState(false);
  const [chosen, setChosen] = useState<IntentFragment | null>(null);
  const [written, setWritten] = useState('');
  const { phase, send, reset } = useAttempt(() => setIsOpen(false));
  const intentId = written.trim() || chosen?.id;
  const attach = () => {
    const input = { invoiceId: invoice.id, payment: { paymentIntentId: intentId! } };
    void send({ operation: 'attachPayment', input }, () => session.attach(input));
  };
  const change = (next: boolean) => {
    if (next) {
      reset();
      setChosen(null);
      setWritten('');
    }
    setIsOpen(next);
  };
  return (
    <Dialog.Root open={isOpen} onOpenChange={change}>
      <Dialog.Trigger className="button primary">Attach payment</Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog">
          <Dialog.Title>Attach a payment</Dialog.Title>
          <Dialog.Description className="muted">
            Invoice {nameOf(invoice)} asks for {money(invoice.amountRemaining)}.
          </Dialog.Description>
          {invoice.customerId && (
            <Choices
              invoice={invoice}
              customer={invoice.customerId}
              chosen={written ? null : chosen}
              onChoose={(intent) => {
                setWritten('');
                setChosen(intent);
              }}
            />
          )}
          <label className="field">
            Or a PaymentIntent by its id
            <input placeholder="pi_…" spellCheck={false} autoComplete="off" value={written} onChange={(event) => setWritten(event.target.value)} />
          </label>
          {intentId && <p className="follows-one">{followsOf(invoice, written ? null : chosen)}</p>}
          <Outcome phase={phase} />
          <div className="dialog-actions">
            <Dialog.Close className="button">Cancel</Dialog.Close>
            <button type="button" className="button primary" disabled={!intentId || phase.at === 'sending'} onClick={attach}>
              {phase.at === 'sending' ? 'Attaching…' : phase.at === 'open' ? 'Try again' : 'Attach'}
            </button>
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function followsOf(invoice: DetailFragment, intent: IntentFragment | null): string {
  if (!intent) return 'It counts at once if it has succeeded, and else as soon as it does.';
  if (intent.status !== 'SUCCEEDED') return 'It has not been paid yet: it counts as soon as it succeeds.';
  const rest = Math.max(0, invoice.amountRemaining.minorUnits - intent.amountReceived.minorUnits);
  if (rest === 0) return 'It counts at once, and the invoice is paid.';
  return `It counts at once, and the invoice still asks for ${money(withMinorUnits(invoice.amountRemaining, rest))}.`;
}

interface ChoicesProps {
  invoice: DetailFragment;
  customer: string;
  chosen: IntentFragment | null;
  onChoose(intent: IntentFragment): void;
}

function Choices({ invoice, customer, chosen, onChoose }: ChoicesProps) {
  const { data, failure, again } = useShown(AttachableDocument, { customer, invoice: invoice.id }, () => true);
  const intents = data?.customer?.paymentIntents?.nodes;
  if (failure) return <Failure what="The customer’s payments could not be read." message={failure} again={again} />;
  if (!intents) return <Skeleton rows={2} />;
  if (intents.length === 0) return <p className="muted">None of this customer’s PaymentIntents fits this invoice.</p>;
  return (
    <RadioGroup
      className="choices"
      aria-label="PaymentIntents that fit"
      value={chosen?.id ?? ''}
      onValueChange={(id) => onChoose(intents.find((one) => one.id === id)!)}
    >
      {intents.map((intent) => (
        <label key={intent.id} className="choice">
          <Radio.Root value={intent.id} className="radio">
            <Radio.Indicator className="radio-dot" />
          </Radio.Root>
          <span>
            <span className="strong">
              <Amount of={intent.amount} />
            </span>{' '}
            <Badge status={intent.status} raw={intent.rawStatus} />
            <span className="muted block">
              <code>{intent.id}</code> · <When at={intent.createdAt} />
            </span>
            {intent.description && <span className="muted block">{intent.description}</span>}
          </span>
        </label>
      ))}
    </RadioGroup>
  );
}

