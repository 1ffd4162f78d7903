// Package lamptest is the contract that every lamp.Light must keep, run by the tests of each
// driver.
package lamptest

import (
	"testing"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Rig is one light under test and a way to see, from outside the driver, whether it is lit.
type Rig struct {
	Light lamp.Light
	ID    tel.LampID
	Lit   func() bool
}

// Contract runs the suite; open makes a fresh rig whose light is off.
func Contract(t *testing.T, open func(t *testing.T) Rig) {
	white := lamp.Level{Brightness: 255, R: 255, G: 255, B: 255}
	set := func(t *testing.T, r Rig, l lamp.Level) {
		t.Helper()
		if err := r.Light.Set(l); err != nil {
			t.Fatalf("set %+v: %v", l, err)
		}
	}
	want := func(t *testing.T, r Rig, lit bool) {
		t.Helper()
		if r.Lit() != lit {
			t.Fatalf("lit is %v, want %v", r.Lit(), lit)
		}
	}
	t.Run("it has the id that it was given", func(t *testing.T) {
		r := open(t)
		defer r.Light.Close()
		if r.Light.ID() != r.ID {
			t.Fatalf("id %q, want %q", r.Light.ID(), r.ID)
		}
	})
	t.Run("it follows every level at once and every time", func(t *testing.T) {
		r := open(t)
		defer r.Light.Close()
		for range 3 {
			set(t, r, white)
			want(t, r, true)
			set(t, r, white)
			want(t, r, true)
			set(t, r, lamp.Level{})
			want(t, r, false)
			set(t, r, lamp.Level{})
			want(t, r, false)
		}
	})
	t.Run("no brightness is off whatever the colour", func(t *testing.T) {
		r := open(t)
		defer r.Light.Close()
		set(t, r, white)
		set(t, r, lamp.Level{R: 255, G: 255, B: 255})
		want(t, r, false)
	})
	t.Run("every state shows light in its lit steps and none in its dark ones", func(t *testing.T) {
		r := open(t)
		defer r.Light.Close()
		for _, row := range lamp.Usual() {
			for _, full := range []uint8{255, 20} { // day and night
				for _, step := range row.Pattern() {
					set(t, r, step.Level.Dimmed(full))
					want(t, r, step.Level.Brightness > 0)
				}
			}
		}
	})
	t.Run("close turns it off, twice is harmless, and then it refuses", func(t *testing.T) {
		r := open(t)
		set(t, r, white)
		if err := r.Light.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
		want(t, r, false)
		if err := r.Light.Close(); err != nil {
			t.Fatalf("second close: %v", err)
		}
		if err := r.Light.Set(white); err == nil {
			t.Fatal("a closed light took a level")
		}
		want(t, r, false)
	})
}
