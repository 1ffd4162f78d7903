package main

import (
	"context"
	"io"

	"github.com/pronto-pbx/pronto/ota/backend"
	"github.com/pronto-pbx/pronto/ota/delta"
	"github.com/pronto-pbx/pronto/ota/updater"
)

// earlier makes the next slot out of the one that runs.
type earlier struct{ card *backend.Card }

// Running implements updater.Earlier.
func (e earlier) Running(ctx context.Context) (updater.Content, error) {
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
