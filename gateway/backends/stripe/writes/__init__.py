"""Attach, detach and credit at Stripe: each sent once, and read back where its answer was lost."""
