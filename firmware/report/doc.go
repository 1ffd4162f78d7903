// Package report counts what happened in queues and with agents. Every figure is a sum over finished
// waits and over intervals of agents' days, which never change once they are written; so a figure of
// a year is the sum of the figures of its half hours, and two pages cannot disagree. It is pure.
package report
