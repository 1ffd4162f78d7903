package mdns

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/images/imagetest"
	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// alone runs the test again in a network namespace of its own, and tells whether this is that run.
func alone(t *testing.T) bool {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: it needs root")
	}
	imagetest.Root(t)
	imagetest.Programs(t, "nsenter", "ip")
	return imagetest.Alone(t)
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %q: %v\n%s", args, err, out)
	}
}

// wire makes a cable between box, which has 192.168.77.50, and lan, which has 192.168.77.1 and lies in a network
// namespace of its own, as another machine would. It returns the process in which that lies.
func wire(t *testing.T) (far string) {
	t.Helper()
	ip(t, "link", "set", "lo", "up")
	holder := exec.Command("unshare", "-n", "sleep", "600") // of the other namespace
	holder.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
	far = strconv.Itoa(holder.Process.Pid)
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		ns, err := os.Readlink(filepath.Join("/proc", far, "ns/net"))
		if err == nil && ns != own {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no other namespace")
		}
	}
	ip(t, "link", "add", "box", "type", "veth", "peer", "name", "lan", "netns", far)
	ip(t, "addr", "add", "192.168.77.50/24", "dev", "box")
	ip(t, "link", "set", "box", "up")
	ip(t, "route", "add", "224.0.0.0/4", "dev", "box")
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"addr", "add", "192.168.77.1/24", "dev", "lan"}, {"link", "set", "lan", "up"}, {"route", "add", "224.0.0.0/4", "dev", "lan"}} {
		if out, err := exec.Command("nsenter", append([]string{"-t", far, "-n", "ip"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %q: %v\n%s", args, err, out)
		}
	}
	return far
}

// there opens a socket in the network namespace of a process.
func there(t *testing.T, pid string, open func() (*net.UDPConn, error)) *net.UDPConn {
	t.Helper()
	made := make(chan *net.UDPConn, 1)
	var failed error
	go func() {
		runtime.LockOSThread() // never unlocked: the thread, which is in another namespace then, ends with this
		defer close(made)
		ns, err := os.Open(filepath.Join("/proc", pid, "ns/net"))
		if err == nil {
			err = errors.Join(unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET), ns.Close())
		}
		var conn *net.UDPConn
		if err == nil {
			conn, err = open()
		}
		if failed = err; err == nil {
			made <- conn
		}
	}()
	conn := <-made
	if conn == nil {
		t.Fatal(failed)
	}
	return conn
}

// asker is a socket of somebody in the network who only asks.
func asker(t *testing.T, pid string) *net.UDPConn {
	t.Helper()
	conn := there(t, pid, func() (*net.UDPConn, error) { return net.ListenUDP("udp4", nil) })
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// neighbour is somebody in the network who has the name pronto.local already.
func neighbour(t *testing.T, pid string) {
	t.Helper()
	conn := there(t, pid, func() (*net.UDPConn, error) {
		lan, err := net.InterfaceByName("lan")
		if err != nil {
			return nil, err
		}
		return net.ListenMulticastUDP("udp4", lan, group)
	})
	has := dnsmessage.Message{Header: dnsmessage.Header{Response: true, Authoritative: true}, Answers: []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("pronto.local."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET | top, TTL: 120},
		Body:   &dnsmessage.AResource{A: [4]byte{192, 168, 77, 1}},
	}}}
	packet, err := has.Pack()
	if err != nil {
		t.Fatal(err)
	}
	var answering sync.WaitGroup
	answering.Go(func() {
		b := make([]byte, 9000)
		for {
			n, _, err := conn.ReadFromUDP(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(b[:n]) == nil && !m.Response && len(m.Questions) > 0 && m.Questions[0].Name.String() == "pronto.local." {
				_, _ = conn.WriteToUDP(packet, group)
			}
		}
	})
	t.Cleanup(func() { _ = conn.Close(); answering.Wait() })
}

// send asks everybody in the network for a name, as a program does that knows DNS only.
func send(t *testing.T, conn *net.UDPConn, name string) {
	t.Helper()
	query := dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	packet, err := query.Pack()
	if err == nil {
		_, err = conn.WriteToUDP(packet, group)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// answered reads one answer; false when none comes for a while.
func answered(t *testing.T, conn *net.UDPConn) (name, addr string, ok bool) {
	t.Helper()
	b := make([]byte, 1500)
	_ = conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	n, from, err := conn.ReadFromUDP(b)
	if err != nil {
		return "", "", false
	}
	var m dnsmessage.Message
	if err := m.Unpack(b[:n]); err != nil || m.ID != 7 || len(m.Answers) == 0 {
		t.Fatalf("%v answers %+v, %v", from, m, err)
	}
	a, ok := m.Answers[0].Body.(*dnsmessage.AResource)
	if !ok {
		t.Fatalf("%v answers %+v", from, m)
	}
	return m.Answers[0].Header.Name.String(), netip.AddrFrom4(a.A).String(), true
}

// ask asks for a name until the answer is want.
func ask(t *testing.T, conn *net.UDPConn, name, want string) {
	t.Helper()
	got := "nothing"
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		send(t, conn, name)
		if _, addr, ok := answered(t, conn); ok {
			if got = addr; got == want {
				return
			}
		}
	}
	t.Errorf("%s is %s, want %s", name, got, want)
}

func running(t *testing.T) *Responder {
	t.Helper()
	r := New(slog.New(slog.NewTextHandler(t.Output(), nil)), Name{Label: "pronto-9qxa"}, Name{Label: "pronto", Optional: true})
	r.Offer(page)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { r.Run(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
	r.Use("box", netip.MustParsePrefix("192.168.77.50/24"))
	return r
}

func TestWhoAsksInTheNetworkFindsTheBoxByBothNames(t *testing.T) {
	if !alone(t) {
		return
	}
	far := wire(t)
	running(t)
	conn := asker(t, far)
	ask(t, conn, "pronto-9qxa.local.", "192.168.77.50")
	ask(t, conn, "pronto.local.", "192.168.77.50")
	ask(t, conn, "PRONTO.local.", "192.168.77.50")
}

func TestANameThatAnotherMachineHasIsLeftToIt(t *testing.T) {
	if !alone(t) {
		return
	}
	far := wire(t)
	neighbour(t, far)
	running(t)
	conn := asker(t, far)
	ask(t, conn, "pronto-9qxa.local.", "192.168.77.50")
	// The box answers in the order in which it is asked: what it would say of the other name comes first.
	for end := time.Now().Add(time.Minute); ; {
		send(t, conn, "pronto.local.")
		send(t, conn, "pronto-9qxa.local.")
		for {
			name, addr, ok := answered(t, conn)
			if !ok {
				break // lost: both are asked for again
			}
			if name == "pronto.local." && addr != "192.168.77.1" {
				t.Fatalf("%s is %s", name, addr)
			}
			if name == "pronto-9qxa.local." {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatal("the box does not answer any more")
		}
	}
}
