package pbxtest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/store"
)

// Bench holds what all offices of one test process share. Make one in TestMain.
type Bench struct {
	bin     string
	offices atomic.Int32
}

// NewBench builds the programs into a directory that Close removes: with the race detector if the test has it.
func NewBench(programs ...string) (*Bench, error) {
	dir, err := os.MkdirTemp("", "pronto-bin")
	if err != nil {
		return nil, err
	}
	args := []string{"build", "-o", dir + "/"}
	if raced {
		args = append(args, "-race")
	}
	args = append(args, programs...)
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return &Bench{bin: dir}, nil
}

// BenchAt finds the programs in a directory that another process has made, and removes.
func BenchAt(dir string) *Bench { return &Bench{bin: dir} }

// Close removes the programs.
func (b *Bench) Close() error { return os.RemoveAll(b.bin) }

// Programs is the directory of the programs that were built.
func (b *Bench) Programs() string { return b.bin }

// Setup describes an office. Phones and agents are numbered from 201; phone N has the password
// Password(N); each agent has one phone, a lamp, and the queue "sales", number 400.
type Setup struct {
	New        bool           // as out of its carton: nobody, no queue and no line; only Page and Extra count beside it
	Agents     int            // with a phone each
	LoggedIn   int            // the first so many agents are at work
	WrapUp     time.Duration  // of the queue
	Ring       time.Duration  // of the queue; default 15 s
	Strategy   string         // of the queue; default longest_idle
	Carrier    uint16         // port of the carrier's host that trunk "carrier" calls; 0: no trunk
	Spare      uint16         // port of the carrier's second server; 0: it has one
	Registers  bool           // the trunk logs in as DID with CarrierPassword; otherwise it is known by its address
	Challenge  bool           // the trunk knows DID and CarrierPassword without logging in
	TLS        bool           // SIP over TLS is open too, with the box's own certificate
	Page       netip.Addr     // where the page is served, over HTTPS too; default 127.0.0.1, without HTTPS
	IPv6       bool           // the box listens on every address of both families
	Home       []int          // phones that may log in from outside the LAN
	Modem      bool           // line "gsm0" on ports "modem0-at" and "modem0-pcm" of Dir
	Analog     bool           // line "fxo0" on port "modem1-fxo" of Dir
	SHA256     bool           // phones may not use MD5
	SRTP       []string       // off, optional or required for the phones from 201 on; default optional
	Dial       map[int]string // what the person of a phone may call, separated by commas; default the box's own choice
	LAN        string         // networks that count as the LAN, separated by commas; default the box's own choice
	Calls      map[int]string // fields of the "calls" of a phone's person, such as "pickup: front, office: true"
	Work       map[int]string // fields of the "work" of a phone's person, such as "login_pin: true"
	Skills     map[int]string // of a phone's person, such as "english: 7"
	Supervises map[int]string // whom the person of a phone supervises, separated by commas, such as "queue:sales"; default nobody
	Browser    []int          // phones whose person may telephone with the page, too
	Queue      string         // further fields of the queue, such as "missed: {after: 2}"
	Apart      []int          // phones whose agents do not serve that queue
	Queues     []string       // further queues, such as "{id: help, name: Help, number: \"401\", agents: [agent202]}"
	In         string         // where the carrier's and the modem's calls go; default queue:sales
	Numbers    string         // further called numbers of the carrier, such as "+390612345679: \"menu:day\""
	// EmergencyTest is where 112 leads instead of outside.
	EmergencyTest string
	Routes        string        // further routes, such as "{prefix: \"+\", via: [\"trunk:carrier\"]}"
	Extra         string        // further parts of the file, such as "groups: [...]"
	Programs      string        // the directory of the programs; default the bench's
	LongestPause  time.Duration // before the supervisor restarts a program; default its own choice
	// Before sees the directory of the state before anything runs.
	Before func(dir string)
	// After sees it when nothing runs any more.
	After func(dir string)
}

// Password is the password of a phone.
func Password(phone int) string { return fmt.Sprintf("e2e-password-%d", phone) }

// DID is the number of the carrier's customer; calls to it reach the queue.
const DID = "+390612345678"

