"""The Stripe backend: Stripe's API behind the `InvoiceBackend` port."""
