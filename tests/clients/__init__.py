"""Real clients against real gateway processes: what a page or a partner does, from end to end."""
