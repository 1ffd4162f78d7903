// Package reinstall brings a release onto a box that has no system to do it: the recovery system's way. It goes straight
// from a bundle or the vendor's server into a slot, and remembers nothing, since the data of such a box is not touched:
// what a power cut ends is begun again, and what lies in the slot already is left alone.
package reinstall

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/pronto-pbx/pronto/ota/install"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/rescue"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// Source is where releases come from. What it says has been verified.
type Source interface {
	// Latest is the newest release that a box may have. Errors are those of package release.
	Latest(ctx context.Context, now time.Time, box release.Box) (release.Manifest, error)
	// Open gives the bytes of a blob from an offset on.
	Open(ctx context.Context, blob release.Blob, offset int64) (io.ReadCloser, error)
}

// Try is one try.
type Try struct {
	Source Source
	// Local tells that the source is at hand: what cannot be read of it once is not asked for again.
	Local bool
	Box   release.Box
	Slot  install.Target
	Now   time.Time
	Tell  func(rescue.Step) // is told of each step but the last, by the goroutine of Run
}

// Run makes the try and returns its last step, which is Done or Failed. While nothing that a box may have was found the
// slot is not touched; from then on it is invalid until all of it was read back from the card.
func (t Try) Run(ctx context.Context) rescue.Step {
	t.Tell(rescue.Step{Phase: rescue.Looking})
	m, err := t.Source.Latest(ctx, t.Now, t.Box)
	if err != nil {
		return t.failed("", err)
	}
	part, ok := m.Part(t.Box)
	if !ok { // Refuses has said so
		return t.failed(m.Version, release.ErrNone)
	}
	if err := t.put(ctx, m.Version, part); err != nil {
		return t.failed(m.Version, err)
	}
	return rescue.Step{Phase: rescue.Done, Version: m.Version, At: part.Size, Of: part.Size, SHA256: part.SHA256}
}

// put writes the part and proves it.
func (t Try) put(ctx context.Context, version string, part release.Part) error {
	packed := &steady{ctx: ctx, source: t.Source, blob: part.Packed, local: t.Local}
	defer packed.close()
	content, err := install.Unpack(verified{part.Packed.Verify(packed)})
	if err != nil {
		return err
	}
	defer content.Close()
	tell := func(p rescue.Phase) func(int64) {
		return func(at int64) {
			t.Tell(rescue.Step{Phase: p, Version: version, At: min(at, part.Size), Of: part.Size})
		}
	}
	first, err := install.Write(ctx, t.Slot, content, part, tell(rescue.Writing))
	if err != nil {
		return err
	}
	return install.Check(ctx, t.Slot, first, part, tell(rescue.Checking))
}

// Refused is the only step of a try whose source could not be opened.
func Refused(err error) rescue.Step { return Try{Local: true}.failed("", err) }

// failed is the last step of a try that came to nothing.
func (t Try) failed(version string, err error) rescue.Step {
	s := rescue.Step{Phase: rescue.Failed, Version: version, Code: install.CodeOf(err), Words: err.Error()}
	switch {
	case errors.Is(err, release.ErrOlder):
		s.Code = rescue.CodeOlder
	case t.Local && s.Code == slot.CodeNetwork: // it is not the vendor who does not answer
		s.Code = slot.CodeBundle
	}
	if r, ok := errors.AsType[*release.Refusal](err); ok {
		s.Code, s.Version, s.Reasons = rescue.CodeRefused, r.Version, r.Reasons
	}
	return s
}

// verified says of what is wrong with packed content that it is damage.
type verified struct{ io.Reader }

// Read implements io.Reader.
func (v verified) Read(b []byte) (int, error) {
	n, err := v.Reader.Read(b)
	if errors.Is(err, release.ErrBlob) {
		err = &install.Failure{Code: slot.CodeHash, Err: err}
	}
	return n, err
}
