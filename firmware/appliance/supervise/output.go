package supervise

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
)

// keptLines is how much of a service's output can be looked at later.
const keptLines = 100

// maxLine cuts longer lines into pieces.
const maxLine = 4096

// ring holds the last lines of a service.
type ring struct {
	mu    sync.Mutex
	lines []string
	next  int // where the oldest is, once full
}

func (r *ring) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) < keptLines {
		r.lines = append(r.lines, line)
		return
	}
	r.lines[r.next] = line
	r.next = (r.next + 1) % keptLines
}

func (r *ring) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append(append([]string{}, r.lines[r.next:]...), r.lines[:r.next]...)
}

// lockedWriter keeps the lines of several services whole.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) line(name, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.w, name+": "+text+"\n")
}

// copyOutput reads a service's output until it ends or reap gives it up.
func (u *unit) copyOutput(from *os.File) {
	r := bufio.NewReaderSize(from, maxLine)
	piece := false // the line so far was cut
	for {
		b, err := r.ReadSlice('\n')
		line := strings.TrimRight(string(b), "\r\n")
		if len(b) > 0 && (line != "" || !piece) {
			u.lines.add(line)
			u.out.line(u.Name, line)
		}
		piece = errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !piece {
			return
		}
	}
}
