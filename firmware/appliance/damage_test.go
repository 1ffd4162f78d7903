package appliance

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// lived is the state of an office that works, as a kill leaves it: by file, without sockets, and its folders.
func lived(t *testing.T) (state map[string][]byte, folders []string) {
	t.Helper()
	state = map[string][]byte{}
	t.Run("an office works", func(t *testing.T) {
		b := start(t, shop)
		anna, bruno := b.phone("201"), b.phone("202")
		b.page() // claims it
		b.apply(func(c *config.Config) { c.Queues[0].Ring += time.Second })
		if err := b.box.queues.Login(t.Context(), "anna"); err != nil {
			t.Fatal(err)
		}
		anna.call("202")
		if !bruno.hears(anna, 0x31) {
			t.Fatal("the call has no audio")
		}
		b.box.publish(tel.QueueLeft{Queue: "sales", Caller: "+393331234567", Outcome: tel.OutcomeAbandoned, Left: time.Now()})
		b.eventually("the list of missed callers is saved", func() bool {
			_, err := os.Stat(filepath.Join(b.box.opts.Dir, "ledger.json"))
			return err == nil
		})
		dir := b.box.opts.Dir
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a file that was being replaced
			}
			if err != nil {
				return err
			}
			name, err := filepath.Rel(dir, path)
			switch {
			case err != nil:
			case d.IsDir():
				folders = append(folders, name)
			case d.Type().IsRegular():
				var text []byte
				if text, err = os.ReadFile(path); errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				state[name] = text
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	return state, folders
}

// lay writes the state of an office into the folder of another one.
func lay(t *testing.T, dir string, state map[string][]byte, folders []string) {
	t.Helper()
	for _, name := range folders {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range state {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// connects has two phones of the shop talk.
func connects(t *testing.T, b *bench) {
	t.Helper()
	carla, erika := b.phone("203"), b.phone("206")
	carla.call("206")
	if !erika.hears(carla, 0x51) || !carla.hears(erika, 0x52) {
		t.Error("the call has no audio")
	}
}

// harms are what a failing card, a power cut or another version of the program does to a file.
var harms = map[string]struct {
	do   func(b []byte) []byte
	told bool // the page says that something is missing; a power cut leaves the others
}{
	"empty":       {func([]byte) []byte { return nil }, false},
	"zeros":       {func(b []byte) []byte { return make([]byte, len(b)) }, false},
	"cut in half": {func(b []byte) []byte { return b[:len(bytes.TrimRight(b, "\x00"))/2] }, false},
	"a bit flipped": {func(b []byte) []byte {
		if b = bytes.Clone(b); len(b) == 0 {
			return b
		}
		b[len(bytes.TrimRight(b, "\x00"))/3] ^= 0x10
		return b
	}, true},
	"of a newer version": {ofANewerVersion, true},
	"other words":        {func([]byte) []byte { return []byte("nothing that this program ever wrote\n") }, true},
}

// ofANewerVersion makes a file that of a program of the next format.
func ofANewerVersion(b []byte) []byte {
	b = bytes.Replace(bytes.Clone(b), []byte(`{"v":1`), []byte(`{"v":9`), 1)
	if bytes.HasPrefix(b, []byte("PRONTOJL")) {
		b[8]++
		binary.LittleEndian.PutUint32(b[32:], crc32.Checksum(b[:32], crc32.MakeTable(crc32.Castagnoli)))
	}
	return b
}

// No damage to what the box keeps may keep it from starting and connecting calls.
func TestABoxWithDamagedFilesStartsAndConnectsCalls(t *testing.T) {
	state, folders := lived(t)
	for _, name := range []string{
		"access.json", "audit.jsonl", "config/000002.yaml", "history/0000000000000001.journal", "run/hot/0000000000000001.journal", "ledger.json", "sms.json",
	} {
		if len(state[name]) == 0 {
			t.Fatalf("the office kept no %s: nothing is proved", name)
		}
	}
	for what, harm := range harms {
		t.Run("all files are "+what, func(t *testing.T) {
			harmed := map[string][]byte{}
			for name, text := range state {
				harmed[name] = harm.do(text)
			}
			b := startWith(t, shop, func(o *Options) { lay(t, o.Dir, harmed, folders) }, func(*Box) {})
			connects(t, b)
			said, told := now(b, func(h tel.HealthChanged) bool { return h.Condition == "damage" && !h.OK })
			if told != harm.told {
				t.Errorf("the page tells: %v %q", told, said.Text)
			}
			if told && !strings.Contains(b.page(), "era rovinata ed è stata messa da parte") {
				t.Error("the page does not say so")
			}
		})
	}
}

func TestRecordsThatWereRebuiltAreToldForAWeek(t *testing.T) {
	b := start(t, shop)
	at := time.Now()
	rebuilt := store.Status{Rebuilt: "found damaged: restored the backup", RebuiltAt: at}
	for _, c := range []struct {
		name   string
		status store.Status
		now    time.Time
		told   bool
	}{
		{"whole records", store.Status{}, at, false},
		{"rebuilt just now", rebuilt, at, true},
		{"rebuilt six days ago", rebuilt, at.AddDate(0, 0, 6), true},
		{"rebuilt eight days ago", rebuilt, at.AddDate(0, 0, 8), false},
		{"rebuilt before the clock was set back by an hour", rebuilt, at.Add(-time.Hour), true},
		{"places of the journal that recordd could not read", store.Status{Damaged: 2}, at, true},
	} {
		b.box.reportDamage(c.status, c.now)
		h, told := now(b, func(h tel.HealthChanged) bool { return h.Condition == "damage" && !h.OK })
		if told != c.told {
			t.Errorf("%s: told %v %q", c.name, told, h.Text)
		}
	}
}
