"""The management API: a provider runs its invoicing over HTTP. Routes read and answer; what happens is the ledger's."""
