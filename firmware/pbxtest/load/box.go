package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/process"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Box is a running prontod: a child process with its state in one directory.
type Box struct {
	SIP netip.AddrPort
	Web netip.AddrPort
	Dir string

	cmd    *exec.Cmd
	log    *os.File
	exited chan struct{} // closed once the process is gone
	once   sync.Once
	err    error
	dumped bool
}

// Build compiles prontod into dir and returns the path of the program.
func Build(dir string) (string, error) {
	program := filepath.Join(dir, "prontod")
	cmd := exec.Command("go", "build", "-o", program, "github.com/pronto-pbx/pronto/cmd/prontod")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build prontod: %w\n%s", err, out)
	}
	return program, nil
}

// Start runs program with a configuration and waits until it is fit to serve. The state, and the
// log, go to dir.
func Start(program, dir string, o Office) (*Box, error) {
	b := &Box{SIP: o.SIP, Web: o.Web, Dir: dir, exited: make(chan struct{})}
	file := filepath.Join(dir, "pronto.yaml")
	if err := os.WriteFile(file, []byte(o.text), 0o600); err != nil {
		return nil, err
	}
	var err error
	if b.log, err = os.Create(filepath.Join(dir, "prontod.log")); err != nil {
		return nil, err
	}
	b.cmd = exec.Command(program, "-config", file, "-var", filepath.Join(dir, "var"), "-board", "sim")
	b.cmd.Stderr = b.log
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.cmd.Start(); err != nil {
		return nil, errors.Join(err, b.log.Close())
	}
	go func() {
		b.err = b.cmd.Wait()
		close(b.exited)
	}()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		select {
		case <-b.exited:
			return nil, fmt.Errorf("prontod ended at once: %w\n%s", b.err, b.Log())
		default:
		}
		res, err := http.Get(fmt.Sprintf("http://%s/healthz", b.Web))
		if err != nil {
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return b, nil
		}
	}
	return nil, errors.Join(errors.New("prontod does not become fit to serve:\n"+b.Log()), b.Stop())
}

// Stop ends the box as its supervisor would, and reports an exit code other than 0.
func (b *Box) Stop() error { return b.signal(syscall.SIGTERM) }

func (b *Box) signal(s syscall.Signal) error {
	b.once.Do(func() {
		_ = b.cmd.Process.Signal(s)
		select {
		case <-b.exited:
		case <-time.After(10 * time.Second):
			_ = b.cmd.Process.Kill()
			<-b.exited
			b.err = errors.Join(b.err, errors.New("prontod did not end in time"))
		}
		_ = b.log.Close()
	})
	return b.err
}

// Goroutines ends the box by SIGQUIT, which makes the Go runtime list every goroutine, and counts
// them.
func (b *Box) Goroutines() (int, error) {
	b.dumped = true
	_ = b.signal(syscall.SIGQUIT) // the exit code of a dump is 2
	n := len(regexp.MustCompile(`(?m)^goroutine \d+ .*\[`).FindAllString(b.Log(), -1))
	if n == 0 {
		return 0, errors.New("no goroutine in the dump")
	}
	return n, nil
}

// Dumped reports that Goroutines has ended the box.
func (b *Box) Dumped() bool { return b.dumped }

