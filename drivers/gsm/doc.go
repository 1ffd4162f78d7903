// Package gsm drives a GSM or LTE voice modem as a telephone line.
//
// Four layers, each testable alone: package at owns the command port; a dialect says as data how one
// family of modems speaks; the call's state machine (fsm.go) is pure; Modem runs its actions, carries
// the sound and brings a modem back that has gone. One goroutine owns the state of a Modem.
package gsm
