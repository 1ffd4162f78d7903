package main

import (
	"context"
	"errors"
	"io"
	"runtime/debug"

	"github.com/pronto-pbx/pronto/ota/backend"
	"github.com/pronto-pbx/pronto/ota/delta"
	"github.com/pronto-pbx/pronto/ota/updater"
)

// earlier makes the next slot out of the one that runs.
type earlier struct{ card *backend.Card }

// errMemory has the whole release fetched on a board whose updater has little memory: one that is ended for what it
// takes would begin again, and be ended again.
var errMemory = errors.New("too little memory to make a slot out of the one that runs")

// Running implements updater.Earlier.
func (e earlier) Running(ctx context.Context) (updater.Content, error) {
	if debug.SetMemoryLimit(-1) < delta.Memory {
		return nil, errMemory
	}
	f, err := e.card.Running(ctx)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Rebuild implements updater.Earlier.
func (earlier) Rebuild(ctx context.Context, w io.Writer, running, d io.ReaderAt, size int64) error {
	return delta.Apply(ctx, w, running, io.NewSectionReader(d, 0, size))
}
