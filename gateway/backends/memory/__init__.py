"""The embedded twin of Stripe: records in tables, rules from the ledger, Stripe's events."""
