package supervise

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func service(role string) Service {
	return Service{Name: role, Path: os.Args[0], Env: append(os.Environ(), roleEnv+"="+role), Notify: true, KeepFDs: 100}
}

// watched is a supervisor under test.
type watched struct {
	*Supervisor
	t    *testing.T
	stop func()
}

func supervised(t *testing.T, opts Options, services ...Service) *watched {
	t.Helper()
	opts.Log = quiet
	s, err := New(services, opts)
	if err != nil {
		t.Fatal(err)
	}
	return watch(t, s)
}

// watch runs a supervisor until the end of the test.
func watch(t *testing.T, s *Supervisor) *watched {
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	w := &watched{Supervisor: s, t: t, stop: func() { cancel(); done.Wait() }}
	t.Cleanup(w.stop)
	return w
}

// until waits for the first service to satisfy ok.
func (w *watched) until(what string, ok func(ServiceStatus) bool) ServiceStatus {
	w.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if st := w.Status()[0]; ok(st) {
			return st
		}
	}
	w.t.Fatalf("never %s: %+v\n%s", what, w.Status()[0], strings.Join(w.Lines(w.Status()[0].Name), "\n"))
	return ServiceStatus{}
}

func running(st ServiceStatus) bool { return st.State == Running }

// said returns what follows word in the service's output, which is read beside what it tells us.
func (w *watched) said(word string) string {
	w.t.Helper()
	name := w.Status()[0].Name
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		for _, line := range w.Lines(name) {
			if rest, ok := strings.CutPrefix(line, word+" "); ok {
				return rest
			}
		}
	}
	w.t.Fatalf("service never said %q: %q", word, w.Lines(name))
	return ""
}

func TestSocketsOutliveKill9AndTheServiceIsBackWithinASecond(t *testing.T) {
	w := supervised(t, Options{MinDelay: 10 * time.Millisecond, Stable: time.Millisecond}, service("sockets"))
	w.until("running", running)
	udp, err := net.Dial("udp4", w.said("udp"))
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	tcp, err := net.Dial("tcp4", w.said("tcp"))
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	lines := bufio.NewReader(tcp)
	asked := 0
	ask := func() (pidUDP, pidTCP int) {
		asked++
		buf := make([]byte, 100)
		fmt.Fprintf(udp, "u%d", asked)
		fmt.Fprintf(tcp, "t%d\n", asked)
		deadline := time.Now().Add(10 * time.Second)
		_, _ = udp.SetReadDeadline(deadline), tcp.SetReadDeadline(deadline)
		n, err := udp.Read(buf)
		if err != nil {
			t.Fatalf("udp: %v", err)
		}
		answer, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("established tcp: %v", err)
		}
		var gotU, gotT string
		_, _ = fmt.Sscan(string(buf[:n]), &pidUDP, &gotU)
		_, _ = fmt.Sscan(answer, &pidTCP, &gotT)
		if gotU != fmt.Sprintf("u%d", asked) || gotT != fmt.Sprintf("t%d", asked) {
			t.Fatalf("question %d: answers %q and %q", asked, buf[:n], answer)
		}
		return pidUDP, pidTCP
	}
	first, _ := ask()
	quickest := time.Hour // how long one round takes is the machine's affair; no delay of ours is in all of them
	for round := range 5 {
		before := w.until("running", running)
		start := time.Now()
		if err := unix.Kill(before.PID, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		// Asked while nobody is there: the kept socket holds the datagram until the next one reads it.
		u, c := ask()
		quickest = min(quickest, time.Since(start))
		if u == before.PID || c == before.PID {
			t.Fatalf("round %d: answered by the killed process", round)
		}
		// A new connection to the same address works too.
		other, err := net.Dial("tcp4", w.said("tcp"))
		if err != nil {
			t.Fatalf("round %d: listener is gone: %v", round, err)
		}
		_ = other.Close()
	}
	if quickest > time.Second {
		t.Errorf("back after %v at best", quickest)
	}
	if u, _ := ask(); u == first {
		t.Fatal("still the first process")
	}
	if st := w.until("running", running); st.Restarts != 5 || st.LastExit != "signal: killed" {
		t.Fatalf("status %+v", st)
	}
}

