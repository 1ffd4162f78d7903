package led

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheLightShowsEachStateInARhythmOfItsOwn(t *testing.T) {
	for _, name := range []string{"ACT", "led0"} {
		dir := t.TempDir()
		for _, f := range []string{"trigger", "delay_on", "delay_off"} {
			at := filepath.Join(dir, name, f)
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		seen := map[string]Pattern{}
		for p := Starting; p <= Refused; p++ {
			if err := Show(dir, p); err != nil {
				t.Fatal(err)
			}
			shown := ""
			for _, f := range []string{"trigger", "delay_on", "delay_off"} {
				b, err := os.ReadFile(filepath.Join(dir, name, f))
				if err != nil {
					t.Fatal(err)
				}
				if shown += string(b) + " "; f == "trigger" && string(b) != "timer" {
					break
				}
			}
			if other, taken := seen[shown]; taken {
				t.Errorf("pattern %d looks like %d: %s", p, other, shown)
			}
			seen[shown] = p
		}
	}
}

func TestABoardWithoutALightIsNoFault(t *testing.T) {
	if err := Show(t.TempDir(), Trouble); err != nil {
		t.Error(err)
	}
}
