// Package load is a generator of calls for any SIP server: it registers users, has them call, answers
// what reaches them, sends audio both ways, measures, and leaves nothing behind. It never asks more of
// a server than it was told to.
package load
