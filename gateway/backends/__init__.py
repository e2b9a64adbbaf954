"""Both ports over one supplier: Cached(Stripe | Memory) reads, Guarded(Journaled(...)) writes."""
