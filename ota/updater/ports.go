package updater

import (
	"context"
	"io"
	"time"

	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/fit/promise"
	"github.com/pronto-pbx/pronto/ota/install"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// Source is where releases come from: the vendor's server, or a bundle. What it says has been verified.
type Source interface {
	// Latest is the newest release that is meant for a box and whose percentage takes it. trust.ErrNone: there is none.
	Latest(ctx context.Context, now time.Time, box release.Box) (release.Manifest, error)
	// Open gives the bytes of a blob from an offset on. They are verified by who reads them.
	Open(ctx context.Context, blob release.Blob, offset int64) (io.ReadCloser, error)
}

// Slots is where releases are installed, and what starts them.
type Slots interface {
	State(ctx context.Context) (slot.Facts, error)
	// Idle opens what the next release is written into. Who opens it closes it.
	Idle(ctx context.Context) (install.Target, error)
	// Try starts the idle slot once. The box restarts soon after it has returned nil, by a promise of the exchange's; an
	// error that is promise.ErrNone says that it does not keep that.
	Try(ctx context.Context, version, promise string) error
	// Keep makes the slot on trial what every start starts.
	Keep(ctx context.Context) error
	// Back restarts into the slot of before.
	Back(ctx context.Context, why string, words string) error
}

// Fit is the way to the exchange.
type Fit interface {
	Now(ctx context.Context) (fit.Exchange, error)                    // calls, emergency calls, waiting callers; the zone
	Count(ctx context.Context) (fit.Counts, error)                    // before the trial
	Check(ctx context.Context, before fit.Counts) (fit.Report, error) // the health check; takes minutes

	// Promise has nobody be on the phone until a restart; busy tells why not. Calls for help end it.
	Promise(ctx context.Context, w promise.Wish) (token string, busy fit.Busy, err error)
	Withdraw(ctx context.Context, token string) error     // gives it back
	Drain(ctx context.Context, lasts time.Duration) error // queues take nobody new for a while
}
