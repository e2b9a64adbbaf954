"""Compiled plans: an operation as generated Python, held to graphql-core as its judge."""
