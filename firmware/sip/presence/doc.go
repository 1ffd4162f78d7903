// Package presence tells phones what they watch: the lamps of busy keys (RFC 4235), waiting messages
// (RFC 3842), who can be called (RFC 3856) and their own registrations (RFC 3680), as the notifier of
// RFC 6665. It also takes the voice quality reports that phones publish (RFC 6035) and passes text
// messages between phones of the office (RFC 3428). A REFER outside of calls asks for a call by click
// (RFC 5359 section 2.18): that call is another room's, what is told of it is a subscription like the others.
//
// Who asks is proved on the shard of the request; the subscriptions belong to one owner goroutine,
// around the pure core. What is watched is set by other rooms from any goroutine and never lost: an
// owner that is busy tells the last state later. A subscription survives the death of the process.
package presence
