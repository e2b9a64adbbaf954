// How amounts, times and Stripe's words are written for people.

import type { AmountFragment, CollectionMethod, InvoicePaymentEventType, PaymentErrorCode } from './generated';

/** The exact decimal of minor units: no float ever holds an amount. */
export function decimalOf({ minorUnits, exponent }: Pick<AmountFragment, 'minorUnits' | 'exponent'>): string {
  const digits = `${Math.abs(minorUnits)}`.padStart(exponent + 1, '0');
  const sign = minorUnits < 0 ? '-' : '';
  if (exponent === 0) return sign + digits;
  return `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

export function money(amount: AmountFragment): string {
  const { currency, exponent } = amount;
  const options = { style: 'currency', currency, minimumFractionDigits: exponent, maximumFractionDigits: exponent } as const;
  // Of a text every digit is kept.
  return new Intl.NumberFormat(undefined, options).format(decimalOf(amount) as unknown as number);
}

export const withMinorUnits = (amount: AmountFragment, minorUnits: number): AmountFragment => ({ ...amount, minorUnits });

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['second', 60], ['minute', 60], ['hour', 24], ['day', 7], ['week', 4.35], ['month', 12], ['year', Infinity],
];

export function relative(instant: string, now: number): string {
  let distance = (Date.parse(instant) - now) / 1000;
  if (Math.abs(distance) < 10) return 'just now';
  for (const [unit, next] of STEPS) {
    if (Math.abs(distance) < next) {
      return new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' }).format(Math.round(distance), unit);
    }
    distance /= next;
  }
  return instant;
}

export const exact = (instant: string): string =>
  new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' }).format(new Date(instant));

export const day = (instant: string): string =>
  new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' }).format(new Date(instant));

/** REQUIRES_PAYMENT_METHOD: Requires payment method. */
export function words(name: string | null | undefined, raw?: string | null): string {
  const text = name === 'UNRECOGNIZED' && raw ? raw : (name ?? 'Unknown');
  const spaced = text.replaceAll('_', ' ').toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

export const nameOf = (invoice: { number?: string | null; id: string }): string => invoice.number ?? invoice.id;

export const HAPPENED: Record<InvoicePaymentEventType, string> = {
  ATTACHED: 'Payment attached',
  PAID: 'Payment paid',
  DETACHED: 'Payment detached',
  CANCELED: 'Payment canceled',
  OVERPAID: 'Overpaid',
  INVOICE_CHANGED: 'Invoice changed',
  UNRECOGNIZED: 'Something happened',
};

export const BLOCKED: Partial<Record<PaymentErrorCode, string>> = {
  FORBIDDEN: 'You may not change payments.',
  READ_ONLY: 'Nothing can be changed here at the moment.',
  UNSUPPORTED_BY_BACKEND: 'This kind of payment cannot be detached.',
  INVOICE_NOT_FINALIZED: 'The invoice is still a draft.',
  INVOICE_NOT_OPEN: 'The invoice is closed.',
  PAYMENT_NOT_ATTACHED: 'It is no longer attached.',
  PAYMENT_IS_DEFAULT: 'Stripe keeps this one in step with what is still to be paid.',
  PAYMENT_INTENT_WRONG_STATE: 'Its PaymentIntent is not in a state that allows it.',
};

export const GAPS: Record<string, string> = {
  RETENTION: 'You were away for longer than events are kept.',
  SLOW_CONSUMER: 'Events came faster than this page could take them.',
  UNKNOWN_CURSOR: 'The server’s event log was started anew.',
  UNREADABLE: 'The server could not read some of its events.',
};

export const COLLECTION: Record<CollectionMethod, string> = {
  CHARGE_AUTOMATICALLY: 'Charged automatically',
  SEND_INVOICE: 'Sent to the customer',
  UNRECOGNIZED: 'Unknown',
};
