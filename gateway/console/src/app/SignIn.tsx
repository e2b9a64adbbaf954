import { useId, useState, type FormEvent } from 'react';

import { Logo } from './parts';

interface Props {
  refusal: string | null;
  isAgain: boolean;
  onToken(token: string): void;
}

/** Asks for a token, which never leaves the page's memory but for the gateway. */
export function SignIn({ refusal, isAgain, onToken }: Props) {
  const [token, setToken] = useState('');
  const [field, note] = [useId(), useId()];
  const send = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim()) onToken(token.trim().replace(/^Bearer\s+/i, ''));
  };
  return (
    <div className="sign-in" role="dialog" aria-modal="true" aria-labelledby={note}>
      <form className="card" onSubmit={send}>
        <Logo />
        <h1 id={note}>{isAgain ? 'Sign in again' : 'Sign in'}</h1>
        {refusal && (
          <p className="problem" role="alert">
            {refusal}
          </p>
        )}
        <p className="muted">
          {isAgain
            ? 'With a new token you go on where you were, and miss nothing.'
            : 'Your token stays in this page’s memory, and is gone when you close it.'}
        </p>
        <label htmlFor={field}>Access token</label>
        <input
          id={field}
          type="password"
          autoComplete="off"
          spellCheck={false}
          autoFocus
          required
          value={token}
          onChange={(event) => setToken(event.target.value)}
        />
        <button type="submit" className="button primary">
          Continue
        </button>
      </form>
    </div>
  );
}
