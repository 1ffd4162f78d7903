// Package serialport opens the serial ports of modems so that a stalled, stolen or unplugged port
// is an error with a name and never a stuck goroutine, and finds which port of a USB modem is which.
//
// Two kinds of port exist because they fail in two ways. A command port (OpenCommand) is read through
// go.bug.st/serial and written through a descriptor of our own, since that library's Write has no
// deadline. An audio port (OpenAudio) is a raw descriptor in Go's poller: its endpoint may stop taking
// bytes in the middle of a call, and only a write deadline notices.
package serialport
