package lab

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk/presets"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestParseAgents(t *testing.T) {
	got, err := ParseAgents("201:a,202:b:c,")
	if err != nil || len(got) != 2 || got[1] != (Agent{"202", "b:c"}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"201", ":a", "201:", "201:a,x"} {
		if _, err := ParseAgents(bad); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
}

func TestParseQuirks(t *testing.T) {
	q, err := ParseQuirks("did_in_to,from_number,vad_off,", "+390612345678")
	if err != nil || !q.DIDInTo || q.FromUser != "+390612345678" || q.Single {
		t.Errorf("%+v, %v", q, err)
	}
	if _, err := ParseQuirks("did_in_to,moody", ""); err == nil || !strings.Contains(err.Error(), `"moody"`) {
		t.Errorf("%v", err)
	}
	all, err := presets.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if _, err := Quirks(p.Quirks, ""); err != nil {
			t.Errorf("preset %s: %v", p.ID, err)
		}
	}
}

func TestParseMishaps(t *testing.T) {
	if got, err := ParseMishaps("half_pdu,3g,"); err != nil || len(got) != 2 || got[1] != "3g" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := ParseMishaps("all"); err != nil || len(got) < 20 || !slices.Contains(got, "unplug") || slices.Contains(got, "flood") {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := ParseMishaps("half_pdu,earthquake"); err == nil || !strings.Contains(err.Error(), `"earthquake"`) {
		t.Errorf("%v", err)
	}
}

func TestTakenPortIsOneSentence(t *testing.T) {
	err := Run(t.Context(), Config{Out: &bytes.Buffer{}, Dir: t.TempDir(), Account: "1:x", Carrier: netip.MustParseAddrPort("192.0.2.1:5070")})
	if err == nil || !strings.HasPrefix(err.Error(), "the carrier cannot listen on 192.0.2.1:5070: ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

// diary is an output that a test may read while the lab writes.
type diary struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write implements io.Writer.
func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

// asked runs a lab whose desk takes questions, until the end of the test. Nobody calls but two at its start.
func asked(t *testing.T, cfg Config) (ask func(question string) (string, error)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var said diary
	cfg.Out, cfg.Seed, cfg.PerMinute, cfg.Socket = &said, 1, 0.001, filepath.Join(cfg.Dir, Socket)
	cfg.Account = pbxtest.DID + ":" + pbxtest.CarrierPassword
	done := make(chan error, 1)
	go func() { done <- Run(ctx, cfg) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(cfg.Socket); err == nil {
			t.Error("the socket outlives the lab")
		}
		if t.Failed() {
			t.Log(said.String())
		}
	})
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(said.String(), "the modem is plugged in"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the lab does not begin")
		}
	}
	return func(question string) (string, error) { return Ask(t.Context(), cfg.Socket, question) }
}

// What a visitor of the demo does: a fault is asked for, the line says what it lacks, and is in service
// again when the fault is over.
func TestFaultThatIsAskedForIsNamedByTheLineAndOver(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: it builds and runs a whole office")
	}
	bench, err := pbxtest.NewBench("../../prontod", "../../recordd", "../../prontoctl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := bench.Close(); err != nil {
			t.Error(err)
		}
	}()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1, Carrier: 5070, Registers: true, Modem: true, Analog: true})
	ask := asked(t, Config{
		Dir: o.Dir, Box: o.SIP, Carrier: netip.AddrPortFrom(o.Carrier, o.CarrierPort),
		Agents: []Agent{{"201", pbxtest.Password(201)}},
	})
	o.Line("line:gsm0", true)
	o.Line("line:fxo0", true)
	for _, tt := range []struct {
		line, fault, heal string
		cause             tel.LineCause
	}{
		{"gsm0", "unplug", "unplug", tel.LineNoModem},
		{"gsm0", "no_network", "all", tel.LineSearching},
		{"gsm0", "sim_out", "sim_out", tel.LineNoSIM},
		{"fxo0", "no_voltage", "no_voltage", tel.LineNoVoltage},
		{"fxo0", "unplug", "all", tel.LineNoModem},
	} {
		if _, err := ask("fault " + tt.line + " " + tt.fault); err != nil {
			t.Fatal(err)
		}
		o.Until("the line to name "+string(tt.cause), func(n pbxtest.Now) bool {
			l := n.Lines["line:"+tt.line]
			return !l.Up && l.Cause == tt.cause
		})
		if told, err := ask("faults " + tt.line); err != nil || !strings.Contains(told, "* "+tt.fault+" ") || !strings.Contains(told, "- mute ") {
			t.Errorf("the lab tells %q, %v", told, err)
		}
		if _, err := ask("heal " + tt.line + " " + tt.heal); err != nil {
			t.Fatal(err)
		}
		o.Line("line:"+tt.line, true)
	}
}