// CarrierPassword is the office's at the carrier.
const CarrierPassword = "carrier-password"

// Office is a running office.
type Office struct {
	t            testing.TB
	Dir          string         // of its state
	SIP          netip.AddrPort // of the box
	TLS          netip.AddrPort // of the box, for SIP over TLS
	Web          string         // host:port of the page
	WebTLS       string         // host:port of the page over HTTPS; empty: nowhere
	Carrier      netip.Addr     // what comes from this address is the carrier's
	CarrierPort  uint16
	MediaLo      uint16 // first port of the box's audio
	MediaHi      uint16
	MediaBrowser uint16 // of the audio of browsers
	Records      *store.Client
	Cells        bool // its programs are not root: Setup.Programs starts them as it likes
	cmd          *exec.Cmd
	ended        chan struct{} // closed at the end of the supervisor
	result       error         // of the supervisor; read after ended
}

// Start runs an office under its supervisor and waits until it answers. It ends with the test.
func (b *Bench) Start(t testing.TB, s Setup) *Office {
	t.Helper()
	dir, err := os.MkdirTemp("", "pbx") // short: the path of a unix socket has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	n := int(b.offices.Add(1)) + os.Getpid()
	// The carrier's address is one of the whole loopback network.
	o := &Office{t: t, Dir: dir, ended: make(chan struct{}), MediaLo: claimed(t, mediaLo, mediaHi, mediaPorts), MediaBrowser: FreePort(t), Carrier: netip.AddrFrom4([4]byte{127, 77, byte(n >> 8), byte(n)}), CarrierPort: s.Carrier, Cells: s.Programs != ""}
	o.MediaHi = o.MediaLo + mediaPorts - 1
	o.SIP = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), FreePort(t))
	if s.New && s.Page.IsValid() { // its telephones are where its page is
		o.SIP = netip.AddrPortFrom(s.Page, o.SIP.Port())
	}
	web := strconv.Itoa(int(FreePort(t)))
	o.Web = net.JoinHostPort("127.0.0.1", web)
	if s.Page.IsValid() {
		o.Web, o.WebTLS = net.JoinHostPort(s.Page.String(), web), net.JoinHostPort(s.Page.String(), strconv.Itoa(int(FreePort(t))))
	}
	o.TLS = netip.AddrPortFrom(o.SIP.Addr(), FreePort(t))
	file := filepath.Join(dir, "pronto.yaml")
	if err := os.WriteFile(file, []byte(o.config(s)), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.Before != nil {
		s.Before(dir)
	}
	o.Records = store.NewClient(filepath.Join(dir, "run", "records.sock"))
	bin := cmp.Or(s.Programs, b.bin)
	args := []string{"office", "-bin", bin, "-var", dir, "-config", file, "-no-lab", "-quiet"}
	if s.LongestPause > 0 { // which v0.1.0 does not know
		args = append(args, "-longest-pause", s.LongestPause.String())
	}
	o.cmd = exec.Command(filepath.Join(bin, "prontoctl"), args...)
	var out bytes.Buffer
	o.cmd.Stdout, o.cmd.Stderr = &out, &out
	// Should this process be killed, the supervisor goes with it, and with the supervisor its services.
	o.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		o.result = o.cmd.Wait()
		close(o.ended)
	}()
	t.Cleanup(func() { o.stop(&out, s.After) })
	o.await("the box to be fit", 20*time.Second, o.Healthy)
	return o
}

// stop ends the office and checks that nothing is left of it.
func (o *Office) stop(out *bytes.Buffer, after func(dir string)) {
	_ = o.Records.Close()
	pids := o.pids()
	if err := o.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		o.t.Errorf("the office had ended by itself: %v", err)
	}
	select {
	case <-o.ended:
	case <-time.After(20 * time.Second):
		o.t.Error("the office does not end in 20 s")
		_ = syscall.Kill(-o.cmd.Process.Pid, syscall.SIGKILL)
		<-o.ended
	}
	if o.result != nil {
		o.t.Errorf("office: %v\n%s", o.result, out)
	}
	for name, pid := range pids {
		if pid > 1 && syscall.Kill(pid, 0) == nil {
			o.t.Errorf("%s (%d) outlives the office", name, pid)
		}
	}
	o.checkLog()
	if after != nil {
		after(o.Dir)
	}
	if err := os.RemoveAll(o.Dir); err != nil {
		o.t.Error(err)
	}
}

