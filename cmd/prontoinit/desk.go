package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/board/starts"
	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/recovery"
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
	c, err := r.copyNow()
	if err == nil {
		_, err = c.Put(ctx, backup.Stick{At: stickDir})
	}
	return c.Name, c.Secret, err
}

// Take implements recovery.Box.
func (r *rescuer) Take() (recovery.Copy, error) {
	c, err := r.copyNow()
	return recovery.Copy{Name: c.Name, Secret: c.Secret, Write: func(ctx context.Context, to io.Writer) error {
		_, err := c.Write(ctx, to)
		return err
	}}, err
}

func (r *rescuer) copyNow() (backup.Copy, error) {
	if r.broken != "" {
		return backup.Copy{}, errors.New(r.broken)
	}
	return backup.NewCopy(state(), r.made.Version, time.Now())
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
