// Package trunk owns one SIP carrier each: it registers with the carrier or watches it by OPTIONS,
// recognises the carrier's calls, reads and writes numbers the way the carrier wants them, and
// proves the box's identity to that carrier and to nobody else.
//
// A Trunk is one goroutine around a pure state machine (machine.go).
package trunk
