package settings

import (
	"context"
	"io"
	"time"

	"github.com/pronto-pbx/pronto/ui/page"
)

// Updates is the page's way to who installs releases. A nil State says that whoever runs the system does, by its own
// means; then nothing else is asked.
type Updates struct {
	Most     int64 // bytes of a bundle
	State    func(ctx context.Context) page.UpdateState
	Check    func(ctx context.Context) Refusal
	Install  func(ctx context.Context, version string) Refusal
	Postpone func(ctx context.Context, until time.Time) Refusal // the zero value: no more
	Set      func(ctx context.Context, s page.UpdateSettings) Refusal
	Seen     func(ctx context.Context) Refusal
	// Give installs the release of a bundle, which is read as it comes; nothing is touched before it has been judged.
	Give func(ctx context.Context, bundle io.Reader) Refusal
	// Stick does the same with a bundle on the stick, by its name.
	Stick func(ctx context.Context, name string) Refusal
}

// Without is how it stands where nobody but the system installs releases.
func (u Updates) Without() bool { return u.State == nil }

// Now is how it stands.
func (u Updates) Now(ctx context.Context) page.UpdateState {
	if u.Without() {
		return page.UpdateState{Off: "system"}
	}
	return u.State(ctx)
}
