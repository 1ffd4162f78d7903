// Package load makes much SIP and RTP traffic for a running Pronto and measures what it costs: the
// box is a child process, so that its CPU time and memory are its own. The traffic is that of
// package useragent.
package load