// Log is what the box has said so far.
func (b *Box) Log() string {
	text, err := os.ReadFile(filepath.Join(b.Dir, "prontod.log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Complaints are the lines of the log that warn of something.
func (b *Box) Complaints() (lines []string) {
	for line := range strings.Lines(b.Log()) {
		if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") || strings.Contains(line, "panic") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// Pid is the process of the box.
func (b *Box) Pid() int { return b.cmd.Process.Pid }

// Kill ends the box with SIGKILL, after which Stop reports nothing.
func (b *Box) Kill() {
	_ = b.signal(syscall.SIGKILL)
	b.err = nil
}

// CPU is the processor time that the box has used so far.
func (b *Box) CPU() (time.Duration, error) { return process.CPU(b.Pid()) }

// RSS is the resident memory of the box in bytes.
func (b *Box) RSS() (int64, error) { return process.RSS(b.Pid()) }

// Files counts the open descriptors of the box: each leg has two sockets.
func (b *Box) Files() (int, error) {
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", b.cmd.Process.Pid))
	return len(all), err
}

// Now is what holds at one moment, as prontod tells it.
type Now = control.Present

// Now asks the box.
func (b *Box) Now() (Now, error) {
	return control.Now(context.Background(), filepath.Join(b.Dir, "var"))
}

func decode[E any](body []byte) (e E, err error) {
	err = json.Unmarshal(body, &e)
	return e, err
}

// History is what the box has written down.
type History struct {
	Calls []tel.CallEnded
	Waits []tel.QueueLeft
	Bytes int64            // of all records, with their frames
	Kinds map[string]int64 // bytes by kind

	// Offered counts the callers who were offered to an agent, PassedOver names those who waited for
	// their first offer while somebody with a later place got one.
	Offered    int
	PassedOver []string

	waiting map[tel.CallID]time.Time // for the first offer, since
}

// recordFrame is how many bytes stand before kind and body in a record on disk.
const recordFrame = 64

// History reads the history journal while the box writes it.
func (b *Box) History() (History, error) {
	h := History{Kinds: map[string]int64{}, waiting: map[tel.CallID]time.Time{}}
	r := journal.NewReader(filepath.Join(b.Dir, "var", "history"))
	defer r.Close()
	err := r.Read(func(rec journal.Record) error {
		size := int64(recordFrame + len(rec.Kind) + len(rec.Key) + len(rec.Body))
		h.Bytes += size
		h.Kinds[rec.Kind] += size
		if rec.Kind == "acd_decision" {
			return h.decided(rec.Body)
		}
		e, err := cdr.Decode(rec.Kind, rec.Body)
		switch e := e.(type) {
		case tel.CallEnded:
			h.Calls = append(h.Calls, e)
		case tel.QueueLeft:
			h.Waits = append(h.Waits, e)
		}
		return err
	})
	if lost := r.Skipped(); len(lost) > 0 {
		err = errors.Join(err, fmt.Errorf("damaged records: %v", lost))
	}
	return h, err
}

// decided reads one decision of the queues and looks for a caller who was passed over.
func (h *History) decided(body []byte) error {
	var d struct {
		Effects []struct {
			Publish string
			Body    json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return err
	}
	for _, e := range d.Effects {
		var err error
		switch e.Publish {
		case tel.QueueJoined{}.Kind():
			var j tel.QueueJoined
			j, err = decode[tel.QueueJoined](e.Body)
			h.waiting[j.Call] = j.At
		case tel.QueueLeft{}.Kind():
			var l tel.QueueLeft
			l, err = decode[tel.QueueLeft](e.Body)
			delete(h.waiting, l.Call)
		case tel.QueueOffered{}.Kind():
			var o tel.QueueOffered
			o, err = decode[tel.QueueOffered](e.Body)
			if since, first := h.waiting[o.Call]; first {
				h.offered(o.Call, since)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// offered takes a caller's first offer.
func (h *History) offered(c tel.CallID, since time.Time) {
	delete(h.waiting, c)
	h.Offered++
	for other, at := range h.waiting {
		if at.Before(since) {
			h.PassedOver = append(h.PassedOver, fmt.Sprintf("%s, waiting %v longer than %s", other, since.Sub(at), c))
		}
	}
}

// FreePorts finds a free port, UDP and TCP, on each of the given addresses.
func FreePorts(ips ...string) ([]netip.AddrPort, error) {
	var all []netip.AddrPort
	for _, ip := range ips {
		for try := 0; ; try++ {
			l, err := net.Listen("tcp", ip+":0")
			if err != nil {
				return nil, err
			}
			at := l.Addr().(*net.TCPAddr).AddrPort()
			u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
			_ = l.Close()
			if err == nil {
				_ = u.Close()
				all = append(all, at)
				break
			}
			if try == 10 {
				return nil, err
			}
		}
	}
	return all, nil
}
