// Package tel is the vocabulary that every room of the house shares: identifiers, telephone
// numbers, causes, agent states, the messages between calls and queues, and the events that
// observers see. It imports only the standard library and holds no behaviour that needs a clock,
// a socket or a goroutine.
package tel