func TestQuestionsThatTheLabCannotAnswerAreRefusedInWords(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	nowhere := netip.MustParseAddrPort("127.0.0.1:9")
	ask := asked(t, Config{Dir: t.TempDir(), Box: nowhere, Carrier: netip.MustParseAddrPort("127.0.0.1:0")})
	for question, want := range map[string]string{
		"":                            "ask for: faults LINE",
		"fault gsm7 unplug":           `the lab has no line "gsm7"; it has gsm0 and fxo0`,
		"fault gsm0 earthquake":       `there is no such fault: "earthquake"`,
		"fault gsm0 mute 5s":          "nothing may follow it",
		"fault gsm0 a b c":            "nobody understands",
		"heal gsm0 flood":             "is over at once",
		"fault fxo0 earthquake":       `there is no fault "earthquake"`,
		"fault fxo0 mute 5s":          "nothing may follow",
		"dance gsm0":                  "nobody understands",
		strings.Repeat("long ", 1000): "a question is one line",
	} {
		if _, err := ask(question); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.20q: %v; want %q", question, err, want)
		}
	}
	if _, err := Ask(t.Context(), filepath.Join(t.TempDir(), "none"), "faults gsm0"); err == nil || !strings.Contains(err.Error(), "no lab listens") {
		t.Errorf("without a lab: %v", err)
	}
}

// play runs an office and, ten times as fast, the people around it, until the test ends. The phones from 201 on
// answer calls, but the last ones, who supervise.
func play(t *testing.T, s pbxtest.Setup, supervisors int) (o *pbxtest.Office, bench *pbxtest.Bench) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: it builds and runs a whole office")
	}
	bench, err := pbxtest.NewBench("../../prontod", "../../recordd", "../../prontoctl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bench.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Carrier, s.Registers, s.Modem = 5070, true, true
	o = bench.Start(t, s)
	others := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(context.Background())
	var said diary
	cfg := Config{
		Out: &said, Dir: o.Dir, Box: o.SIP, Carrier: netip.AddrPortFrom(o.Carrier, o.CarrierPort), Seed: 1, PerMinute: 6, Pace: 10,
		Account: pbxtest.DID + ":" + pbxtest.CarrierPassword, Mishaps: []string{"half_pdu", "lost_notice", "stuck_prompt"},
	}
	for i := range s.Agents {
		a := Agent{fmt.Sprint(201 + i), pbxtest.Password(201 + i)}
		if i < s.Agents-supervisors {
			cfg.Agents = append(cfg.Agents, a)
		} else {
			cfg.Supervisors = append(cfg.Supervisors, a)
		}
	}
	done := make(chan error, 1)
	go func() { done <- Run(ctx, cfg) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(o.Dir + "/modem0-at"); err == nil {
			t.Error("the modem's port outlives the lab")
		}
		goleak.VerifyNone(t, others)
		t.Log(said.String())
	})
	return o, bench
}

// A day of the demo office, ten times as fast, with a crash of the box in the middle.
func TestPeopleAreServedBeforeAndAfterACrash(t *testing.T) {
	o, _ := play(t, pbxtest.Setup{Agents: 4, LoggedIn: 4, Analog: true}, 0)
	before := served(t, o, time.Time{})
	o.Kill()
	after := served(t, o, time.Now())
	written(t, o)
	t.Logf("answered waits: %d before the crash, %d after it", before, after)
}

// written waits until messages of customers are on record although mishaps befell the modem.
func written(t *testing.T, o *pbxtest.Office) {
	t.Helper()
	var texts []store.SMS
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		page, err := o.Records.ListTexts(t.Context(), store.TextQuery{State: tel.SMSIn})
		if err != nil {
			continue // recordd may be busy
		}
		if texts = page.Items; len(texts) >= 2 {
			for _, m := range texts {
				if m.Lacks > 0 || m.Text == "" {
					t.Errorf("a message lacks something: %+v", m)
				}
			}
			return
		}
	}
	t.Fatalf("the messages are not on record: %+v", texts)
}

// served waits until a customer of the carrier and one on each line, who called after start, have
// talked with an agent, and counts all.
func served(t *testing.T, o *pbxtest.Office, start time.Time) int {
	t.Helper()
	var calls []store.Call
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		page, err := o.Records.ListCalls(t.Context(), store.CallQuery{Span: store.Span{From: start, Limit: store.MaxLimit}, Direction: tel.Inbound})
		if err != nil {
			continue // recordd may be busy
		}
		answered := map[string]int{}
		calls = page.Items
		for _, c := range calls {
			if !c.Answered.IsZero() && c.Agent != "" {
				answered[c.In]++
			}
		}
		if answered["trunk:carrier"] > 0 && answered["line:gsm0"] > 0 && answered["line:fxo0"] > 0 {
			return answered["trunk:carrier"] + answered["line:gsm0"] + answered["line:fxo0"]
		}
	}
	t.Fatalf("not every line was served: %+v", calls)
	return 0
}
