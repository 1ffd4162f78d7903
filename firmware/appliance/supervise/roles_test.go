package supervise

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/keeper"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// roleEnv makes the test binary play a service, or a supervisor in a process of its own.
const roleEnv = "SUPERVISE_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		play(role)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func fatal(err error) {
	if err != nil {
		fmt.Println("role failed:", err)
		os.Exit(9)
	}
}

func play(role string) {
	k, err := keeper.New(keeper.FromEnv(os.Getenv))
	fatal(err)
	switch role {
	case "sockets":
		playSockets(k)
	case "who":
		groups, err := os.Getgroups()
		fatal(err)
		fmt.Println("who", os.Getuid(), os.Getgid(), groups)
		fatal(k.Status("heard"))
		fatal(k.Ready())
		time.Sleep(time.Minute)
	case "crash":
		os.Exit(1)
	case "refuse":
		os.Exit(ExitDoNotRestart)
	case "mute":
		fatal(k.Ready())
		fatal(k.Alive())
		select {}
	case "lively":
		fatal(k.Ready())
		for {
			fatal(k.Alive())
			time.Sleep(50 * time.Millisecond)
		}
	case "talk":
		for n := range 150 {
			fmt.Println("line", n)
		}
		fmt.Println(strings.Repeat("x", 3*maxLine))
		fatal(k.Status("said it all"))
		fatal(k.Ready())
		time.Sleep(time.Minute)
	case "hoarder":
		for n := range 10 {
			u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			fatal(err)
			fatal(k.Keep(fmt.Sprint("s", n), u))
		}
		k.Drop("s0")
		fatal(k.Ready())
		time.Sleep(time.Minute)
	case "impostor":
		child := again("impostor-child")
		fatal(child.Run())
		fatal(k.Ready())
		time.Sleep(time.Minute)
	case "impostor-child":
		fatal(k.Status("lies"))
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		near, far := again("sleep"), again("sleep")
		far.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of the group
		fatal(near.Start())
		fatal(far.Start())
		fmt.Println("pids", os.Getpid(), near.Process.Pid, far.Process.Pid)
		fatal(k.Ready())
		time.Sleep(time.Minute)
	case "sleep":
		signal.Ignore(syscall.SIGTERM)
		time.Sleep(time.Minute)
	case "supervisor":
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		s := service("stubborn")
		s.Grace = 200 * time.Millisecond
		sv, err := New([]Service{s, service("lively")}, Options{Output: os.Stdout, Log: quiet, Orphans: true})
		fatal(err)
		fatal(sv.Run(ctx))
		fmt.Println("supervisor ended")
	default:
		fatal(fmt.Errorf("unknown role %q", role))
	}
}

func again(role string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	return cmd
}

// playSockets answers on a UDP socket and on TCP connections with its own process number. All its
// sockets are kept; a socket that was kept before is used on.
func playSockets(k *keeper.Client) {
	udp := keptUDP(k)
	listener := keptListener(k)
	go func() {
		for n := 0; ; n++ {
			conn, err := listener.Accept()
			fatal(err)
			fatal(k.Keep(fmt.Sprint("conn-", conn.RemoteAddr()), conn.(*net.TCPConn)))
			go talk(conn)
		}
	}()
	for _, name := range k.Untaken() {
		f, _ := k.Take(name)
		conn, err := net.FileConn(f)
		fatal(err)
		_ = f.Close()
		go talk(conn)
	}
	fatal(k.Ready())
	buf := make([]byte, 2000)
	for {
		n, from, err := udp.ReadFromUDP(buf)
		fatal(err)
		_, err = udp.WriteToUDP(fmt.Appendf(nil, "%d %s", os.Getpid(), buf[:n]), from)
		fatal(err)
	}
}

func keptUDP(k *keeper.Client) *net.UDPConn {
	if f, ok := k.Take("udp"); ok {
		defer f.Close()
		conn, err := net.FilePacketConn(f)
		fatal(err)
		return conn.(*net.UDPConn)
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	fatal(err)
	fatal(k.Keep("udp", conn))
	fmt.Println("udp", conn.LocalAddr())
	return conn
}

func keptListener(k *keeper.Client) *net.TCPListener {
	if f, ok := k.Take("tcp"); ok {
		defer f.Close()
		l, err := net.FileListener(f)
		fatal(err)
		return l.(*net.TCPListener)
	}
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	fatal(err)
	fatal(k.Keep("tcp", l))
	fmt.Println("tcp", l.Addr())
	return l
}

func talk(conn net.Conn) {
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if _, err := fmt.Fprintf(conn, "%d %s\n", os.Getpid(), lines.Text()); err != nil {
			return
		}
	}
}

// gone reports whether a process has ended; a zombie that its parent has not yet fetched counts.
func gone(pid int) bool {
	if unix.Kill(pid, 0) != nil {
		return true
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.HasPrefix(rest, "Z")
}
