package appliance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The table of what survives what must not thin out: each state that is promised has a row for a kill, each fault has
// one, and every row names tests that there are.
func TestSurvivalTableIsWholeAndNamesTestsThatExist(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "SURVIVAL.md"))
	if err != nil {
		t.Fatal(err)
	}
	checkTable(t, "SURVIVAL.md", string(text), 50, testsByPackage(t))
	rows := map[[2]string]bool{}
	faults := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| state") && len(cells) == 4 {
			state, fault := strings.TrimPrefix(cells[0], "| "), cells[1]
			if rows[[2]string{state, fault}] {
				t.Errorf("%s, %s: two rows", state, fault)
			}
			rows[[2]string{state, fault}], faults[fault] = true, true
		}
	}
	for _, state := range []string{
		"talking", "encrypted talk (SDES)", "held", "ringing", "early media", "position in a menu", "parked", "voicemail being left", "whisper before the bridge",
		"supervision: listening, whispering, barging", "waiting in a queue", "after-call work", "callback pending", "bindings of phones", "subscriptions",
		"trunk registration", "recording", "short messages", "session timers", "bans", "nonce key", "finished records",
	} {
		if !rows[[2]string{state, "kill"}] {
			t.Errorf("%s: no row says what a kill does to it", state)
		}
	}
	for _, fault := range []string{
		"kill", "update", "reboot", "power cut", "disk full", "read-only disk", "I/O error", "clock +-1 h, +10 y, -20 y, 1970", "recordd dead", "cut short", "bits flipped",
		"written by an earlier version", "written by a newer version", "two programs at once", "Badger damaged or of another version", "no descriptors left", "192 MB of memory and 256 descriptors", "hours of load", "ended by the kernel",
	} {
		if !faults[fault] {
			t.Errorf("no row for the fault %q", fault)
		}
	}
}
