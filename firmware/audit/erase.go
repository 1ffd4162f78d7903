package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Rewrite gives each line to change, which returns what takes its place, and returns how many lines were changed when
// the disk has them and nothing else. It is for persons who ask to be erased: what a user did stays, whom it was about
// goes. Lines are whole JSON objects; what is none is given too.
func (l *Log) Rewrite(change func(line []byte, at time.Time) ([]byte, bool)) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return 0, ErrClosed
	}
	for _, file := range Files() {
		changed, err := rewrite(l.dir, file, change)
		n += changed
		if err != nil {
			return n, err
		}
	}
	_ = l.file.Close() // every line was written; the file may be another one now
	l.file = nil
	return n, l.open()
}

func rewrite(dir, file string, change func([]byte, time.Time) ([]byte, bool)) (n int, err error) {
	text, err := read(dir, file)
	if err != nil || len(text) == 0 {
		return 0, err
	}
	var out bytes.Buffer
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, most)
	for lines.Scan() {
		var e tel.PageAccessed
		_ = json.Unmarshal(lines.Bytes(), &e) // no line of ours: of an unknown moment
		line, changed := change(lines.Bytes(), e.At)
		if changed {
			n++
		}
		out.Write(append(bytes.Clone(line), '\n'))
	}
	if err := lines.Err(); err != nil {
		return 0, fmt.Errorf("audit log: %w", err)
	}
	if n == 0 {
		return 0, nil
	}
	if err := replace(filepath.Join(dir, file), out.Bytes()); err != nil {
		return 0, err
	}
	return n, nil
}
