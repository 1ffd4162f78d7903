package record

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pronto-pbx/pronto/firmware/record/tape"
)

// What happened to a recording.
type What string

// The lines of the index.
const (
	Began       What = "began"
	Ended       What = "ended"
	Interrupted What = "interrupted" // the process died, or the disk refused: it is whole up to there
	Found       What = "found"       // a file of which no line told: the power was cut before it was written
	Heard       What = "heard"
	Downloaded  What = "downloaded"
	Held        What = "held"     // is not deleted when its time is over
	Released    What = "released" // from being held
	Deleted     What = "deleted"
	Anew        What = "anew" // the index itself had vanished; this is its first line now
)

// Why recordings are deleted.
const (
	WhyExpired = "expired" // the time of their purpose is over
	WhyOptOut  = "opt_out" // the caller did not want it
	WhyPerson  = "person"  // somebody decided so
	WhyErased  = "erased"  // somebody who speaks in it has asked to be erased
)

// Entry is a line of the index.
type Entry struct {
	N     uint64      `json:"n"`
	At    time.Time   `json:"at"`
	What  What        `json:"what"`
	ID    string      `json:"id,omitempty"`
	About *tape.About `json:"about,omitempty"` // of Began and Found
	File  *Sum        `json:"file,omitempty"`  // of Ended, Interrupted and Found
	By    string      `json:"by,omitempty"`    // who, of what people do
	Why   string      `json:"why,omitempty"`
	Prev  string      `json:"prev"` // SHA-256 of the line before
}

// Sum is a finished file.
type Sum struct {
	Bytes  int64         `json:"bytes"`
	SHA256 string        `json:"sha256"`
	Length time.Duration `json:"length_ns"`
	Lost   int           `json:"lost,omitempty"` // pieces of sound for which the disk was too slow
}

// maxLine bounds a line of the index, in bytes.
const maxLine = 64 << 10

var errBroken = errors.New("a line of the index of recordings is not what was written")

func hashOf(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// readIndex gives each line to do, with what is wrong with it, and returns the place behind the last whole line
// and its hash. A last line without its end was never acknowledged and is left out.
func readIndex(r io.Reader, do func(Entry, error)) (size int64, n uint64, head string, err error) {
	in := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			return size, n, head, nil
		case errors.Is(err, bufio.ErrBufferFull):
			return size, n, head, fmt.Errorf("%w: it has more than %d bytes", errBroken, maxLine)
		case err != nil:
			return size, n, head, err
		}
		size += int64(len(line))
		line = bytes.TrimSuffix(line, []byte{'\n'})
		var e Entry
		wrong := json.Unmarshal(line, &e)
		switch {
		case wrong != nil:
			wrong = fmt.Errorf("%w: line %d: %w", errBroken, n+1, wrong)
		case e.N != n+1 && e.What != Anew:
			wrong = fmt.Errorf("%w: line %d says it is %d", errBroken, n+1, e.N)
		case e.Prev != head && e.What != Anew:
			wrong = fmt.Errorf("%w: line %d does not follow the one before it", errBroken, e.N)
		}
		if n++; wrong == nil {
			n = e.N
		}
		head = hashOf(line)
		do(e, wrong)
	}
}
