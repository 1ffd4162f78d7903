package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/board/starts"
	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/ui/page"
)

// What the page of the recovery system asks a rescuer; see recovery.Box.

// Facts implements recovery.Box.
func (r *rescuer) Facts() page.Recovery {
	x := page.Recovery{
		Box: r.id, Reason: string(r.why), Failed: starts.Most, Version: r.made.Version, Data: r.broken, Stick: r.socket.Mounted(), Log: lastLines(),
	}
	for _, n := range r.plate.Resets {
		x.Resets = append(x.Resets, page.Erasure{At: n.At, By: n.By})
	}
	return x
}

// Copy implements recovery.Box.
func (r *rescuer) Copy(ctx context.Context) (name, secret string, err error) {
	if r.broken != "" {
		return "", "", errors.New(r.broken)
	}
	e, err := backup.Export(ctx, state(), backup.Stick{At: stickDir}, r.made.Version, time.Now())
	return e.Name, e.Secret, err
}

// Reset implements recovery.Box.
func (r *rescuer) Reset() error { return r.condemn(disk.ByPage) }

// Restart implements recovery.Box.
func (r *rescuer) Restart() {
	select {
	case r.ending <- struct{}{}:
	default:
	}
}

// mostLines is how many lines of the log the page shows.
const mostLines = 200

// lastLines reads the log of the last run that left one.
func lastLines() []string {
	text, err := os.ReadFile(lastLog)
	if err != nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(text), "?")), "\n")
	return lines[max(0, len(lines)-mostLines):]
}
