package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// Line is the name of the line behind the lab's modem in the demo office.
const Line = "gsm0"

// Socket is the name of the lab's socket in the directory of its ports.
const Socket = "linelab.sock"

// desk takes questions at a unix socket: one line each, answered by a line "ok" or "no: why" and what there is
// to tell. Whoever may open the socket may ask.
type desk struct {
	lab      *lab
	listener net.Listener
	wg       sync.WaitGroup
}

const (
	maxQuestion = 512 // bytes
	maxAnswer   = 64 << 10
	patience    = 10 * time.Second // a fault such as a flood takes a while to write
)

// openDesk listens. A socket that an earlier lab left is replaced.
func openDesk(l *lab) (*desk, error) {
	path := l.cfg.Socket
	if c, err := net.Dial("unix", path); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("another lab listens at %s", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("listen at %s: %w", path, err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("listen at %s: %w", path, err), listener.Close())
	}
	d := &desk{lab: l, listener: listener}
	d.wg.Go(d.accept)
	return d, nil
}

// close stops listening and waits for who is being answered.
func (d *desk) close() {
	_ = d.listener.Close() // which removes the socket
	d.wg.Wait()
}

func (d *desk) accept() {
	for {
		c, err := d.listener.Accept()
		if err != nil {
			return
		}
		d.wg.Go(func() { d.serve(c) })
	}
}

func (d *desk) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	r := io.LimitReader(c, maxAnswer)
	question, err := bufio.NewReaderSize(r, maxQuestion).ReadSlice('\n')
	if err != nil {
		_, _ = io.Copy(io.Discard, r) // a close with bytes unread would take the answer back
		fmt.Fprintf(c, "no: a question is one line of less than %d bytes\n", maxQuestion)
		return
	}
	told, err := d.lab.answer(strings.Fields(string(question)))
	if err != nil {
		fmt.Fprintf(c, "no: %v\n", err)
		return
	}
	fmt.Fprintf(c, "ok\n%s", told)
}

// answer does what the words ask for.
func (l *lab) answer(words []string) (told string, err error) {
	if len(words) < 2 {
		return "", errors.New("ask for: faults LINE, fault LINE NAME [ARGUMENT], heal LINE NAME|all")
	}
	x, err := l.lineNamed(words[1])
	if err != nil {
		return "", err
	}
	switch verb, rest := words[0], words[2:]; {
	case verb == "faults" && len(rest) == 0:
		return x.list(), nil
	case verb == "fault" && (len(rest) == 1 || len(rest) == 2):
		return "", l.strike(x.ID, rest[0], strings.Join(rest[1:], ""))
	case verb == "heal" && len(rest) == 1:
		return "", l.heal(x.ID, rest[0])
	default:
		return "", fmt.Errorf("nobody understands %q", strings.Join(words, " "))
	}
}

// Ask asks the lab that listens at socket one question: "faults gsm0", "fault gsm0 unplug", "heal gsm0 all".
// A no of the lab is an error in its words.
func Ask(ctx context.Context, socket, question string) (told string, err error) {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return "", fmt.Errorf("no lab listens at %s: %w", socket, err)
	}
	defer func() { _ = c.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintln(c, strings.Join(strings.Fields(question), " ")); err != nil {
		return "", fmt.Errorf("ask the lab: %w", err)
	}
	if u, ok := c.(*net.UnixConn); ok {
		_ = u.CloseWrite() // that is all
	}
	all, err := io.ReadAll(io.LimitReader(c, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("ask the lab: %w", err)
	}
	verdict, told, _ := strings.Cut(string(all), "\n")
	if verdict != "ok" {
		return "", fmt.Errorf("the lab says %s", verdict)
	}
	return told, nil
}
