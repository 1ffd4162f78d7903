// Package load makes much SIP and RTP traffic for a running Pronto and measures what it costs: the
// box is a child process, so that its CPU time and memory are its own. The phones speak plain text
// and keep no transactions beyond what a call needs, so that they cost little next to the box.
package load
