// Package gsmsim is a SIM7600 voice modem on pseudo-terminals, and the mobile network behind it.
//
// It is written from the modem's manuals and speaks to the driver only in bytes, so that the driver's
// own parser, timeouts and clocks are under test. The network's side is a set of methods (Ring,
// RemoteAnswer, RemoteHangup ...), and every fault seen in the field can be switched on.
package gsmsim
