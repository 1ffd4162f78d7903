package config

import (
	"fmt"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Disposition is what an agent can say came of a queue's call, while talking or after: on the page, or by its code behind
// *49 unless set otherwise. Applied at once; what was said stays under the name it had.
type Disposition struct {
	Code   string        `yaml:"code"`             // one to three digits, the first not 0
	Name   string        `yaml:"name"`             // as the page and reports show it
	Queues []tel.QueueID `yaml:"queues,omitempty"` // whose calls it is for; default all
}

// maxDispositions is how many a person can still choose among.
const maxDispositions = 40

// DispositionsOf are the names that fit the calls of a queue, in their order.
func (c *Config) DispositionsOf(queue tel.QueueID) (names []string) {
	for _, d := range c.Dispositions {
		if len(d.Queues) == 0 || slices.Contains(d.Queues, queue) {
			names = append(names, d.Name)
		}
	}
	return names
}

// DispositionCode is what is dialled before a disposition's own code, *49 unless set otherwise; empty where it is
// switched off.
func (c *Config) DispositionCode() tel.Number {
	codes := dialplan.Plan{Codes: c.codes()}.FeatureCodes()
	if i := slices.IndexFunc(codes, func(x dialplan.Code) bool { return x.Action == dialplan.Dispose }); i >= 0 {
		return codes[i].Code
	}
	return ""
}

// dispositions is the list as the dial plan knows it.
func (c *Config) dispositions() (all []dialplan.Disposition) {
	for _, d := range c.Dispositions {
		all = append(all, dialplan.Disposition{Code: d.Code, Name: d.Name})
	}
	return all
}

func (v *validator) dispositions() {
	codes, names := map[string]bool{}, map[string]bool{}
	if len(v.c.Dispositions) > maxDispositions {
		v.found.add("dispositions", "range", "are %d; more than %d nobody finds the right one among", len(v.c.Dispositions), maxDispositions)
	}
	for i, d := range v.c.Dispositions {
		path := fmt.Sprintf("dispositions[%d]", i)
		v.dialled(path, d.Code, d.Name, codes, names)
		for j, q := range d.Queues {
			if _, ok := v.c.QueueOf(q); !ok {
				v.found.add(fmt.Sprintf("%s.queues[%d]", path, j), "unknown", "there is no queue %q", q)
			}
		}
	}
}
