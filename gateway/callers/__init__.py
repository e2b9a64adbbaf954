"""Who may call: clients with tokens from a file, and users with JSON Web Tokens."""
