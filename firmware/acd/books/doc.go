// Package books keeps the accounts of the queues: every place that was given ends with exactly one outcome
// or still waits, and every end is on record exactly once. Whoever finds an account that does not balance
// says which figure of which queue is off, and by how much. It is pure.
package books
