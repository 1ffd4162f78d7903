package trust

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Limits of what a server may cost us.
const (
	pollLimit = 2 * time.Minute  // for one poll with all its files
	stall     = 30 * time.Second // without a byte
	window    = time.Minute      // over which a rate is judged
	slowest   = 512              // bytes per second: half of what a GSM data call carries
)

// watched is a body that ends when it stalls or trickles. Only the time counts that is spent waiting for it: whoever
// writes to a slow card may take as long as that needs.
type watched struct {
	ctx   context.Context
	stop  context.CancelCauseFunc
	body  io.ReadCloser
	alarm *time.Timer   // ends ctx
	spent time.Duration // waiting, in the current window
	came  int64         // bytes in it
}

// newAlarm ends a context with a reason when it is not stopped in time.
func newAlarm(stop context.CancelCauseFunc) *time.Timer {
	return time.AfterFunc(stall, func() { stop(fmt.Errorf("%w: no byte for %v", ErrLimit, stall)) })
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	start := time.Now()
	w.alarm.Reset(stall)
	n, err := w.body.Read(p)
	w.alarm.Stop()
	w.spent += time.Since(start)
	w.came += int64(n)
	switch {
	case errors.Is(err, io.EOF):
		return n, io.EOF
	case err != nil:
		return n, fmt.Errorf("%w: %w", ErrUnreachable, because(w.ctx, err))
	}
	if w.spent >= window {
		if w.came < int64(slowest*w.spent/time.Second) {
			return n, fmt.Errorf("%w: %d bytes in %v", ErrLimit, w.came, w.spent.Round(time.Second))
		}
		w.spent, w.came = 0, 0
	}
	return n, nil
}

// Close ends the download.
func (w *watched) Close() error {
	w.alarm.Stop()
	w.stop(nil)
	return w.body.Close()
}

// exactly is a body of which the length is known: it ends there, however much follows, and not before.
type exactly struct {
	io.ReadCloser
	left int64
}

// Read ends with io.EOF only where all has come.
func (e *exactly) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.ReadCloser.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if errors.Is(err, io.EOF) {
		if e.left > 0 {
			return n, io.ErrUnexpectedEOF
		}
		return n, io.EOF
	}
	return n, err
}

// because prefers why we gave up over what the network says of it.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
