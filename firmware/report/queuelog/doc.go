// Package queuelog writes what happened in the queues as Asterisk's queue_log does, for programs that make reports
// of such files. It is pure.
//
// A line is: seconds since 1970, call, queue, agent, event and its parameters, separated by bars (Asterisk's
// documentation, "Queue Logs"). Written are ENTERQUEUE, CONNECT, COMPLETEAGENT, COMPLETECALLER, BLINDTRANSFER,
// ATTENDEDTRANSFER, ABANDON, EXITWITHTIMEOUT, EXITWITHKEY, EXITEMPTY, WITHDRAW, RINGNOANSWER, RINGCANCELED,
// PAUSEALL, UNPAUSEALL, PAUSE, UNPAUSE, ADDMEMBER and REMOVEMEMBER. Two things have no word there: who asks to be
// called back leaves by a key, named "callback", and who failed through our fault or the line's has abandoned.
package queuelog
