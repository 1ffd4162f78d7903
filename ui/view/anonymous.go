package view

import (
	"slices"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// longestExtension is how many digits the office's own numbers have at most.
const longestExtension = 5

// Masked is a caller's number for everybody's eyes. The office's own short numbers stay.
func Masked(n tel.Number) tel.Number {
	if len(n) <= longestExtension {
		return n
	}
	return tel.Number(n.Masked())
}

// Anonymous is the office as everybody may see it, as on a screen on the wall: who calls is not shown.
func (o Office) Anonymous() Office {
	o.Queues, o.Calls, o.Missed, o.Texts = slices.Clone(o.Queues), slices.Clone(o.Calls), slices.Clone(o.Missed), slices.Clone(o.Texts)
	for i := range o.Queues {
		q := &o.Queues[i]
		q.Waiting, q.Callbacks = slices.Clone(q.Waiting), slices.Clone(q.Callbacks)
		for j := range q.Waiting {
			q.Waiting[j].Caller, q.Waiting[j].Name = Masked(q.Waiting[j].Caller), ""
		}
		for j := range q.Callbacks {
			q.Callbacks[j].Number, q.Callbacks[j].Caller, q.Callbacks[j].Name = Masked(q.Callbacks[j].Number), "", ""
		}
	}
	for i := range o.Calls {
		c := &o.Calls[i]
		c.From, c.To, c.DivertedBy = Masked(c.From), Masked(c.To), Masked(c.DivertedBy)
	}
	for i := range o.Missed {
		o.Missed[i].Number, o.Missed[i].Name = Masked(o.Missed[i].Number), ""
	}
	for i := range o.Texts {
		o.Texts[i].Party = string(Masked(tel.Number(o.Texts[i].Party)))
	}
	return o
}
