// One attempt at a mutation, as a dialog shows it.

import { isUndecided, type Attempt } from 'invoice-payments-live';
import { useEffect, useState } from 'react';

import { messageOf } from './session';
import { useStore } from './store';
import { useSession } from './views';

export type Phase =
  | { at: 'idle' }
  | { at: 'sending' }
  | { at: 'refused'; message: string }
  /** Perhaps done. Trying again repeats this very attempt, which is done at most once. */
  | { at: 'open'; message: string }
  | { at: 'done' };

interface Payload {
  errors: readonly { code: string; message: string }[];
}

/** `isDone` is called once: when it was answered, or when its event says that it was done. */
export function useAttempt(onDone: () => void) {
  const { live, done } = useSession();
  const [phase, setPhase] = useState<Phase>({ at: 'idle' });
  const [attempt, setAttempt] = useState<Attempt>();
  const known = useStore(done);

  const finish = () => {
    setPhase({ at: 'done' });
    onDone();
  };

  useEffect(() => {
    if (phase.at !== 'open' || !attempt || JSON.stringify(known) !== JSON.stringify(attempt)) return;
    live.forget(attempt);
    finish();
  }, [known, phase]);

  return {
    phase,
    reset: () => setPhase({ at: 'idle' }),
    async send(made: Attempt, work: () => Promise<Payload>) {
      done.set(null);
      setAttempt(made);
      setPhase({ at: 'sending' });
      try {
        const payload = await work();
        const [refusal] = payload.errors;
        if (!refusal) finish();
        else setPhase({ at: isUndecided(payload) ? 'open' : 'refused', message: refusal.message });
      } catch (error) {
        setPhase({ at: 'open', message: messageOf(error as Error) });
      }
    },
  };
}
