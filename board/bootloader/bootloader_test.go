package bootloader

import (
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestABoardKnowsWhatItWasStartedFrom(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  Start
	}{
		{"a Raspberry Pi 4 that tries slot B", map[string]string{at + "partition": "\x00\x00\x00\x03", at + "tryboot": "\x00\x00\x00\x01", at + "build-timestamp": "\x65\xa4\x7d\x00", "cmdline": "console=tty1"}, Start{Slot: 3, Trying: true, Built: "2024-01-15"}},
		{"one that starts slot A as ever", map[string]string{at + "partition": "\x00\x00\x00\x02", at + "tryboot": "\x00\x00\x00\x00"}, Start{Slot: 2}},
		{"one whose boot loader is too old to say", map[string]string{"cmdline": "panic=10 console=tty1\n"}, Start{}},
		{"the stand-in in an emulated machine", map[string]string{"cmdline": "panic=10 pronto.slot=3 pronto.try=1 pronto.trial=40s\n"}, Start{Slot: 3, Trying: true, Trial: 40 * time.Second}},
		{"a partition that is no slot, tried", map[string]string{at + "partition": "\x00\x00\x00\x01", at + "tryboot": "\x00\x00\x00\x01"}, Start{}},
		{"arguments that do not overrule the boot loader", map[string]string{at + "partition": "\x00\x00\x00\x02", "cmdline": "pronto.slot=3"}, Start{Slot: 2}},
		{"nonsense", map[string]string{at + "partition": "2", at + "tryboot": "", at + "build-timestamp": "x", "cmdline": "pronto.slot=4 pronto.try=yes pronto.trial=-1s"}, Start{}},
	} {
		files := fstest.MapFS{}
		for name, text := range tc.files {
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := Read(files); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte{0, 0, 0, 3}, []byte{0, 0, 0, 1}, "pronto.slot=2 pronto.try=1")
	f.Fuzz(func(t *testing.T, partition, try []byte, arguments string) {
		s := Read(fstest.MapFS{at + "partition": {Data: partition}, at + "tryboot": {Data: try}, "cmdline": {Data: []byte(arguments)}})
		if s.Trying && s.Slot == 0 || s.Slot != 0 && s.Slot != 2 && s.Slot != 3 {
			t.Errorf("%+v", s)
		}
	})
}
