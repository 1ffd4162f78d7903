// Package master makes an announcement for the telephone of a sound that somebody has recorded or bought:
// one channel at 8,000 Hz, without the silence at its ends, as loud as everything else that the box says.
//
// It reads whatever comes from outside in pieces, so that its memory is bounded by MaxLength and not by the
// file. Nothing here starts a goroutine, opens a file or reads a clock.
package master
