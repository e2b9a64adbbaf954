"""Documents before they run: limits, cost, discretion and trust; and what ends a run early."""
