"""What each of Stripe's objects holds, as data, and what reads and writes them by it."""
