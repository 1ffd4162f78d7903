package stack

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

// errBroken ends a stream whose next message boundary is unknown.
var errBroken = errors.New("the stream does not parse")

// brokenPause lets the answers to earlier messages, and the refusal, leave before a connection is
// closed whose next message cannot be found.
const brokenPause = 200 * time.Millisecond

// throttlePause is how long a connection above its rate is not read.
const throttlePause = 20 * time.Millisecond

// Read hands whole messages to sipgo, and only such as have parsed here, under recover. It closes
// connections that take too long to say something, whole or at all.
func (c *streamConn) Read(p []byte) (int, error) {
	a := &c.assembly
	for {
		if a.ready > 0 {
			n := copy(p, a.pending[:a.ready])
			a.pending = append(a.pending[:0], a.pending[n:]...)
			a.ready -= n
			return n, nil
		}
		if a.broken {
			c.wait(brokenPause)
			c.shut(closedBroken)
			return 0, net.ErrClosed
		}
		deadline, why := c.deadline(time.Now())
		if err := c.SetReadDeadline(deadline); err != nil {
			return 0, net.ErrClosed
		}
		n, err := c.Conn.Read(p) // the first one makes the handshake of TLS
		if n > 0 {
			c.heardAt.Store(time.Now().UnixNano())
			c.take(p[:n])
			continue // an error comes again
		}
		if err != nil {
			c.countHandshake()
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.shut(why)
			}
			return 0, net.ErrClosed
		}
	}
}

// countHandshake counts a TLS connection that ends before it was one.
func (c *streamConn) countHandshake() {
	if secure, ok := c.Conn.(*tls.Conn); ok && !secure.ConnectionState().HandshakeComplete {
		c.stack.count.handshakes.Add(1)
	}
}

// deadline is when the connection is closed unless more arrives, and why.
func (c *streamConn) deadline(now time.Time) (time.Time, ending) {
	a, cfg := &c.assembly, &c.stack.cfg
	switch {
	case !a.greeted:
		return a.opened.Add(cfg.Greeting), closedSlow
	case a.inside:
		return a.started.Add(cfg.Assembly), closedSlow
	}
	return now.Add(cfg.Idle), closedIdle
}

// take adds bytes and parses ahead as far as they go.
func (c *streamConn) take(data []byte) {
	a := &c.assembly
	a.pending = append(a.pending, data...)
	if a.inside {
		a.pieces++
		_, _ = a.stream.Write(data) // never fails
	}
	for {
		if !a.inside {
			c.keepalives()
			if a.ready == len(a.pending) {
				return
			}
			a.stream.Reset()
			_, _ = a.stream.Write(a.pending[a.ready:])
			a.inside, a.pieces, a.started = true, 1, time.Now()
		}
		used, err := c.parseNext()
		if errors.Is(err, io.ErrUnexpectedEOF) && !whole(a.pending[a.ready:]) {
			return
		}
		if err == nil && a.pieces > 1 && !c.parsesInOne(a.pending[a.ready:a.ready+used]) {
			err = errBroken
		}
		if err != nil {
			a.broken = true
			c.stack.refusedByParser(a.pending[a.ready:], c.flow, "400", "Bad Request")
			return
		}
		a.inside = false
		a.ready += used
		c.complete()
	}
}

// whole says whether bytes hold a head and the body that it announces. The parser asks for more, too,
// where a header field of a whole message breaks off in the middle.
func whole(raw []byte) bool {
	head, body, ok := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !ok {
		return false
	}
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch string(bytes.ToLower(bytes.TrimSpace(name))) {
		case "content-length", "l":
			n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
			return err == nil && len(body) >= n
		}
	}
	return true
}

// keepalives removes the line ends between messages; a double one is a ping and gets a single one
// back (RFC 5626 section 3.5.1).
func (c *streamConn) keepalives() {
	a := &c.assembly
	rest := a.pending[a.ready:]
	n := 0
	for n+2 <= len(rest) && rest[n] == '\r' && rest[n+1] == '\n' {
		n += 2
	}
	if n == 0 {
		return
	}
	a.pending = append(a.pending[:a.ready], rest[n:]...)
	c.stack.count.keepalives.Add(1)
	if n == 2 && time.Since(time.Unix(0, c.pingedAt.Load())) < c.stack.cfg.Pong {
		c.answers.Store(true)
	}
	if n >= 4 {
		_ = c.enqueue(outgoing{raw: []byte("\r\n")}) // a peer that takes nothing is closed by it
	}
}

// parseNext parses one message of the stream and returns its length.
func (c *streamConn) parseNext() (used int, err error) {
	fine := c.stack.guard("tcp parser", func() {
		_, used, err = c.assembly.stream.ParseNext()
	})
	if !fine {
		return 0, errBroken
	}
	return used, err
}

// parsesInOne says whether a message that came in pieces is the same message when it is read at once,
// as sipgo's reader will read it: a header line that was cut may have been taken for two.
func (c *streamConn) parsesInOne(raw []byte) bool {
	c.assembly.stream.Reset()
	_, _ = c.assembly.stream.Write(raw)
	used, err := c.parseNext()
	return err == nil && used == len(raw)
}

// complete notes a whole message: the connection has proved itself, and pays for the message.
func (c *streamConn) complete() {
	a := &c.assembly
	a.greeted = true
	if !a.kept {
		a.kept = true
		c.stack.keepConn(c)
	}
	for first := true; !c.stack.sources.allow(c.flow.Remote.Addr(), time.Now()); first = false {
		if first {
			c.stack.count.throttled.Add(1)
		}
		if !c.wait(throttlePause) {
			return
		}
	}
}

// wait pauses the reader; false means that the connection was closed meanwhile.
func (c *streamConn) wait(d time.Duration) bool {
	select {
	case <-c.gone:
		return false
	case <-time.After(d):
		return true
	}
}
