"""The Stripe backend: Stripe's API behind both ports."""
