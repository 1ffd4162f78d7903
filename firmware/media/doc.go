// Package media carries the audio of calls: it owns the RTP sockets, relays packets between the
// two legs of a bridge, plays prompts, and joins legs of different codecs and lines on a 20 ms
// clock.
//
// Begin with engine.go (what callers use), then loop.go (who owns what), relay.go (the way of
// nearly every packet) and clock.go (the way of the others). Every leg is owned by exactly one
// loop; nothing of a leg is touched from another goroutine, so the packet path has no lock.
package media
