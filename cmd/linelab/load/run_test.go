package load_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/cmd/linelab/load"
	bench "github.com/pronto-pbx/pronto/firmware/pbxtest/load"
)

// boxIP is where the tests' prontod is, and phoneIPs where its phones are; no other tests use them.
const (
	boxIP    = "127.0.64.1"
	phoneIPs = "127.0.64.2,127.0.64.3"
)

// opened starts a prontod with the phones 201 to 206, of which the last three take SHA-256 alone.
func opened(t *testing.T) *bench.Box {
	t.Helper()
	ports, err := bench.FreePorts(boxIP, boxIP)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("version: 1\nsip: {listen: %q}\nmedia: {bind: %s, port_min: 16384, port_max: 17383}\nweb: {listen: %q}\nphones:\n", ports[0], boxIP, ports[1])
	for n := 201; n <= 206; n++ {
		text += fmt.Sprintf("  - {id: %q, name: P%d, password: secret-of-%d, md5: %v}\n", fmt.Sprint(n), n, n, n < 204)
	}
	text += "agents:\n"
	for n := 201; n <= 206; n++ {
		text += fmt.Sprintf("  - {id: a%[1]d, name: A%[1]d, extension: \"%[1]d\", phones: [\"%[1]d\"]}\n", n)
	}
	text += "queues:\n  - {id: sales, name: sales, number: \"400\", agents: [a206], ring: 15s}\n"
	box, err := bench.Start(program, t.TempDir(), bench.OfficeOf(text, ports[0], ports[1]))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Stop(); err != nil {
			t.Errorf("prontod: %v", err)
		}
		if t.Failed() {
			t.Log(strings.Join(box.Complaints(), "\n"))
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return box
}

// users are the phones from and to, with the passwords of the box.
func users(from, to int) string {
	var all []string
	for n := from; n <= to; n++ {
		all = append(all, fmt.Sprintf("%d:secret-of-%d", n, n))
	}
	return strings.Join(all, ",")
}

// parsed reads arguments as the command does.
func parsed(t *testing.T, args ...string) load.Config {
	t.Helper()
	cfg, err := load.Parse(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// ran does a run that can begin.
func ran(ctx context.Context, t *testing.T, args ...string) *load.Report {
	t.Helper()
	r, err := load.Run(ctx, parsed(t, args...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			var b strings.Builder
			_ = r.Text(&b)
			t.Log(b.String())
		}
	})
	return r
}

// left checks that nothing of a run is left at the box: no call, and nobody who is registered.
func left(t *testing.T, box *bench.Box) {
	t.Helper()
	wrong := ""
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		now, err := box.Now()
		if err != nil {
			t.Fatal(err)
		}
		wrong = ""
		for id, d := range now.Devices {
			if d.Reachable {
				wrong = fmt.Sprintf("phone %s is still registered", id)
			}
		}
		if len(now.Calls) > 0 {
			wrong = fmt.Sprintf("%d calls are still up", len(now.Calls))
		}
		if wrong == "" {
			return
		}
	}
	t.Error(wrong)
}

// heardBothWays checks that each packet of both ways was accounted for.
func heardBothWays(t *testing.T, r *load.Report, calls int, each time.Duration) {
	t.Helper()
	if len(r.Directions) != 2 {
		t.Fatalf("ways %+v", r.Directions)
	}
	for _, d := range r.Directions {
		least := calls * int(each/(20*time.Millisecond)) * 9 / 10
		if !d.Measured || d.Streams != calls || d.Unheard != 0 || d.Lost != 0 || d.Sent != d.Received || d.Received < least || d.Delay.N != d.Received || d.Delay.Max <= 0 {
			t.Errorf("%s: %+v; want %d streams with at least %d packets, all heard", d.Name, d, calls, least)
		}
	}
}

func TestCallsThroughProntoAreMeasuredBothWaysAndNothingIsLeft(t *testing.T) {
	box := opened(t)
	for _, transport := range []string{"udp", "tcp"} {
		for _, codec := range []string{"pcma", "pcmu", "g722"} {
			t.Run(transport+" "+codec, func(t *testing.T) {
				r := ran(t.Context(), t, "-server", box.SIP.String(), "-users", users(201, 206), "-call", "pairs", "-calls", "6", "-rate", "20/s",
					"-for", "1s", "-transport", transport, "-codec", codec, "-bind", phoneIPs, "-pid", fmt.Sprint(box.Pid()), "-max-failed", "0", "-max-lost", "0")
				if !r.Kept() || r.Tried != 6 || r.Answered != 6 || r.Reached != 6 || r.Failed != 0 || r.ToAnswer.N != 6 || r.ToRing.N != 6 || r.ToEnd.N != 6 {
					t.Errorf("report %+v", r)
				}
				heardBothWays(t, r, 6, time.Second)
				if c := r.Cost; c == nil || c.Error != "" || c.CPU <= 0 || c.PerCallSec <= 0 || c.RSSMost < 5 || r.CallSecs < 6 {
					t.Errorf("cost %+v in %.1f call-seconds", c, r.CallSecs)
				}
				if r.Generator.CPU <= 0 || r.Generator.Share <= 0 || r.Generator.MachineBusy <= 0 {
					t.Errorf("the generator's own share %+v", r.Generator)
				}
				left(t, box)
			})
		}
	}
}

func TestANumberThatTheServerRefusesIsCountedByItsStatus(t *testing.T) {
	box := opened(t)
	r := ran(t.Context(), t, "-server", box.SIP.String(), "-users", users(201, 202), "-call", "299,202", "-calls", "4", "-rate", "50/s", "-for", "200ms", "-bind", phoneIPs, "-max-failed", "1")
	if r.Answered != 2 || len(r.Refused) != 1 || r.Refused["404 Not Found"] != 2 || r.Failed != 2 {
		t.Errorf("report %+v", r)
	}
	if r.Kept() || !slices.Equal(r.Missed, []string{"-max-failed 1: 2 of 4 calls failed"}) {
		t.Errorf("kept %v, missed %q", r.Kept(), r.Missed)
	}
	left(t, box)
}

func TestAnInterruptEndsAllCallsInOrderAndReportsThem(t *testing.T) {
	box := opened(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	go func() {
		defer interrupt()
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if now, err := box.Now(); err == nil && len(now.Calls) >= 3 {
				return
			}
		}
	}()
	r := ran(ctx, t, "-server", box.SIP.String(), "-users", users(201, 206), "-call", "pairs", "-calls", "1000", "-rate", "10/s", "-for", "1h", "-bind", phoneIPs)
	if r.Stopped != "interrupted" || r.Kept() || r.Answered < 2 || r.Tried > 900 || r.Open != 0 || r.ToEnd.N < r.Answered-r.Cancelled {
		t.Errorf("report %+v", r)
	}
	left(t, box)
}

func TestAServerThatDiesInTheMiddleEndsTheRunWithAReport(t *testing.T) {
	box := opened(t)
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			dying := box
			if transport == "tcp" {
				dying = opened(t)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
					if now, err := dying.Now(); err == nil && len(now.Calls) >= 6 {
						break
					}
				}
				dying.Kill()
			}()
			r := ran(t.Context(), t, "-server", dying.SIP.String(), "-users", users(201, 206), "-call", "pairs", "-calls", "1000", "-rate", "20/s", "-for", "3s", "-transport", transport,
				"-bind", phoneIPs, "-max-lost", "1%", "-pid", fmt.Sprint(dying.Pid()))
			<-done
			if r.Stopped != "the server does not answer any more" || r.Kept() || r.Answered < 3 || r.Tried > 900 || r.Open+r.Cut == 0 {
				t.Errorf("report %+v", r)
			}
			if r.Cost == nil || !strings.HasPrefix(r.Cost.Error, "not measured: ") {
				t.Errorf("the cost of a process that is gone: %+v", r.Cost)
			}
			// Over UDP people go on talking to nobody; over TCP the calls end with the connection.
			if transport == "udp" && (len(r.Missed) == 0 || !strings.HasPrefix(r.Missed[0], "-max-lost 1 %: ")) {
				t.Errorf("of the audio that nobody took %q", r.Missed)
			}
		})
	}
}

