// Small things that several views show.

import { useEffect, useState, type ReactNode } from 'react';

import type { AmountFragment, RowFragment } from './generated';
import { exact, GAPS, HAPPENED, money, relative, withMinorUnits, words } from './format';
import { useStore } from './store';
import { applyTheme, theme, THEMES } from './theme';
import { useNow, useSession } from './views';

export const Logo = () => (
  <svg className="logo" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
    <rect x="3" y="2" width="18" height="20" rx="4" />
    <path d="M7.5 8h9M7.5 12h9M7.5 16h4.5" />
  </svg>
);

export function Amount({ of, muted }: { of: AmountFragment; muted?: boolean }) {
  return <span className={muted ? 'amount muted' : 'amount'}>{money(of)}</span>;
}

export function When({ at }: { at: string }) {
  return (
    <time dateTime={at} title={exact(at)}>
      {relative(at, useNow())}
    </time>
  );
}

const TONES: Record<string, string> = {
  OPEN: 'blue', PAID: 'green', SUCCEEDED: 'green', DRAFT: 'grey', VOID: 'grey', CANCELED: 'grey',
  UNCOLLECTIBLE: 'amber', PROCESSING: 'blue', REQUIRES_ACTION: 'amber', REQUIRES_PAYMENT_METHOD: 'amber',
  REQUIRES_CONFIRMATION: 'amber', REQUIRES_CAPTURE: 'amber', ISSUED: 'blue',
};

export function Badge({ status, raw }: { status: string | null; raw?: string | null }) {
  return <span className={`badge ${TONES[status ?? ''] ?? 'grey'}`}>{words(status, raw)}</span>;
}

/** How what is due is made up: paid through Stripe, paid elsewhere, still asked for. A void invoice
 * asks for nothing, whatever remains of it. */
export function partsOf(invoice: RowFragment) {
  const due = invoice.amountDue.minorUnits;
  const elsewhere = Math.min(invoice.amountPaidOutOfBand?.minorUnits ?? 0, invoice.amountPaid.minorUnits);
  const paid = invoice.amountPaid.minorUnits - elsewhere;
  const remaining = invoice.status === 'VOID' ? 0 : invoice.amountRemaining.minorUnits;
  return { due, paid, elsewhere, remaining };
}

export function Bar({ invoice, size = 'small' }: { invoice: RowFragment; size?: 'small' | 'large' }) {
  const { due, paid, elsewhere, remaining } = partsOf(invoice);
  const written = (minorUnits: number) => money(withMinorUnits(invoice.amountDue, minorUnits));
  const share = (minorUnits: number) => (due > 0 ? `${(100 * minorUnits) / due}%` : '0%');
  const said = [
    `${written(paid)} paid`,
    elsewhere > 0 && `${written(elsewhere)} paid out of band`,
    `${written(remaining)} remaining`,
  ];
  return (
    <span className={`bar ${size}`} role="img" aria-label={said.filter(Boolean).join(', ')} title={said.filter(Boolean).join('\n')}>
      <span className="paid" style={{ width: share(paid) }} />
      <span className="elsewhere" style={{ width: share(elsewhere) }} />
    </span>
  );
}

export function LiveState() {
  const state = useStore(useSession().state);
  const titles = {
    live: 'Everything up to now is shown, and what happens appears by itself.',
    'catching up': 'What happened meanwhile is on its way.',
    offline: 'The connection is cut. It is taken up again where it was as soon as that can be.',
  };
  return (
    <span className={`live-state ${state.replace(' ', '-')}`} role="status" title={titles[state]}>
      <span className="dot" aria-hidden="true" />
      {words(state)}
    </span>
  );
}

export function GapNotice() {
  const { gap } = useSession();
  const told = useStore(gap);
  if (!told) return null;
  return (
    <div className="notice" role="status">
      <p>
        Some events were missed. {GAPS[told.reason]} Everything was read again at{' '}
        {told.at.toLocaleTimeString()}, so what you see is right.
      </p>
      <button type="button" className="button quiet" onClick={() => gap.set(null)}>
        Dismiss
      </button>
    </div>
  );
}

const NEXT_THEME = { system: 'As the system', light: 'Light', dark: 'Dark' };

export function ThemeSwitch() {
  const now = useStore(theme);
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]!;
  return (
    <button
      type="button"
      className="button quiet icon"
      onClick={() => applyTheme(next)}
      aria-label={`Theme: ${NEXT_THEME[now]}`}
      title={`Theme: ${NEXT_THEME[now]}. Click for: ${NEXT_THEME[next]}.`}
    >
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
        <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" strokeWidth="1.5" />
        {now !== 'light' && <path d={now === 'dark' ? 'M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12' : 'M8 2a6 6 0 0 1 0 12z'} fill="currentColor" />}
      </svg>
    </button>
  );
}

/** Tells who cannot see the screen what has just happened. */
export function Announcer() {
  const [newest] = useStore(useSession().told);
  const [text, setText] = useState('');
  useEffect(() => {
    if (newest) setText(`${HAPPENED[newest.type]}: ${newest.number ?? newest.invoiceId}`);
  }, [newest]);
  return (
    <p className="visually-hidden" role="status" aria-live="polite">
      {text}
    </p>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children && <p className="muted">{children}</p>}
    </div>
  );
}

export function Failure({ what, message, again }: { what: string; message: string; again: () => void }) {
  return (
    <div className="empty" role="alert">
      <p className="empty-title">{what}</p>
      <p className="muted">{message}</p>
      <button type="button" className="button" onClick={again}>
        Try again
      </button>
    </div>
  );
}

/** Shapes of what is on its way; nothing moves for who wants that. */
export function Skeleton({ rows }: { rows: number }) {
  return (
    <div className="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        <span key={row} />
      ))}
    </div>
  );
}
