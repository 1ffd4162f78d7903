// Package alarm tells a supervisor when a queue passes a threshold: callers who wait, the longest wait,
// agents who are ready. next.go decides and is pure; watch.go is the owner that asks it when something
// has changed or a threshold is due, and never in between.
package alarm
