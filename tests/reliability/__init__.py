"""What hostile or broken peers do, and what a gateway on a public address does about it.

Each test is one row: its name and first sentence say the attack or fault and what is expected. The
whole gateway stands in the test as it does in service: callers configured, strangers refused, two
partners with customers of their own, Stripe's backend over a sandbox. Everything goes over real
connections, and of what is refused it is proved that nobody upstream was asked for anything.

Rows that need minutes, processes or other machinery are proved where that stands:

- killed with -9 at random, also right after a webhook's 2xx: `tests.crash.test_killer`
- told to stop amid a write: `tests.crash.test_shutdown`
- Redis away and back: `tests.crash.test_redis_outage`; two replicas: `tests.crash.test_replicas`
- memory under a thousand readers who never read: `tests.crash.test_unread`
- a peer whose cable is pulled, a stalled reader: `tests.web.test_socket_limits`, `test_stall`
- a slow subscriber's gap: `tests.events.test_feed_readers`; too old a cursor: `test_feed_seam`
- a Stripe that is too slow: `tests.stripe_edge.test_client_reads` and `test_client_writes`
- a Stripe that gives no answer at all: `tests.stripe_edge.test_breaker`
- every write under every upstream fault: `tests.stripe_edge.test_faults_over_sandbox`
- the same sockets' and streams' protocols, to the letter: `tests.web`, `tests.clients`
- secrets in what is logged: a net under the whole suite, `tests.support.leak_net`
- how fast a hostile document is refused: `tests.bench.documents`; a flood: `tests.bench.flood`
"""
