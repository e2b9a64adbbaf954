"""The rules of invoices and payments as pure functions on records.

Every function takes records and returns records: no I/O, no clock, no ids of its own. The rules
are Stripe's as far as Stripe documents them; where it does not, the reading that loses no money
stands beside the code with its reason. Both the in-memory backend and the sandbox live by them.
"""
