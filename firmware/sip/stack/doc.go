// Package stack carries SIP messages between sockets and the dialog layer: transports, an ordered
// dispatcher and the transactions of RFC 3261 section 17 with the corrections of RFC 6026.
//
// # Who does what
//
// sipgo/sip parses, holds and prints messages, makes the transaction keys, and reads the sockets
// (TransportLayer.ServeUDP and ServeTCP). It reads them through wrappers of ours, for four reasons:
//
//   - Its connection pool keeps an entry for each address it has ever seen. The address that our
//     wrappers show it is the name of a socket ("udp-1", "tcp-7"), so the pool holds one or two
//     entries per socket however many sources there are. The real source is noted beside it.
//   - Filter, rate limit and keep-alives are settled before its parser sees a byte.
//   - A datagram that its parser refuses is only logged by it. The wrapper notices that no message
//     came of it and answers 400 from the raw lines.
//   - It reads a TCP connection in a goroutine of its own, where nobody could recover a panic of
//     the parser. The wrapper parses ahead under recover and passes on what has parsed. This costs
//     a second parse of each message over TCP, and makes 400 and the time-outs of half-sent
//     messages possible.
//
// All writing is ours: a retransmission must be byte for byte the message that was sent first, and a
// slow TCP peer must never stop a shard.
//
// # Ways
//
// Targets finds the servers of a name (RFC 3263) and Flow names one way to one of them; what failed is
// tried last for a while. UDP, TCP and TLS share everything above the socket. A request too long for
// UDP goes by TCP where the peer takes it. Advertise, KeepAlive, STUN and WatchAddress are for ways
// through a translator; Findings tells of routers that rewrite SIP.
//
// # Order
//
// Each message goes to a shard chosen by its Call-ID: one goroutine with a bounded queue, which
// also runs that call's timers (After), its functions (Run), and every callback of this package. So
// whatever belongs to one call happens one after the other, in the order of arrival. A full queue
// never blocks a reader: new requests are refused with 503 while there is still room for the
// messages of calls that exist, and beyond that messages are dropped and counted.
//
// # Why not sipgo's transactions
//
// They cannot be driven from a shard: a response waits in an unbuffered channel while the state
// machine's mutex is held, the ACK of a repeated final response sleeps four seconds under the same
// mutex, an unread ACK starts a goroutine, each timer is a goroutine that competes for the mutex,
// and a transaction cannot be put back into a state after a restart. Ours is a pure function,
// machine.next(event), proved by a table and driven on the shard.
package stack