func TestTheKeeperKeepsNoMoreThanItsBoundAndForgetsOnRequest(t *testing.T) {
	s := service("hoarder")
	s.KeepFDs = 4
	w := supervised(t, Options{}, s)
	w.until("down to three sockets", func(st ServiceStatus) bool { return running(st) && st.Kept == 3 })
}

// The test binary lies where only we may enter: the service is a copy of it elsewhere.
func TestAServiceOfAnotherUserHasItsGroupsAndIsHeard(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("only root can give users to programs")
		}
		t.Skip("left out: only root can give users to programs")
	}
	dir, err := os.MkdirTemp("", "service-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "service")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, program, 0o755)); err != nil {
		t.Fatal(err)
	}
	s := service("who")
	s.Path, s.Dir, s.User = path, dir, &User{UID: 901, GID: 902, Groups: []uint32{910, 911}}
	w := supervised(t, Options{}, s)
	if st := w.until("running", running); st.Says != "heard" {
		t.Errorf("status %+v", st)
	}
	if who := w.said("who"); who != "901 902 [910 911]" {
		t.Errorf("it runs as %s", who)
	}
}

func TestANotificationFromAnotherProcessIsIgnored(t *testing.T) {
	w := supervised(t, Options{}, service("impostor"))
	if st := w.until("running", running); st.Says != "" {
		t.Fatalf("believed a stranger: %q", st.Says)
	}
}

// afterReady is a log in which "service started" takes until the service has said that it is ready.
type afterReady struct {
	slog.Handler
	heard func() bool
}

func (a *afterReady) WithAttrs([]slog.Attr) slog.Handler { return a }

func (a *afterReady) Handle(_ context.Context, r slog.Record) error {
	for end := time.Now().Add(15 * time.Second); r.Message == "service started" && !a.heard() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	return nil
}

func TestAServiceThatIsReadyBeforeWeHaveLookedUpIsBelieved(t *testing.T) {
	var s *Supervisor
	s, err := New([]Service{service("mute")}, Options{
		Log: slog.New(&afterReady{quiet.Handler(), func() bool { return len(s.units[0].readied) == 1 }}), StartTimeout: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	watch(t, s).until("running", running)
}

func TestACrashLoopIsSlowedDownAndHeldUnderControl(t *testing.T) {
	s := service("crash")
	s.Notify = false
	w := supervised(t, Options{MinDelay: 20 * time.Millisecond, MaxDelay: 300 * time.Millisecond}, s)
	w.until("restarted four times", func(st ServiceStatus) bool { return st.Restarts >= 4 })
	// 20+40+80+160 ms are over; from here on each try is at least 300 ms after the last.
	began, before := time.Now(), w.Status()[0].Restarts
	w.until("restarted three times more", func(st ServiceStatus) bool { return st.Restarts >= before+3 })
	if took := time.Since(began); took < 600*time.Millisecond {
		t.Fatalf("three restarts in %v of a crash loop with 300 ms delay", took)
	}
	if st := w.Status()[0]; st.LastExit != "exit status 1" {
		t.Fatalf("status %+v", st)
	}
}

func TestWhatAServiceNeedsIsMadeReadyBeforeEachStart(t *testing.T) {
	var asked atomic.Int64
	s := service("crash")
	s.Notify, s.Before = false, func() { asked.Add(1) }
	w := supervised(t, Options{MinDelay: time.Millisecond, MaxDelay: 5 * time.Millisecond}, s)
	w.until("restarted three times", func(st ServiceStatus) bool { return st.Restarts >= 3 })
	w.stop()
	if starts := int64(w.Status()[0].Restarts) + 1; asked.Load() != starts {
		t.Errorf("asked %d times before %d starts", asked.Load(), starts)
	}
}

func TestExitCode125EndsAServiceForGoodAndTheOthersGoOn(t *testing.T) {
	w := supervised(t, Options{MinDelay: time.Millisecond}, service("refuse"), service("lively"))
	st := w.until("finished", func(st ServiceStatus) bool { return st.State == Finished })
	if st.Restarts != 0 || st.PID != 0 || st.LastExit != "exit status 125" {
		t.Fatalf("status %+v", st)
	}
	for end := time.Now().Add(15 * time.Second); w.Status()[1].State != Running; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("second service: %+v", w.Status()[1])
		}
	}
	if again := w.Status()[0]; again.State != Finished {
		t.Fatalf("status %+v", again)
	}
}

