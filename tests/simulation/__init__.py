"""Gateways under pairs of faults, in virtual time: a seed is a plan, a plan is a history, and a
checker that knows nothing of the code holds it to what is promised.

`plan` says what can happen, `planning` and `bundles` make a plan from a seed. `world` lets it
happen: `gateways` from the composition root on a loop of its own (`virtual_time`), Stripe in
process (`stripe_side`, `transport`, `webhooks`), stores that outlive them (`stores`), those who use
them (`callers`), and every call between them across a `boundary`, where faults are. `history` is
what everybody saw; `checker` and `checker_events` judge it. `runs` plays many, `shrinking` makes a
failing one small.

Not simulated: Redis's and SQLite's own words (their contract suites and the crash tests have them),
encoding of stored records, HTTP and WebSockets, rights, and logs that age.

    make test-simulation-of-faults                 # 100,000 histories
    make test-simulation-of-faults SEED=4711       # the story of one, and of the smallest like it
"""
