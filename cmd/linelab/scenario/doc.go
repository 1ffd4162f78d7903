// Package scenario is a small language in which installers and trainers tell what befalls a GSM line, and
// what it should lead to: one sentence a line, each at a time of its own.
//
//	modem clock 150                     # what the modem is like; before all else
//	expect service within 10s
//	at 20s caller rings +393331234567
//	expect ringing +393331234567
//	box answers
//	expect sound
//	fault unplug
//	expect end interface_failure within 5s
//	after 30s heal unplug
//	expect service within 40s
//
// Parse reads it, with every mistake at its line and column; Play lets an emulated modem and the product's
// own driver live through it. A sentence without a time follows the one before it; "at" counts from the
// start, and "after" from the end of the sentence before. Words lists the sentences.
package scenario
