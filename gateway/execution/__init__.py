"""From a GraphQL document to an answer: parse and limit once, plan, load, project."""
