package at

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// recordLimit bounds the bytes that a Recorder keeps of one port.
const recordLimit = 256 << 10

// Way is the direction of recorded bytes.
type Way byte

// The directions.
const (
	Sent     Way = '>'
	Received Way = '<'
)

type record struct {
	after time.Duration // since the recorder was made, on the monotonic clock
	way   Way
	bytes []byte
}

// Recorder keeps the last bytes that passed a port, for the support bundle: each failure in the field
// can so become a replay test. Its methods may be called from any goroutine.
type Recorder struct {
	mu      sync.Mutex
	start   time.Time
	records []record
	oldest  int // index of the oldest kept record
	size    int
}

// NewRecorder returns an empty Recorder whose clock starts now.
func NewRecorder() *Recorder { return &Recorder{start: time.Now()} }

// Add keeps a copy of p and forgets the oldest bytes beyond the limit.
func (r *Recorder) Add(way Way, p []byte) {
	if len(p) == 0 {
		return
	}
	if len(p) > recordLimit {
		p = p[len(p)-recordLimit:]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, record{time.Since(r.start), way, append([]byte(nil), p...)})
	r.size += len(p) + recordOverhead
	for r.size > recordLimit && r.oldest < len(r.records)-1 {
		r.size -= len(r.records[r.oldest].bytes) + recordOverhead
		r.records[r.oldest] = record{}
		r.oldest++
	}
	if r.oldest > len(r.records)/2 { // rarely, so that the cost per record stays constant
		r.records = append(r.records[:0], r.records[r.oldest:]...)
		r.oldest = 0
	}
}

// recordOverhead counts a record itself, so that a flood of single bytes is bounded too.
const recordOverhead = 48

// Dump writes "seconds direction text" lines with the middle of every telephone number, and of every
// message in hexadecimal, masked.
func (r *Recorder) Dump(w io.Writer) error {
	r.mu.Lock()
	kept := append([]record(nil), r.records[r.oldest:]...)
	r.mu.Unlock()
	for _, rec := range kept {
		if _, err := fmt.Fprintf(w, "%.3f %c %q\n", rec.after.Seconds(), rec.way, mask(rec.bytes)); err != nil {
			return fmt.Errorf("write the record of the port: %w", err)
		}
	}
	return nil
}

// maxHex is the longest run of hexadecimal digits that cannot hold a message.
const maxHex = 20

// mask replaces the middle of every run of five digits or more, and of every long run of hexadecimal.
func mask(p []byte) []byte {
	out := append([]byte(nil), p...)
	for i := 0; i < len(out); {
		end := i
		for end < len(out) && isHex(out[end]) {
			end++
		}
		if end-i > maxHex {
			for j := i + 4; j < end-2; j++ {
				out[j] = '*'
			}
		}
		i = end + 1
	}
	for i := 0; i < len(out); {
		end := i
		for end < len(out) && out[end] >= '0' && out[end] <= '9' {
			end++
		}
		if end-i >= 5 {
			for j := i + 2; j < end-2; j++ {
				out[j] = '*'
			}
		}
		i = end + 1
	}
	return out
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'F' || c >= 'a' && c <= 'f'
}
