// Package registrar owns who the box's phones are and where they can be reached: it proves
// identities by digest (RFC 3261 section 22, RFC 8760), keeps the bindings of REGISTER (RFC 3261
// section 10) and asks each phone from time to time whether it is still there.
//
// Authentication runs on the caller's goroutine and keeps no state for strangers; the bindings
// belong to one owner goroutine. Bindings is answered from a published copy.
package registrar
