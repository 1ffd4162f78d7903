// Package core is the pure dialog machine: one plain State for each call that the box has over SIP,
// and Next, which takes a State and an Event and returns the new State and what must be done. It
// knows no socket, no clock and no goroutine; package dialog feeds it and carries its effects out.
//
// Begin reading at State, then Next. The rules are those of RFC 3261 sections 9, 12 to 15 and 17,
// RFC 3262 (reliable.go), RFC 3311 (exchange.go), RFC 3515 (refer.go, referrer.go), RFC 4028
// (timing.go) and RFC 6026; the section stands beside each rule.
package core