// The queue answers and plays its own music: nothing of what was sent comes back, and no bar on it can be kept.
func TestAudioOfTheServersOwnIsToldAsNotMeasured(t *testing.T) {
	box := opened(t)
	r := ran(t.Context(), t, "-server", box.SIP.String(), "-users", users(201, 202), "-call", "400", "-calls", "2", "-rate", "20/s", "-for", "1s", "-bind", phoneIPs, "-max-lost", "1%")
	if r.Answered != 2 || r.Failed != 0 || len(r.Directions) != 2 {
		t.Fatalf("report %+v", r)
	}
	for _, d := range r.Directions {
		if d.Measured || d.Why == "" || d.Lost != 0 {
			t.Errorf("way %+v", d)
		}
	}
	if back := r.Directions[1]; back.Strangers < 50 || !strings.HasSuffix(back.Why, "hold nothing of what was sent: the server decodes, or speaks itself") {
		t.Errorf("what the server said: %+v", back)
	}
	if r.Kept() || !slices.Contains(r.Missed, "-max-lost, -max-delay: no audio was measured") {
		t.Errorf("kept %v, missed %q", r.Kept(), r.Missed)
	}
	left(t, box)
}

func TestAReportIsReadByProgramsToo(t *testing.T) {
	box := opened(t)
	r := ran(t.Context(), t, "-server", box.SIP.String(), "-users", users(201, 202), "-call", "202", "-calls", "1", "-for", "200ms", "-bind", phoneIPs)
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var told struct {
		Answered   int
		Directions []struct {
			Name     string
			Measured bool
			Lost     int
			Delay    struct {
				P99 float64 `json:"p99_ms"`
			}
		}
	}
	if err := json.Unmarshal(text, &told); err != nil || told.Answered != 1 || len(told.Directions) != 2 || told.Directions[0].Name != "caller to called" || !told.Directions[0].Measured || told.Directions[0].Delay.P99 <= 0 {
		t.Errorf("%v: %s", err, text)
	}
}
