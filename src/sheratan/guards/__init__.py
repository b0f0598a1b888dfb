"""Guards: what stands between handlers and what they call outside."""
