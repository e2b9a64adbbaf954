"""The sandbox: the ledger spoken in Stripe's REST API, for clients without a Stripe account.

Any of Stripe's SDKs can drive it. It misbehaves on order, and tells what it served.
"""

from gateway.sandbox.stripe_api.app import Sandbox
from gateway.sandbox.stripe_api.faults import Fault, FaultKind, Faults
from gateway.sandbox.stripe_api.running import running_sandbox

__all__ = ["Fault", "FaultKind", "Faults", "Sandbox", "running_sandbox"]
