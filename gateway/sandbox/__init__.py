"""The ledger for people and programs without a Stripe account: demo data and fixtures."""