// checkLog fails the test for a panic and for what the race detector has found, if the programs have one, and shows the
// log of a test that failed.
func (o *Office) checkLog() {
	text := o.Log()
	if strings.Contains(text, "panic") {
		o.t.Errorf("the log speaks of a panic")
	}
	if at := strings.Index(text, "WARNING: DATA RACE"); at >= 0 {
		o.t.Errorf("the race detector has found something:\n%s", text[at:min(len(text), at+8000)])
	}
	if o.t.Failed() {
		lines := strings.Split(text, "\n")
		o.t.Logf("the end of the office's log:\n%s", strings.Join(lines[max(0, len(lines)-80):], "\n"))
	}
}

// Certificate is the file with which the box proves itself over TLS.
func (o *Office) Certificate() string { return filepath.Join(o.Dir, "tls", "cert.pem") }

// Log is all that the services wrote.
func (o *Office) Log() string {
	text, err := os.ReadFile(filepath.Join(o.Dir, "office.log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Healthy reports whether the box says that it can take a call.
func (o *Office) Healthy() bool {
	client := http.Client{Timeout: time.Second}
	res, err := client.Get("http://" + o.Web + "/healthz")
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// await polls for what has no event outside the box.
func (o *Office) await(what string, limit time.Duration, is func() bool) {
	o.t.Helper()
	for deadline := time.Now().Add(limit); !is(); time.Sleep(10 * time.Millisecond) {
		select {
		case <-o.ended:
			o.t.Fatalf("the office ended while the test waited for %s", what)
		default:
		}
		if time.Now().After(deadline) {
			o.t.Fatalf("waited %v in vain for %s", limit, what)
		}
	}
}

func (o *Office) pids() map[string]int {
	all := map[string]int{}
	text, err := os.ReadFile(filepath.Join(o.Dir, "run", "office.pid"))
	if err != nil {
		return all
	}
	for line := range strings.Lines(string(text)) {
		if name, pid, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			all[name], _ = strconv.Atoi(pid)
		}
	}
	return all
}

// Kill ends prontod with SIGKILL and returns when the supervisor has started the next one.
func (o *Office) Kill() { o.t.Helper(); o.again(syscall.SIGKILL) }

// Killer returns what ends this prontod with SIGKILL at once, from any goroutine and without waiting for the next one.
func (o *Office) Killer() (kill func()) {
	o.t.Helper()
	pid := o.prontod()
	return func() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			o.t.Errorf("prontod is not killed: %v", err)
		}
	}
}

// DieAt has a prontod that was built with the tag failpoint die right after so many more writes of its hot journal,
// before anything follows from the last of them. It returns when prontod counts; wait sees to the end: after limit
// prontod is killed from outside, and died is false. It returns when the supervisor has started the next one.
func (o *Office) DieAt(writes int) (wait func(limit time.Duration) (died bool)) {
	o.t.Helper()
	return o.dies(writes)
}

// DieBefore is DieAt for a prontod that dies in place of the last of the writes, with all said and done that comes
// before it.
func (o *Office) DieBefore(writes int) (wait func(limit time.Duration) (died bool)) {
	o.t.Helper()
	return o.dies(-writes)
}

func (o *Office) dies(writes int) (wait func(limit time.Duration) (died bool)) {
	o.t.Helper()
	before := o.prontod()
	path := filepath.Join(o.Dir, "run", "failpoint")
	if err := os.WriteFile(path, []byte(strconv.Itoa(writes)), 0o600); err != nil {
		o.t.Fatal(err)
	}
	if err := syscall.Kill(before, syscall.SIGUSR1); err != nil {
		o.t.Fatal(err)
	}
	o.await("prontod to count its writes", patience, func() bool { _, err := os.Stat(path); return errors.Is(err, fs.ErrNotExist) })
	return func(limit time.Duration) (died bool) {
		o.t.Helper()
		for deadline := time.Now().Add(limit); !died && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			died = errors.Is(syscall.Kill(before, 0), syscall.ESRCH)
		}
		if !died {
			if err := syscall.Kill(before, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				o.t.Fatal(err)
			}
		}
		o.startedAgain("prontod", before)
		return died
	}
}

