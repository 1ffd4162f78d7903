// Package keeper is the process's side of the service-notification protocol (sd_notify): it takes
// back the sockets that a supervisor kept for it, hands new ones over, and reports that the process
// is ready and alive. The supervisor may be systemd, prontoinit or appliance/supervise.
package keeper

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Env is what a supervisor tells a process through its environment.
type Env struct {
	NotifySocket  string // NOTIFY_SOCKET: a path, or an abstract address that begins with @
	ListenPID     string // LISTEN_PID: the process that the sockets are meant for
	ListenPPID    string // LISTEN_PPID: our own addition, the supervisor that hands them over; it cannot know the child's number beforehand
	ListenFDs     string // LISTEN_FDS: how many, from descriptor 3 on
	ListenFDNames string // LISTEN_FDNAMES: their names, separated by colons
	WatchdogUsec  string // WATCHDOG_USEC: microseconds between two signs of life
}

// FromEnv reads Env with getenv. Only cmd calls it, with os.Getenv.
func FromEnv(getenv func(string) string) Env {
	return Env{
		NotifySocket:  getenv("NOTIFY_SOCKET"),
		ListenPID:     getenv("LISTEN_PID"),
		ListenPPID:    getenv("LISTEN_PPID"),
		ListenFDs:     getenv("LISTEN_FDS"),
		ListenFDNames: getenv("LISTEN_FDNAMES"),
		WatchdogUsec:  getenv("WATCHDOG_USEC"),
	}
}

// firstFD is where handed-over descriptors begin (sd_listen_fds(3), SD_LISTEN_FDS_START).
const firstFD = 3

// maxFDs bounds what is believed of LISTEN_FDS.
const maxFDs = 1 << 16

// sendTimeout bounds how long a supervisor that does not read may hold up a caller.
const sendTimeout = time.Second

// Client talks to the supervisor. Without one it does nothing and has nothing. It is safe for use
// from many goroutines.
type Client struct {
	every time.Duration

	mu   sync.Mutex
	conn *net.UnixConn // nil: nobody to talk to
	kept map[string][]*os.File
}

// New takes the descriptors that env promises to this process and connects to the supervisor. It
// must run before anything else of the process opens or starts something, because it takes
// descriptors by number.
func New(env Env) (*Client, error) {
	c := &Client{kept: map[string][]*os.File{}}
	if env.ListenFDs != "" && meant(env) {
		if err := c.takeAll(env); err != nil {
			return nil, err
		}
	}
	if n, err := strconv.ParseInt(env.WatchdogUsec, 10, 64); err == nil && n > 0 {
		c.every = time.Duration(n) * time.Microsecond
	}
	if env.NotifySocket != "" {
		conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: env.NotifySocket, Net: "unixgram"})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("connect to the supervisor: %w", err), c.Close())
		}
		c.conn = conn
	}
	return c, nil
}

// meant reports whether the descriptors are for this process and not left in the environment by a
// process further up.
func meant(env Env) bool {
	return env.ListenPID == strconv.Itoa(os.Getpid()) || env.ListenPPID == strconv.Itoa(os.Getppid())
}

func (c *Client) takeAll(env Env) error {
	n, err := strconv.Atoi(env.ListenFDs)
	if err != nil || n < 0 || n > maxFDs {
		return fmt.Errorf("LISTEN_FDS=%q is not a number of descriptors", env.ListenFDs)
	}
	names := strings.Split(env.ListenFDNames, ":")
	for i := range n {
		fd := firstFD + i
		unix.CloseOnExec(fd) // a program that we start must not hold our sockets
		name := "unknown"    // what sd_listen_fds_with_names(3) calls one without a name
		if i < len(names) && names[i] != "" {
			name = Unescape(names[i])
		}
		f := os.NewFile(uintptr(fd), name)
		if f == nil {
			return fmt.Errorf("descriptor %d of LISTEN_FDS=%d is not there", fd, n)
		}
		c.kept[name] = append(c.kept[name], f)
	}
	return nil
}

