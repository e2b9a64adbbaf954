// What components use of a session.

import { createContext, useContext, useEffect, useMemo, useRef, useState } from 'react';
import { createRequest, useQuery, type AnyVariables, type CombinedError, type TypedDocumentNode } from 'urql';

import { messageOf, type Happening, type Session } from './session';
import { useStore } from './store';

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('There is no session.');
  return session;
}

export interface Shown<D> {
  data: D | undefined;
  /** Nothing can be shown: why, in a sentence. */
  failure: string | undefined;
  again(): void;
}

/** A query's data, out of the cache, which events keep right; `isTouchedBy` tells which of them
 * may change more than the objects in it. */
export function useShown<D, V extends AnyVariables>(
  document: TypedDocumentNode<D, V>,
  variables: V,
  isTouchedBy: (event: Happening, data: D | undefined) => boolean = () => false,
): Shown<D> {
  const session = useSession();
  const { key } = createRequest(document, variables);
  const [tries, setTries] = useState(0);
  const [failed, setFailed] = useState<{ key: number; message: string }>();
  const [{ data }] = useQuery({ query: document, variables, requestPolicy: 'cache-only' });
  const latest = useRef({ data, isTouchedBy });
  latest.current = { data: data ?? undefined, isTouchedBy };
  const state = useStore(session.state);

  const view = useMemo(
    () => ({
      async load() {
        try {
          const { error } = await session.query(document, variables);
          setFailed(error ? { key, message: messageOf(error) } : undefined);
        } catch (error) {
          setFailed({ key, message: messageOf(error as CombinedError) });
          throw error;
        }
      },
      isTouchedBy: (event: Happening) => latest.current.isTouchedBy(event, latest.current.data as D | undefined),
    }),
    [session, key],
  );
  useEffect(() => session.show(view), [session, view]);
  useEffect(() => void session.live.ask(view.load).catch(() => {}), [session, view, tries]);
  // What could not be read while the server was away is read when it is back.
  const isMissing = failed?.key === key && !data;
  useEffect(() => {
    if (isMissing && state === 'live') setTries((before) => before + 1);
  }, [state]);

  const isThere = data != null && Object.values(data).some((value) => value != null);
  return {
    data: isThere ? (data as D) : undefined,
    failure: !isThere && failed?.key === key ? failed.message : undefined,
    again: () => setTries((before) => before + 1),
  };
}

/** Ticks, so that relative times stay right. */
export function useNow(everyMs = 15_000): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const ticking = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(ticking);
  }, [everyMs]);
  return now;
}
