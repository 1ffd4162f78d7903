// Package jitter turns the RTP packets of one sender, as the network delivers them, into 20 ms
// frames of sound on our clock: it reorders, waits as long as the network's jitter asks, hides what
// is lost and follows the sender's clock.
//
// It is pure: time comes in as an argument, nothing here starts a goroutine or allocates after New.
// A Buffer is used by one goroutine at a time.
package jitter
