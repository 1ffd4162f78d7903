// Package presets holds what is publicly known of carriers' SIP accounts, as data: each file of it/ is
// one carrier or one of its platforms, with where the facts are from, when they were read and how sure
// they are. A preset fills in what the owner of an account leaves out; it never overrides.
package presets
