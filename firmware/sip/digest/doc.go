// Package digest is HTTP digest authentication as SIP uses it (RFC 7616, RFC 8760, RFC 3261
// section 22): header texts, responses, constant-time verification and self-validating nonces.
// It is pure: it opens nothing, starts nothing, and is told what time it is.
package digest
