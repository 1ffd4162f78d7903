// Package staffing says how many agents a queue needs. Its formulas are those of Erlang (1917, C: callers
// wait for ever) and Palm (1957, A: callers give up); what it expects of a day is what the same weekday
// brought before. It is pure.
package staffing
