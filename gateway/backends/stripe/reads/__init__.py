"""From needs to the fewest calls of Stripe's API that answer them, and what the intake asks."""
