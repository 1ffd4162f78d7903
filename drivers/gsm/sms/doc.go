// Package sms is what a GSM modem and a driver have to say to each other about short messages: PDUs
// (3GPP TS 23.040) and the order of the AT commands that send, fetch and delete them (TS 27.005). It is
// pure: it has no port, no clock and no goroutine.
package sms
