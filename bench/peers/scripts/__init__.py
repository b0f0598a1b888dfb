"""What the peers' own environments execute: the standard library, the peer, and nothing of Sheratan (but in ours)."""
