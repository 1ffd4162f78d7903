// Package useragent is a SIP telephone made for many at once: it calls, answers, registers and sends
// audio whose packets say when they left. It speaks plain text and keeps no more of a transaction
// than a call needs, so that it costs little next to the server that it is to load, and it knows
// nothing of any particular server.
package useragent
