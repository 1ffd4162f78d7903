package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// TrafficRow is the traffic of one queue in one step.
type TrafficRow struct {
	Queue tel.QueueID `json:"queue"`
	From  time.Time   `json:"from,omitzero"` // UTC; zero in a report of one row each
	Traffic
}

// WorkRow is the work of one agent in one step.
type WorkRow struct {
	Agent tel.AgentID `json:"agent"`
	From  time.Time   `json:"from,omitzero"` // UTC; zero in a report of one row each
	Work
}

// Table sums slots into rows. It is made by Tabulate.
type Table[ID cmp.Ordered, Sum any] struct {
	step Step
	zone *time.Location
	add  func(sum *Sum, slot Sum)
	sums map[key[ID]]*Sum
}

type key[ID cmp.Ordered] struct {
	id   ID
	from int64 // seconds since 1970
}

// Tabulate makes an empty table of rows of one step by the clock of zone.
func Tabulate[ID cmp.Ordered, Sum any](step Step, zone *time.Location, add func(sum *Sum, slot Sum)) *Table[ID, Sum] {
	return &Table[ID, Sum]{step: step, zone: zone, add: add, sums: map[key[ID]]*Sum{}}
}

// Take adds a slot to its row.
func (t *Table[ID, Sum]) Take(id ID, slot time.Time, sum Sum) {
	k := key[ID]{id: id}
	if from := t.step.Start(slot, t.zone); !from.IsZero() {
		k.from = from.Unix()
	}
	if t.sums[k] == nil {
		t.sums[k] = new(Sum)
	}
	t.add(t.sums[k], sum)
}

// Len counts the rows.
func (t *Table[ID, Sum]) Len() int { return len(t.sums) }

// Each visits the rows by time, then by identifier. From is the zero time in a table of one row each.
func (t *Table[ID, Sum]) Each(visit func(id ID, from time.Time, sum Sum)) {
	keys := make([]key[ID], 0, len(t.sums))
	for k := range t.sums {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key[ID]) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.id, b.id)) })
	for _, k := range keys {
		var from time.Time
		if t.step != Whole {
			from = time.Unix(k.from, 0).UTC()
		}
		visit(k.id, from, *t.sums[k])
	}
}
