// Package selfcall calls the exchange of the same machine and listens whether it hears itself: INVITE with digest, a
// tone in PCMA out, the same tone back, BYE. It shares no line of code with the exchange that it judges.
//
// It knows as much of SIP as such a call takes: UDP, one answer, no proxy between (so no Record-Route), and speaks to
// the address that it was given whatever a Contact or a session description says: the exchange may show the name by
// which the world outside knows it.
package selfcall
