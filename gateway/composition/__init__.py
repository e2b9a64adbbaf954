"""The composition root: it makes every object and ties them together, and holds no rule."""
