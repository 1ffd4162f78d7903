package scenario

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// played plays a scenario in virtual time and returns its diary.
func played(t *testing.T, name, source string) (diary string, took time.Duration, err error) {
	t.Helper()
	s, err := Parse(name, source)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		start := time.Now()
		err = Play(t.Context(), s, Stage{Out: &out})
		diary, took = out.String(), time.Since(start)
	})
	return diary, took, err
}

func TestEveryShippedScenarioLeadsToWhatItExpects(t *testing.T) {
	if len(Shipped()) < 12 {
		t.Fatalf("only %v", Shipped())
	}
	for _, name := range Shipped() {
		t.Run(name, func(t *testing.T) {
			source, err := Source(name)
			if err != nil {
				t.Fatal(err)
			}
			diary, took, err := played(t, name, source)
			if err != nil {
				t.Errorf("%v\n%s", err, diary)
			}
			t.Logf("%v of a line's life", took)
			if !strings.Contains(source, "expect") || !strings.HasPrefix(source, "# ") {
				t.Error("it explains or expects nothing")
			}
		})
	}
}

func TestExpectationsThatDoNotComeTrueNameTheirLine(t *testing.T) {
	tests := map[string]struct{ source, line string }{
		"service of a modem that is pulled out":   {"expect service\nfault unplug\nexpect outage\nexpect service within 30s", "x:4: expect service within 30s: "},
		"a caller who does not call":              {"expect service\nexpect ringing", "x:2: "},
		"another number":                          {"expect service\ncaller rings +3906111\nexpect ringing +3906112", "x:3: "},
		"another cause of the end":                {"expect service\ncaller rings\nexpect ringing\nbox answers\nexpect connected\ncaller hangs_up\nexpect end busy", "x:7: "},
		"the call of before":                      {"expect service\ncaller rings\nexpect ringing\ncaller hangs_up\nafter 2s caller rings\nexpect end", "x:6: "},
		"sound of a mute audio port":              {"expect service\nfault audio_stall\ncaller rings\nexpect ringing\nbox answers\nexpect sound", "x:6: "},
		"another outage":                          {"expect service\nfault denied\nexpect outage searching", "x:3: "},
		"a message that nobody wrote":             {"expect service\ncaller writes \"a b\"\nexpect message \"a\"", "x:3: "},
		"a hang-up by nobody":                     {"expect service\ncaller hangs_up", "x:2: "},
		"a box that answers nobody":               {"expect service\nbox answers", "x:2: "},
		"a party who answers, and nobody called":  {"expect service\nparty answers", "x:2: "},
		"keys that are others":                    {"expect service\nbox dials 0611\nexpect dialled\nparty answers\nexpect sound\nbox presses 12\nexpect pressed 13", "x:7: "},
		"a number that nobody has dialled":        {"expect service\nbox dials 0611\nexpect dialled 0612", "x:3: "},
		"a message that went to nobody":           {"expect service\nfault refused\nbox writes a to 0611", "x:3: "},
		"a call that is found when nobody has it": {"expect service\nexpect connected within 1s", "x:2: "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			diary, _, err := played(t, "x", tt.source)
			if err == nil || !strings.Contains(err.Error(), tt.line) {
				t.Errorf("%v; want %q\n%s", err, tt.line, diary)
			}
		})
	}
}

func TestTimesAreKept(t *testing.T) {
	diary, took, err := played(t, "x", "at 10s caller rings\nafter 3s caller hangs_up\nat 20s caller rings\ncaller hangs_up")
	if err != nil || took < 20*time.Second || took > 31*time.Second {
		t.Errorf("%v, %v", took, err)
	}
	for _, want := range []string{"   10.000 at 10s caller rings\n", "   13.000 after 3s caller hangs_up\n", "   20.000 at 20s caller rings\n"} {
		if !strings.Contains(diary, want) {
			t.Errorf("lacks %q\n%s", want, diary)
		}
	}
}

func TestWhoIsDialledAnswersByItselfWhenTheScenarioSaysSo(t *testing.T) {
	diary, _, err := played(t, "x", "party answers after 4s\nexpect service\nbox dials 0611111\nexpect alerting\nexpect sound within 15s\nbox hangs_up\nexpect end normal")
	if err != nil {
		t.Errorf("%v\n%s", err, diary)
	}
}

func TestAnotherProgramAsTheBoxCannotBeTold(t *testing.T) {
	s, err := Parse("x", "at 1s caller rings\nbox answers")
	if err != nil {
		t.Fatal(err)
	}
	if err := Play(t.Context(), s, Stage{Dir: t.TempDir()}); !errors.Is(err, ErrNoBox) || !strings.Contains(err.Error(), "x:2: ") {
		t.Errorf("%v", err)
	}
}

// An installer lets a scenario befall a box that is another program, over pseudo-terminals.
func TestAnotherProgramAsTheBoxIsRungAndItsCallsAreHeard(t *testing.T) {
	s, err := Parse("x", "expect dialled 0611111 within 1m\nparty busy\nexpect over\nexpect dialled 0622222 within 1m\nparty answers\nexpect over within 1m")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	done := make(chan error, 1)
	go func() { done <- Play(t.Context(), s, Stage{Dir: dir}) }()
	m, err := gsm.Open(gsm.Config{ID: "gsm0", Locate: gsm.AtPaths(filepath.Join(dir, "modem0-at"), filepath.Join(dir, "modem0-pcm"))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	numbers, heard := []tel.Number{"0611111", "0622222"}, []tel.Cause(nil)
	for e := range m.Events() {
		switch e.Kind {
		case line.Ended:
			heard = append(heard, e.Cause)
		case line.Connected:
			_ = m.Hangup(t.Context(), tel.CauseNormal)
		}
		if e.Kind == line.Ended && len(heard) == 2 {
			break
		}
		if e.Kind == line.Ended || e.Kind == line.Status && e.Status.Up && len(heard) == 0 && e.Status.Calls == 0 {
			n := numbers[len(heard)]
			go func() { _ = m.Dial(t.Context(), n) }() // a second one is refused while the first is up
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if heard[0] != tel.CauseBusy || heard[1] != tel.CauseNormal {
		t.Errorf("the calls ended as %v", heard)
	}
}
