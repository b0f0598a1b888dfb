"""The decider and its helpers: commands in, one transaction per batch, answers after the commit."""
