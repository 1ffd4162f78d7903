package trust

import (
	"context"
	"io"
	"time"

	"github.com/pronto-pbx/pronto/ota/release"
)

// Source is where releases come from: the vendor's server, or a stick. Its errors are those of package release.
type Source interface {
	// Latest fetches what the vendor has signed and returns the newest release that is meant for the box at now: of its
	// channel, not refused by it, started, and with the box among the percentage. release.ErrNone, as *release.Refusal
	// where there is one that the box refuses, tells that there is none. Call it again right before a trial: who gets
	// another release, or none, drops the first, which was withdrawn.
	Latest(ctx context.Context, now time.Time, box release.Box) (release.Manifest, error)

	// Open reads a part or a delta from offset on. Nothing of it is verified: see release.Blob.Verify. It ends with
	// io.ErrUnexpectedEOF when the source breaks off; open it again from there.
	Open(ctx context.Context, blob release.Blob, offset int64) (io.ReadCloser, error)
}