// Restart ends prontod with SIGTERM, which also ends the calls; the supervisor starts the next one.
func (o *Office) Restart() { o.t.Helper(); o.again(syscall.SIGTERM) }

// HandOver lets prontod leave its calls to the next process, as an update does.
func (o *Office) HandOver() { o.t.Helper(); o.again(syscall.SIGUSR2) }

// KillNeighbour ends another program than prontod with SIGKILL and returns when the next one has been started.
func (o *Office) KillNeighbour(name string) { o.t.Helper(); o.restarts(name, syscall.SIGKILL) }

func (o *Office) again(s syscall.Signal) { o.t.Helper(); o.restarts("prontod", s) }

func (o *Office) restarts(name string, s syscall.Signal) {
	o.t.Helper()
	before := o.PID(name)
	if err := syscall.Kill(before, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		o.t.Fatal(err)
	}
	o.startedAgain(name, before)
}

func (o *Office) startedAgain(name string, before int) {
	o.t.Helper()
	o.await(name+" to be started again", 20*time.Second, func() bool { p := o.pids()[name]; return p > 1 && p != before })
}

// Tool finds a program, or leaves the test out with the reason; in CI a missing one is a failure.
func Tool(t testing.TB, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed (apt install %s)", name, pkg)
	}
	t.Skipf("left out: %s is not installed (apt install %s)", name, pkg)
	return ""
}

func (o *Office) prontod() int { o.t.Helper(); return o.PID("prontod") }

// PID is the process number of a program, which the office writes down a moment after the start.
func (o *Office) PID(name string) (pid int) {
	o.t.Helper()
	o.await(name+"'s process number", patience, func() bool { pid = o.pids()[name]; return pid > 1 })
	return pid
}

// CPU is the processor time that prontod has used, in user and kernel mode, to 10 ms.
func (o *Office) CPU() time.Duration {
	o.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", o.prontod()))
	if err != nil {
		o.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ") // the name before may hold spaces
	fields := strings.Fields(after)
	var ticks time.Duration
	for _, f := range fields[11:13] { // utime and stime, see proc(5)
		n, err := strconv.Atoi(f)
		if err != nil {
			o.t.Fatal(err)
		}
		ticks += time.Duration(n)
	}
	return ticks * time.Second / 100 // USER_HZ
}

// Resident is the memory of prontod that is in RAM now, in bytes.
func (o *Office) Resident() int64 {
	o.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", o.prontod()))
	if err != nil {
		o.t.Fatal(err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		o.t.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}

// Grant leaves prontod, until it is started again, no more of a resource than n: unix.RLIMIT_NOFILE counts descriptors,
// unix.RLIMIT_DATA bytes of memory that is its own.
func (o *Office) Grant(resource int, n uint64) {
	o.t.Helper()
	if err := unix.Prlimit(o.prontod(), resource, &unix.Rlimit{Cur: n, Max: n}, nil); err != nil {
		o.t.Fatal(err)
	}
}

// Status is a field of prontod's /proc/PID/status in kB, such as VmHWM, the most that was ever in RAM, or VmData, the
// memory that is its own (proc_pid_status(5)).
func (o *Office) Status(field string) int64 {
	o.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.prontod()))
	if err != nil {
		o.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				o.t.Fatal(err)
			}
			return n
		}
	}
	o.t.Fatalf("no %s in %s", field, text)
	return 0
}

// Descriptors counts what prontod has open.
func (o *Office) Descriptors() int {
	o.t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", o.prontod()))
	if err != nil {
		o.t.Fatal(err)
	}
	return len(all)
}

// Says waits until the log holds a sentence.
func (o *Office) Says(text string) {
	o.t.Helper()
	o.await("the log to say "+strconv.Quote(text), patience, func() bool { return strings.Contains(o.Log(), text) })
}
