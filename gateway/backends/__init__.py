"""Suppliers of the `InvoiceBackend` port, nested: Journaled(Caching(Stripe | Memory))."""
