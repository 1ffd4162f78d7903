// Package at speaks AT commands (ITU-T V.250, 3GPP TS 27.007) with a modem that may echo, interrupt
// itself, answer too late, restart or fall silent.
//
// Tokeniser turns bytes into lines, prompts and echoes and is pure. Engine owns a port: one goroutine
// writes one command at a time, gives each answer to the command that asked, and passes everything
// unsolicited on in order.
package at
