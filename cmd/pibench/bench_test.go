package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// board is a Raspberry Pi in memory: it says what a real one says at its times, and may have a fault after a start that
// was cut in a window.
type board struct {
	console *io.PipeWriter
	end     context.CancelFunc
	ended   chan struct{}
	begun   time.Time
	hurt    bool // the last cut fell into the window
	from    time.Duration
	till    time.Duration
	gasp    string   // said when the power goes
	sick    []string // what a hurt board says at its next start in place of getting ready
}

type saying struct {
	at   time.Duration
	text string
}

func healthy() []saying {
	return []saying{
		{300 * time.Millisecond, "0.92 BOOTLOADER release VERSION:8ba17717 DATE: 2026/05/08 TIME: 15:13:17"},
		{310 * time.Millisecond, "BOOTLOADER release VERSION 8ba17717 DATE 2026/05/08 TIME 15:13:17"},
		{5 * time.Second, `time=2026-11-27T17:31:02.318Z level=INFO msg=Pronto service=prontoinit version=v0.1.0 kernel=6.12.47-v8 uptime=5.497s`},
		{6 * time.Second, `time=2026-11-27T17:31:02.881Z level=INFO msg=start service=prontoinit failed_before=0`},
		{9 * time.Second, `time=2026-11-27T17:31:10.870Z level=INFO msg="the exchange runs" service=prontoinit uptime=9s`},
	}
}

func (b *board) power(_ context.Context, on bool) error {
	if !on {
		if b.end != nil {
			b.end()
			<-b.ended
			b.end = nil
			lived := time.Since(b.begun)
			b.hurt = lived >= b.from && lived < b.till
			if b.gasp != "" {
				_, _ = fmt.Fprintln(b.console, b.gasp)
			}
		}
		return nil
	}
	says := healthy()
	if b.hurt && b.sick != nil {
		says = nil
		for i, text := range b.sick {
			says = append(says, saying{time.Duration(i+1) * time.Second, text})
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.end, b.ended, b.begun = cancel, make(chan struct{}), time.Now()
	go func() {
		defer close(b.ended)
		begun := time.Now()
		for _, s := range says {
			select {
			case <-time.After(time.Until(begun.Add(s.at))):
				_, _ = fmt.Fprintln(b.console, s.text)
			case <-ctx.Done():
				return
			}
		}
	}()
	return nil
}

// tried runs the bench on a board and returns what it says and the rows of its results.
func tried(t *testing.T, b *board, p plan) (said string, rows [][]string, err error) {
	t.Helper()
	r, w := io.Pipe()
	b.console = w
	var out, results bytes.Buffer
	x := bench{Plan: p, Card: "Maker X 32 GB", Console: r, Power: b.power, Out: &out, Results: &results, Sleep: sleep}
	done := make(chan error, 1)
	go func() { done <- x.run(t.Context()) }()
	err = <-done
	rows, csvErr := csv.NewReader(&results).ReadAll()
	if csvErr != nil {
		t.Fatal(csvErr)
	}
	return out.String(), rows, err
}

var short = plan{Cuts: 40, Earliest: time.Second, Latest: 20 * time.Second, Dark: 3 * time.Second, Limit: time.Minute, Seed: 7}

func TestABoardThatSurvivesEveryCutPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said, rows, err := tried(t, &board{}, short)
		if err != nil || !strings.Contains(said, "all 40 cuts were survived") || !strings.Contains(said, "p50 9s") || !strings.Contains(said, "boot loader 8ba17717 of 2026/05/08: 40 starts") {
			t.Fatalf("%v\n%s", err, said)
		}
		if len(rows) != 40 || rows[0][1] != "Maker X 32 GB" || rows[0][7] != "v0.1.0" || rows[0][9] != "0" || rows[0][10] != "" {
			t.Errorf("%d rows, the first %q", len(rows), rows[0])
		}
		cuts := map[string]bool{}
		for _, r := range rows {
			cuts[r[4]] = true
		}
		if len(cuts) < 35 {
			t.Errorf("only %d different moments", len(cuts))
		}
	})
}

func TestWhatABoardSaysWhenItsPowerGoesIsNotOfTheNextStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if said, _, err := tried(t, &board{gasp: "mmc0: error -110"}, short); err != nil {
			t.Errorf("%v\n%s", err, said)
		}
	})
}

func TestABoardThatACutHurtsFails(t *testing.T) {
	for name, c := range map[string]struct {
		sick []string
		want string
	}{
		"a damaged file system": {[]string{"EXT4-fs error (device mmcblk0p4): bad block bitmap checksum", `msg="the exchange runs"`}, "EXT4-fs error"},
		"the recovery system":   {[]string{`level=WARN msg="recovery system" service=prontoinit version=v0.1.0`}, "recovery system"},
		"hangs":                 {[]string{`level=INFO msg=Pronto service=prontoinit version=v0.1.0 kernel=6`}, "the exchange does not run"},
		"is dead":               {[]string{}, "the board says nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				said, rows, err := tried(t, &board{from: 5 * time.Second, till: 9 * time.Second, sick: c.sick}, short)
				failed := strings.Count(said, "FAILED")
				if err == nil || failed == 0 || failed == 40 || !strings.Contains(said, c.want) {
					t.Fatalf("%v, %d failed\n%s", err, failed, said)
				}
				if want := fmt.Sprintf("%d of 40 cuts were not survived", failed); err.Error() != want {
					t.Errorf("%v, want %s", err, want)
				}
				for _, r := range rows {
					cut, err := strconv.ParseFloat(r[4], 64)
					if hurt := cut >= 5 && cut < 9; err != nil || hurt != (r[10] != "") {
						t.Errorf("cut after %s: %q", r[4], r[10])
					}
				}
			})
		})
	}
}

func TestTheSameSeedCutsAtTheSameMoments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		moments := func(seed uint64) (all []string) {
			p := short
			p.Seed, p.Cuts = seed, 5
			_, rows, err := tried(t, &board{}, p)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				all = append(all, r[4])
			}
			return all
		}
		if a, b, c := fmt.Sprint(moments(1)), fmt.Sprint(moments(1)), fmt.Sprint(moments(2)); a != b || a == c {
			t.Errorf("%s %s %s", a, b, c)
		}
	})
}

func TestAPlanThatMakesNoSenseIsRefused(t *testing.T) {
	for _, p := range []plan{
		{Cuts: 0, Dark: time.Second},
		{Cuts: 1, Earliest: 2, Latest: 1, Dark: time.Second},
		{Cuts: 1, Dark: time.Millisecond},
		{Cuts: 1, Latest: time.Minute, Limit: time.Second, Dark: time.Second},
	} {
		if p.check() == nil {
			t.Errorf("%+v is accepted", p)
		}
	}
	if err := run(t.Context(), []string{"-cuts", "3"}, io.Discard); err == nil || !strings.Contains(err.Error(), "-serial and -power") {
		t.Errorf("%v", err)
	}
}

func TestARelayThatFailsIsNamed(t *testing.T) {
	err := command([]string{"sh", "-c", "echo no such relay; exit 3"})(t.Context(), true)
	if err == nil || !strings.Contains(err.Error(), "switch the power on") || !strings.Contains(err.Error(), "no such relay") {
		t.Errorf("%v", err)
	}
}

func FuzzLines(f *testing.F) {
	for _, s := range healthy() {
		f.Add(s.text)
	}
	f.Fuzz(func(t *testing.T, line string) {
		s := start{Silence: true}
		for range 30 {
			s.take(line, time.Second)
		}
		if s.Silence || len(s.Wrong) > most {
			t.Errorf("%+v", s)
		}
	})
}
