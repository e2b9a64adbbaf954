"""Documents before they run: limits, cost, redaction and trust; and what ends a run early."""
