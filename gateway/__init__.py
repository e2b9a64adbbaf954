"""The machine that supplies the contract: backends, events, execution and the web around them."""
