"""The ledger for people and programs without a Stripe account: demo data, fixtures, and later Stripe's REST."""