// Take returns a socket kept under name, once; the caller closes it. The supervisor keeps its own
// duplicate until Drop.
func (c *Client) Take(name string) (*os.File, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	files := c.kept[name]
	if len(files) == 0 {
		return nil, false
	}
	if c.kept[name] = files[1:]; len(files) == 1 {
		delete(c.kept, name)
	}
	return files[0], true
}

// Untaken lists the names nobody has taken yet, in order.
func (c *Client) Untaken() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make([]string, 0, len(c.kept))
	for name := range c.kept {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// DropUntaken gives up every socket that nobody took: the call or connection it belonged to is
// gone. Call it once, when everything is restored.
func (c *Client) DropUntaken() {
	for _, name := range c.Untaken() {
		for f, ok := c.Take(name); ok; f, ok = c.Take(name) {
			_ = f.Close()
		}
		c.Drop(name)
	}
}

// Keep hands a duplicate of s to the supervisor under name. FDPOLL=0 asks it to keep the socket
// even while that reports an error, as a UDP socket does after an ICMP message.
func (c *Client) Keep(name string, s syscall.Conn) error {
	if len(name) == 0 || len(Escape(name)) > 255 {
		return fmt.Errorf("keep socket: name %q must have 1 to 255 bytes", name)
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return fmt.Errorf("keep socket %s: %w", name, err)
	}
	var sent error
	err = raw.Control(func(fd uintptr) {
		sent = c.send("FDSTORE=1\nFDNAME="+Escape(name)+"\nFDPOLL=0\n", unix.UnixRights(int(fd)))
	})
	if err := errors.Join(err, sent); err != nil {
		return fmt.Errorf("keep socket %s: %w", name, err)
	}
	return nil
}

// Drop tells the supervisor to forget the sockets kept under name.
func (c *Client) Drop(name string) {
	_ = c.send("FDSTOREREMOVE=1\nFDNAME="+Escape(name)+"\n", nil)
}

// Ready reports that the process serves.
func (c *Client) Ready() error { return c.send("READY=1\n", nil) }

// Stopping reports that the process is on its way out.
func (c *Client) Stopping() error { return c.send("STOPPING=1\n", nil) }

// Status sets the line that the supervisor shows for this process.
func (c *Client) Status(text string) error {
	return c.send("STATUS="+strings.ReplaceAll(text, "\n", " ")+"\n", nil)
}

// Alive is the sign of life for the supervisor's watchdog.
func (c *Client) Alive() error { return c.send("WATCHDOG=1\n", nil) }

// WatchdogEvery is the longest time between two calls of Alive that the supervisor tolerates; call
// it at half of that. 0 means that nobody watches.
func (c *Client) WatchdogEvery() time.Duration { return c.every }

func (c *Client) send(text string, rights []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return nil
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(sendTimeout))
	raw, err := c.conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("tell the supervisor: %w", err)
	}
	var sent error // by sendmsg ourselves: package net refuses rights on a connected datagram socket
	err = raw.Write(func(fd uintptr) bool {
		sent = unix.Sendmsg(int(fd), []byte(text), rights, nil, unix.MSG_NOSIGNAL)
		return !errors.Is(sent, unix.EAGAIN) && !errors.Is(sent, unix.EINTR)
	})
	if err != nil {
		sent = err // the deadline
	}
	if sent != nil {
		return fmt.Errorf("tell the supervisor: %w", sent)
	}
	return nil
}

// Close lets go of the connection and of every socket not taken.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var failed error
	if c.conn != nil {
		failed = c.conn.Close()
		c.conn = nil
	}
	for _, files := range c.kept {
		for _, f := range files {
			failed = errors.Join(failed, f.Close())
		}
	}
	c.kept = map[string][]*os.File{}
	return failed
}

// Escape makes a name fit for FDNAME, which may hold printable ASCII without the colon that
// separates names in LISTEN_FDNAMES.
func Escape(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7F || c == ':' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Unescape undoes Escape; what Escape never writes stays as it is.
func Unescape(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '%' && i+2 < len(name) {
			if n, err := strconv.ParseUint(name[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(name[i])
	}
	return b.String()
}
