package updater_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/remote"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// A wrong bundle touches nothing: not the card, not what is under way, not the disk; and the light says so.
func TestAWrongBundleTouchesNothing(t *testing.T) {
	for _, c := range []struct{ name, bundle, code string }{
		{"no bundle", "nonsense", "bundle"},
		{"one of somebody else", "forged 2.0.0", "untrusted"},
		{"one of an earlier release", "signed 0.9.0", "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in(t, func(t *testing.T, o *office) {
				before := o.card.Operations()
				o.live(time.Minute, func(s remote.State) bool {
					if !s.Enabled {
						return false
					}
					var refused *remote.Refused
					err := o.u.Bundle(t.Context(), strings.NewReader(c.bundle))
					if !errors.As(err, &refused) || string(refused.Code) != c.code {
						t.Errorf("%v", err)
					}
					if c.code == "none" && (len(refused.Reasons) == 0 || refused.Reasons[0].Code != string(release.NotNewer)) {
						t.Errorf("%+v", refused)
					}
					return true
				})
				if o.led != 1 || o.card.Operations() != before {
					t.Errorf("the light was told %d times, the card was used %d times", o.led, o.card.Operations()-before)
				}
				for name := range o.files {
					if strings.Contains(name, "parts/") {
						t.Errorf("%s is left", name)
					}
				}
			})
		})
	}
}

func TestABundleIsInstalledWithoutANetworkAsSoonAsNobodyIsOnThePhone(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		o.away = release.ErrUnreachable
		o.busy = fit.Busy{Calls: 1}
		o.live(time.Minute, func(s remote.State) bool {
			return s.Enabled && o.u.Bundle(t.Context(), strings.NewReader("signed 2.0.0")) == nil
		})
		s := o.live(30*time.Minute, nil)
		if s.Phase != slot.Waiting || s.WaitsFor != remote.ForCalls || !s.Offer.Local || len(o.trials) != 0 {
			t.Fatalf("%+v", s)
		}
		o.with(func() { o.busy = fit.Busy{} })
		if s = o.live(time.Hour, ended); s.Last == nil || s.Last.Result != "kept" || o.runs() != "2.0.0" || o.led != 0 {
			t.Errorf("%+v, %s runs", s, o.runs())
		}
	})
}

// The server knows nothing of what somebody has brought, and must not have it dropped.
func TestABundleIsNotDroppedForAServerThatOffersNothing(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		o.busy = fit.Busy{Calls: 1}
		o.live(time.Minute, func(s remote.State) bool {
			return s.Enabled && o.u.Bundle(t.Context(), strings.NewReader("signed 2.0.0")) == nil
		})
		o.release("3.0.0")
		if s := o.live(48*time.Hour, nil); s.Phase != slot.Waiting || s.Version != "2.0.0" || o.polls < 3 {
			t.Errorf("%+v after %d polls", s, o.polls)
		}
	})
}

func TestABundleThatBreaksOffOrDoesNotFitIsRefused(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		refused := func(want slot.Code, send func() error) {
			t.Helper()
			o.live(time.Minute, func(s remote.State) bool {
				if !s.Enabled {
					return false
				}
				var r *remote.Refused
				if err := send(); !errors.As(err, &r) || r.Code != want {
					t.Errorf("%v, want %s", err, want)
				}
				return true
			})
		}
		refused(slot.CodeBundle, func() error { return o.u.Bundle(t.Context(), brokenOff{}) })
		o.free = 1 << 20
		refused(slot.CodeFull, func() error { return o.u.Bundle(t.Context(), strings.NewReader("signed 2.0.0")) })
	})
}

type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, errors.New("the browser is gone") }

func TestOnlyFilesBelowTheSticksAreRead(t *testing.T) {
	sticks := filepath.Join(t.TempDir(), "sticks")
	secret := filepath.Join(filepath.Dir(sticks), "secret")
	good := filepath.Join(sticks, "stick", "pronto", "a.update")
	err := errors.Join(os.MkdirAll(filepath.Dir(good), 0o755), os.WriteFile(good, []byte("signed 2.0.0"), 0o600), os.WriteFile(secret, []byte("signed 2.0.0"), 0o600),
		os.Symlink(secret, filepath.Join(sticks, "link")))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.sticks = sticks
		o.live(time.Minute, func(s remote.State) bool {
			if !s.Enabled {
				return false
			}
			for _, path := range []string{secret, sticks + "/../secret", filepath.Join(sticks, "link"), filepath.Join(sticks, "stick"), filepath.Join(sticks, "none"), "", "/etc/passwd"} {
				var r *remote.Refused
				if err := o.u.Stick(t.Context(), path); !errors.As(err, &r) || r.Code != remote.CodeMistaken && r.Code != slot.CodeBundle {
					t.Errorf("%s: %v", path, err)
				}
			}
			if err := o.u.Stick(t.Context(), good); err != nil {
				t.Error(err)
			}
			return true
		})
		if s := o.live(time.Hour, ended); s.Last == nil || s.Last.Result != "kept" {
			t.Errorf("%+v", s)
		}
	})
}
