package report

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Dispositions counts what came of calls, by the names that agents have chosen. The zero value is empty; Add makes sums.
type Dispositions struct {
	Calls map[string]int `json:"calls,omitempty"`
}

// Add makes d the sum of both.
func (d *Dispositions) Add(o Dispositions) { merge(&d.Calls, o.Calls) }

// Take counts n calls, or takes them out where n is negative.
func (d *Dispositions) Take(disposition string, n int) {
	count(&d.Calls, disposition, n)
	if d.Calls[disposition] <= 0 {
		delete(d.Calls, disposition)
	}
}

// Empty reports whether nothing is counted.
func (d *Dispositions) Empty() bool { return len(d.Calls) == 0 }

// MarshalBinary writes d for the disk.
func (d *Dispositions) MarshalBinary() ([]byte, error) {
	return appendCounts([]byte{encodingVersion}, d.Calls), nil
}

// UnmarshalBinary reads what MarshalBinary wrote; ErrEncoding for anything else.
func (d *Dispositions) UnmarshalBinary(b []byte) error {
	r := &reading{b: b}
	r.version()
	*d = Dispositions{Calls: counts[string](r)}
	return r.end()
}

// DispositionRow is what came of the calls of one queue in one step.
type DispositionRow struct {
	Queue tel.QueueID `json:"queue"`
	From  time.Time   `json:"from,omitzero"` // UTC; zero in a report of one row each
	Dispositions
}
