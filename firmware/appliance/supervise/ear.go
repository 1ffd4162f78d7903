package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/keeper"
	"golang.org/x/sys/unix"
)

// ear listens to what one service says over its notification socket.
type ear struct {
	path    string
	conn    *net.UnixConn
	done    sync.WaitGroup
	drained chan uint64
	mark    atomic.Uint64
}

// Limits of one message (systemd takes 4 KiB and 253 descriptors).
const (
	maxNotify = 4096
	maxRights = 253
)

// drainMark is what we say to ourselves to learn that everything before it was heard.
const drainMark = "X_PRONTO_DRAIN="

// listen opens the notification socket of u and starts to hear.
func (u *unit) listen(dir string) error {
	path := filepath.Join(dir, u.Name+".notify")
	_ = os.Remove(path) // left by a supervisor that was killed
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notification socket of %s: %w", u.Name, err)
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		var set error
		err = raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1) })
		err = errors.Join(err, set)
	}
	if err == nil && u.User != nil {
		err = os.Chown(path, int(u.User.UID), int(u.User.GID)) // to speak to a socket is to write to it
	}
	if err != nil {
		_ = conn.Close()
		return fmt.Errorf("notification socket of %s: %w", u.Name, err)
	}
	u.ear = &ear{path: path, conn: conn, drained: make(chan uint64, 1)}
	u.ear.done.Go(u.hear)
	return nil
}

func (e *ear) close() {
	if e == nil {
		return
	}
	_ = e.conn.Close()
	e.done.Wait()
	_ = os.Remove(e.path)
}

// drain returns when everything said so far was heard: datagrams of one socket keep their order.
func (e *ear) drain() {
	n := e.mark.Add(1)
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: e.path, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte(drainMark + strconv.FormatUint(n, 10))); err != nil {
		return
	}
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	for {
		select {
		case got := <-e.drained:
			if got == n {
				return
			}
		case <-timer.C:
			return
		}
	}
}

// hear is the goroutine that reads the socket until it is closed.
func (u *unit) hear() {
	buf, oob := make([]byte, maxNotify), make([]byte, unix.CmsgSpace(4*maxRights)+unix.CmsgSpace(unix.SizeofUcred))
	for {
		n, on, flags, _, err := u.ear.conn.ReadMsgUnix(buf, oob)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			u.log.Warn("notification not heard", "error", err)
			time.Sleep(10 * time.Millisecond) // a lasting error must not become a busy loop
			continue
		}
		pid, fds := control(oob[:on])
		if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
			u.log.Warn("notification too long, ignored", "pid", pid)
			closeAll(fds)
			continue
		}
		u.heard(pid, string(buf[:n]), fds)
	}
}

// control takes the sender's number and the descriptors out of a control message.
func control(oob []byte) (pid int, fds []int) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, nil
	}
	for _, m := range messages {
		if cred, err := unix.ParseUnixCredentials(&m); err == nil {
			pid = int(cred.Pid)
		} else if got, err := unix.ParseUnixRights(&m); err == nil {
			fds = append(fds, got...)
		}
	}
	return pid, fds
}

// heard acts on one message. Only the service's main process is believed.
func (u *unit) heard(pid int, text string, fds []int) {
	if mark, ok := strings.CutPrefix(text, drainMark); ok && pid == os.Getpid() {
		if n, err := strconv.ParseUint(mark, 10, 64); err == nil {
			clearDrained(u.ear.drained)
			u.ear.drained <- n // never blocks: only this goroutine sends, and there is room for one
		}
		closeAll(fds)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if pid == 0 || pid != u.pid {
		u.log.Warn("notification from a stranger, ignored", "pid", pid)
		closeAll(fds)
		return
	}
	m := parseNotify(text)
	switch {
	case m.store:
		u.keep(m.name, fds)
		fds = nil
	case m.remove:
		if f, ok := u.fds[m.name]; ok {
			_ = f.Close()
			delete(u.fds, m.name)
		}
	}
	closeAll(fds)
	if m.status != "" {
		u.status.Says = m.status
	}
	if m.ready {
		poke(u.readied)
	}
	if m.alive {
		poke(u.alive)
	}
}

// keep stores descriptors under a name; a new one takes the place of an old one. The caller holds
// u.mu.
func (u *unit) keep(name string, fds []int) {
	for _, fd := range fds {
		old, replaces := u.fds[name]
		if name == "" || (!replaces && len(u.fds) >= u.KeepFDs) {
			u.log.Warn("socket not kept: too many", "name", name, "limit", u.KeepFDs)
			_ = unix.Close(fd)
			continue
		}
		if replaces {
			_ = old.Close()
		}
		u.fds[name] = os.NewFile(uintptr(fd), name)
	}
}

func clearDrained(c chan uint64) {
	select {
	case <-c: // an earlier mark that nobody waited for any more
	default:
	}
}

// message is what one notification says.
type message struct {
	ready, alive, store, remove bool
	name, status                string
}

// parseNotify reads the lines of a notification; what it does not know it passes over, as
// sd_notify(3) demands.
func parseNotify(text string) (m message) {
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok {
			continue
		}
		switch key {
		case "READY":
			m.ready = value == "1"
		case "WATCHDOG":
			m.alive = value == "1"
		case "FDSTORE":
			m.store = value == "1"
		case "FDSTOREREMOVE":
			m.remove = value == "1"
		case "FDNAME":
			m.name = keeper.Unescape(value)
		case "STATUS":
			m.status = string(bytes.ToValidUTF8([]byte(value), []byte("?")))
		}
	}
	return m
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
