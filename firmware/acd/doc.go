// Package acd owns all queues and agents: one goroutine feeds plan.Next with messages of calls,
// commands of people and the passing of time, journals every decision before it acts on it, and
// carries the effects out.
package acd
