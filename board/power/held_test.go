package power

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhoHoldsTheButtonAtPowerOnIsUnderstoodByHowLong(t *testing.T) {
	for _, tc := range []struct {
		name string
		held time.Duration
		want Wish
	}{
		{"not at all", 0, Nothing},
		{"as somebody who has just pressed it to switch the box on", time.Second, Nothing},
		{"until the light changes", 5 * time.Second, Help},
		{"for long", 25 * time.Second, Forget},
		{"for ever, because something lies on it", time.Hour, Forget},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun, shown := time.Now(), Nothing
				got := Wished(func() bool { return time.Since(begun) < tc.held }, func(w Wish) {
					if w < shown {
						t.Errorf("shows %v after %v", w, shown)
					}
					shown = w
				})
				if took := time.Since(begun); got != tc.want || took > HoldLong+time.Second {
					t.Errorf("wish %v after %v, want %v", got, took, tc.want)
				}
			})
		})
	}
}

func TestAKeyIsFoundInTheMapOfTheKernel(t *testing.T) {
	var keys [keyBytes]byte
	keys[keyPower/8] = 1 << (keyPower % 8)
	if !isDown(keys[:], keyPower) || isDown(keys[:], keyPower+1) || isDown(keys[:], 0) {
		t.Errorf("%x", keys)
	}
}

func TestWhatIsNoInputDeviceHasNoButton(t *testing.T) {
	at := filepath.Join(t.TempDir(), "event0")
	if err := os.WriteFile(at, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if Down(at) || Down(at+".none") || Down("[") {
		t.Error("a file is held")
	}
}