func TestASilentServiceIsKilledAndALivelyOneIsNot(t *testing.T) {
	mute, lively := service("mute"), service("lively")
	mute.Watchdog, lively.Watchdog = 300*time.Millisecond, 2*time.Second
	w := supervised(t, Options{MinDelay: 10 * time.Millisecond, Stable: time.Millisecond}, mute, lively)
	st := w.until("killed by the watchdog", func(st ServiceStatus) bool { return st.Restarts >= 8 }) // which takes longer than the lively one may be silent
	if st.LastExit == "" || st.LastExit == "signal: killed" {
		t.Fatalf("want the stacks of SIGABRT, got %q", st.LastExit)
	}
	if !strings.Contains(strings.Join(w.Lines("mute"), "\n"), "goroutine ") {
		t.Error("the stacks of the hanging service are not in its lines")
	}
	if other := w.Status()[1]; other.Restarts != 0 || other.State != Running {
		t.Fatalf("the lively service: %+v", other)
	}
}

func TestTheLastHundredLinesAreKeptAndAllArePassedOnWithTheName(t *testing.T) {
	var out syncBuffer
	w := supervised(t, Options{Output: &out}, service("talk"))
	st := w.until("running", running)
	if st.Says != "said it all" {
		t.Errorf("status line %q", st.Says)
	}
	w.stop()
	lines := w.Lines("talk")
	if len(lines) != 100 || lines[99] != strings.Repeat("x", maxLine) || lines[96] != "line 149" || lines[0] != "line 53" {
		t.Errorf("%d lines, from %.20q to %.20q", len(lines), lines[0], lines[len(lines)-1])
	}
	all := out.String()
	for n := range 150 {
		if !strings.Contains(all, fmt.Sprintf("talk: line %d\n", n)) {
			t.Fatalf("line %d was not passed on", n)
		}
	}
	if w.Lines("nobody") != nil {
		t.Error("lines of a service that does not exist")
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// family starts a supervisor in a process of its own and returns the numbers of all below it.
func startFamily(t *testing.T) (kill func(unix.Signal), wait func() error, pids []int, output func() string) {
	t.Helper()
	cmd := again("supervisor")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(pipe)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal("supervisor said nothing of its services")
		}
		var a, b, c int
		if n, _ := fmt.Sscanf(line, "stubborn: pids %d %d %d", &a, &b, &c); n == 3 {
			pids = []int{a, b, c}
			break
		}
	}
	rest := ""
	var read sync.WaitGroup
	read.Go(func() { b, _ := io.ReadAll(lines); rest = string(b) })
	return func(s unix.Signal) { _ = unix.Kill(cmd.Process.Pid, s) },
		func() error { read.Wait(); return cmd.Wait() }, pids, func() string { return rest }
}

