import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { Provider } from 'urql';
import { Link, Route, Switch, useLocation } from 'wouter';

import { GatewayDocument, type GatewayQuery } from './generated';
import { InvoicePage } from './InvoicePage';
import { InvoiceList } from './InvoiceList';
import { Announcer, Empty, GapNotice, LiveState, Logo, ThemeSwitch } from './parts';
import { Session } from './session';
import { SignIn } from './SignIn';
import { SessionContext, useShown } from './views';
import { RightsContext, rightsOf, DEMO } from './rights';

const NEEDS_TOKEN = document.documentElement.dataset.signIn === 'on';

/** The session of one caller after the other. A token is in this component's memory and nowhere
 * else; who signs in again is where they were, as the views stay mounted below. */
export function App() {
  const [session, setSession] = useState<Session | null>(null);
  const [refusal, setRefusal] = useState<string | null>(null);
  const [isAsked, setIsAsked] = useState(NEEDS_TOKEN);

  const signIn = useCallback((token: string | null) => {
    setRefusal(null);
    setIsAsked(false);
    setSession((before) => {
      before?.close();
      const next = new Session(token, (message) => {
        setRefusal(message);
        setIsAsked(true);
        // There is no place to come back to.
        if (!next.isKnown) setSession((now) => (now === next ? null : now));
      });
      return next;
    });
  }, []);

  useEffect(() => {
    if (!NEEDS_TOKEN) signIn(null);
  }, [signIn]);

  useEffect(() => {
    if (isAsked) return;
    const wake = () => session?.live.wake();
    // Nobody waits for a timer who has just come back.
    const events = ['online', 'focus'];
    events.forEach((name) => addEventListener(name, wake));
    return () => events.forEach((name) => removeEventListener(name, wake));
  }, [session, isAsked]);

  const signOut = useMemo(
    () =>
      NEEDS_TOKEN && session
        ? () => {
            session.close();
            setSession(null);
            setRefusal(null);
            setIsAsked(true);
          }
        : undefined,
    [session],
  );

  return (
    <>
      {session && (
        <Provider value={session.client}>
          <SessionContext value={session}>
            <Shell onSignOut={signOut} isHidden={isAsked} />
          </SessionContext>
        </Provider>
      )}
      {isAsked && <SignIn refusal={refusal} isAgain={session !== null} onToken={signIn} />}
    </>
  );
}

/** A new view begins at its top, and the keyboard goes on there. Who comes back finds their place. */
function useNewView() {
  const [path] = useLocation();
  const shown = useRef(path);
  useEffect(() => {
    let isBack = false;
    const back = () => (isBack = true);
    addEventListener('popstate', back);
    return () => {
      removeEventListener('popstate', back);
      if (isBack) shown.current = location.pathname;
    };
  }, [path]);
  useEffect(() => {
    if (shown.current === path) return;
    shown.current = path;
    scrollTo(0, 0);
    document.getElementById('main')?.focus({ preventScroll: true });
  }, [path]);
}

function Shell({ onSignOut, isHidden }: { onSignOut: (() => void) | undefined; isHidden: boolean }) {
  const { data } = useShown(GatewayDocument, {});
  useNewView();
  return (
    <RightsContext value={useMemo(() => rightsOf(data?.gateway), [data])}>
      <div className="shell" inert={isHidden}>
        <a className="skip" href="#main">
          Skip to content
        </a>
        <header className="top">
          <Link href="/" className="brand">
            <Logo />
            <span>Invoice payments</span>
          </Link>
          <Mode gateway={data?.gateway} />
          <div className="top-right">
            <LiveState />
            <ThemeSwitch />
            {onSignOut && (
              <button type="button" className="button quiet" onClick={onSignOut}>
                Sign out
              </button>
            )}
          </div>
        </header>
        <GapNotice />
        <main id="main" tabIndex={-1}>
          <Switch>
            <Route path="/" component={InvoiceList} />
            <Route path="/invoices/:id">{({ id }) => <InvoicePage key={id} id={decodeURIComponent(id)} />}</Route>
            <Route>
              <Empty title="There is nothing at this address.">
                <Link href="/">All invoices</Link>
              </Empty>
            </Route>
          </Switch>
        </main>
        <Announcer />
      </div>
    </RightsContext>
  );
}

function Mode({ gateway }: { gateway: GatewayQuery['gateway'] | undefined }) {
  if (DEMO) return <span className="mode demo">Demo</span>;
  if (!gateway || gateway.livemode) return null;
  return <span className="mode">Test mode</span>;
}
