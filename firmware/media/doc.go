// Package media carries the audio of calls: it owns the RTP sockets, relays packets between the
// two legs of a bridge, transcoding them as they come where the codecs differ, plays prompts, and
// joins lines and mixes of many on a 20 ms clock.
//
// Begin with engine.go (what callers use), then loop.go (who owns what), relay.go (the way of
// nearly every packet), transcode.go (what may happen to it there) and clock.go (the way of the
// others). Every leg is owned by exactly one loop; nothing of a leg is touched from another
// goroutine, so the packet path has no lock.
package media
