// Package watch compares, while the box runs, what became of its callers with the accounts of the queues and
// with the records that reports are made of.
package watch