func TestCtrlCLeavesNoProcessBehind(t *testing.T) {
	kill, wait, pids, output := startFamily(t)
	start := time.Now()
	kill(unix.SIGINT)
	if err := wait(); err != nil {
		t.Fatalf("supervisor: %v\n%s", err, output())
	}
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("took %v", took)
	}
	if !strings.Contains(output(), "supervisor ended") {
		t.Errorf("no orderly end: %q", output())
	}
	for i, pid := range pids {
		if !gone(pid) {
			t.Errorf("process %d (%s) is still there", pid, []string{"service", "its child", "its child in another session"}[i])
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

func TestKill9OfTheSupervisorTakesItsServicesWithIt(t *testing.T) {
	kill, wait, pids, _ := startFamily(t)
	kill(unix.SIGKILL)
	defer func() {
		for _, pid := range pids[1:] { // not promised: what services start on their own
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		_ = wait()
	}()
	for end := time.Now().Add(10 * time.Second); !gone(pids[0]); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the service outlived its supervisor")
		}
	}
}

func TestServicesThatCannotRunAreRefusedInWords(t *testing.T) {
	for want, services := range map[string][]Service{
		`service name "a/b" is not a file name`: {{Name: "a/b", Path: "x"}},
		`service "a" is named twice`:            {{Name: "a", Path: "x"}, {Name: "a", Path: "x"}},
		`service "a" has no program`:            {{Name: "a"}},
	} {
		if _, err := New(services, Options{}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestAMissingProgramIsTriedAgainAndSaysWhy(t *testing.T) {
	w := supervised(t, Options{MinDelay: time.Millisecond}, Service{Name: "ghost", Path: "/nowhere/ghost"})
	st := w.until("tried again", func(st ServiceStatus) bool { return st.Restarts >= 2 })
	if !strings.Contains(st.LastExit, "no such file") {
		t.Fatalf("status %+v", st)
	}
}

func FuzzParseNotify(f *testing.F) {
	f.Add("READY=1\nSTATUS=fine\n")
	f.Add("FDSTORE=1\nFDNAME=sip-udp-127.0.0.1%3A5060\nFDPOLL=0")
	f.Add("=\n\n==\xff")
	f.Fuzz(func(t *testing.T, text string) {
		m := parseNotify(text)
		if m.ready && !strings.Contains(text, "READY=1") || m.store && !strings.Contains(text, "FDSTORE=1") {
			t.Fatalf("%q read as %+v", text, m)
		}
	})
}

// gathered is an output that a test waits for.
type gathered struct {
	mu   sync.Mutex
	text strings.Builder
}

func (g *gathered) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.Write(b)
}

func (g *gathered) count(line string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Count(g.text.String(), line)
}

func TestWhatAKilledServiceLeavesIsPutOutUnlessItIsBackAtOnce(t *testing.T) {
	shell := func(script string) Service {
		return Service{Name: "shell", Path: "/bin/sh", Args: []string{"-c", script}, After: []string{"-c", "echo it is put out"}, Env: os.Environ(), Grace: 50 * time.Millisecond}
	}
	const putOut = "shell: it is put out\n"
	for name, c := range map[string]struct {
		service Service
		delay   time.Duration // before the first restart
		until   func(ServiceStatus) bool
		want    int
	}{
		"it waits for its next start":  {shell("kill -9 $$"), time.Hour, func(st ServiceStatus) bool { return st.State == Waiting }, 1},
		"it is not to be started":      {shell("exit 125"), time.Hour, func(st ServiceStatus) bool { return st.State == Finished }, 1},
		"it is started again at once":  {shell("kill -9 $$"), time.Millisecond, func(st ServiceStatus) bool { return st.Restarts == 3 }, 0},
		"it does not end when asked":   {shell("trap '' TERM; echo up; while :; do sleep 1; done"), time.Hour, nil, 1},
		"it puts its lamps out itself": {shell("trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done"), time.Hour, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			said := &gathered{}
			w := supervised(t, Options{Output: said, MinDelay: c.delay}, c.service)
			if c.until == nil {
				w.until("up", func(ServiceStatus) bool { return said.count("shell: up\n") > 0 })
				w.stop()
			} else {
				w.until("there", c.until)
			}
			if c.want > 0 {
				w.until("put out", func(ServiceStatus) bool { return said.count(putOut) == c.want })
			}
			// A stop would meet one that is just killing itself, and rightly put out what that leaves.
			if n := said.count(putOut); n != c.want {
				t.Errorf("put out %d times, want %d", n, c.want)
			}
		})
	}
}
