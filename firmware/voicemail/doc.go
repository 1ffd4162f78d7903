// Package voicemail keeps the messages, greetings and codes of mailboxes, and the announcements that
// the owner of the box records, as plain files:
//
//	spool/NAME.wav              what was recorded and waits to be stored; NAME.wav.part while it is recorded
//	box/201/ID.wav, ID.json     a message and what is known about it
//	box/201/standard.wav        greetings: standard, busy
//	box/201/pin.json            a code that was changed by phone
//	prompt/ID.wav               announcements
//
// A message is stored in three steps, each safe from a power cut before the next: its sound is
// repaired and synced in the spool, its .json is written, its sound is renamed. A process that dies
// in between leaves something that Open or Sweep finishes, so that a message is there as a whole or
// still in the spool.
//
// Reading the index never waits for the disk: it is in memory behind a lock that is held for short
// work only. One goroutine does all writing, in order; what it could not write it tries again.
package voicemail
