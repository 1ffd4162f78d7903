package fxo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
	"github.com/pronto-pbx/pronto/drivers/serialport"
)

// Errors of a link.
var (
	errStopped = errors.New("the modem's port is closed")
	errMute    = errors.New("the modem did not answer in time")
	errFlood   = errors.New("the modem says too much")
	errNoEnd   = errors.New("the modem does not end its sound")
	errDrought = errors.New("the modem's sound has stopped")
	errBusy    = errors.New("too many commands wait for the modem")
)

// command is one AT command, or the end of a stream.
type command struct {
	text    string        // without the final CR; empty: end the stream
	plain   bool          // the answer has lines
	timeout time.Duration // 0: Timing.Reply
	sound   stream        // CONNECT begins a stream, which is its
}

// reply is the answer to a command.
type reply struct {
	lines []string
	final at.Final
}

// ok reports that the modem did it.
func (r reply) ok() bool { return r.final.Code == at.OK || r.final.Code == at.Connect }

type linkRequest struct {
	command
	sink func(reply, error)
}

// news is what the modem said unasked: one of the three.
type news struct {
	line  string // in command state
	event byte   // shielded by DLE
	ended bool   // the stream ended by itself
}

// maxReplyLines bounds an answer.
const maxReplyLines = 64

// writePatience bounds one write of a command.
const writePatience = time.Second

// link owns the port of a modem: commands and sound in turn. All of its state belongs to run.
type link struct {
	port     serialport.Stream
	log      *slog.Logger
	recorder *at.Recorder
	timing   *Timing
	ends     []string        // what may end a stream, in the order in which it is tried
	deliver  func(news) bool // takes news on run; false: it is full

	requests chan linkRequest
	rx       chan []byte
	spare    chan []byte // buffers for rx
	quit     chan struct{}
	done     chan struct{}
	err      error // written by run before done is closed

	mode    linkMode
	tok     at.Tokeniser
	dec     decoder
	shield  bool // a dle came in command state
	newline bool // the LF behind CONNECT is to be dropped
	held    []byte
	samples []byte
	pending *linkRequest
	reply   reply
	until   time.Time // of the pending command, or of the try to end a stream
	sound   stream
	deaf    bool      // it takes no sound: +VRX
	heard   time.Time // the stream gave something last
	ending  *linkRequest
	try     int // of ends
	closing bool
	fault   error
}

type linkMode uint8

const (
	inCommand linkMode = iota
	inStream
	inTail // the end of the stream came unasked: what follows tells whether it is one
)

// startLink runs a link over port, which it closes in the end.
func startLink(port serialport.Stream, l link) *link {
	l.port = port
	l.requests = make(chan linkRequest, 16)
	l.rx, l.spare = make(chan []byte, 8), make(chan []byte, 8)
	for range cap(l.spare) {
		l.spare <- make([]byte, 2048)
	}
	l.quit, l.done = make(chan struct{}), make(chan struct{})
	started := &l
	go started.run()
	return started
}

// close ends the link, frees the port and waits.
func (l *link) close() {
	select {
	case l.quit <- struct{}{}:
	case <-l.done:
	}
	<-l.done
}

// submit queues a command; sink runs on the link's goroutine, exactly once when submit returns nil.
func (l *link) submit(c command, sink func(reply, error)) error {
	select {
	case <-l.done:
		return errStopped
	default:
	}
	select {
	case l.requests <- linkRequest{c, sink}:
		return nil
	default:
		return errBusy
	}
}

// do sends a command and waits for its answer. An answer that is no OK is an error of type at.Final.
func (l *link) do(ctx context.Context, c command) (reply, error) {
	type outcome struct {
		r   reply
		err error
	}
	answer := make(chan outcome, 1)
	if err := l.submit(c, func(r reply, err error) { answer <- outcome{r, err} }); err != nil {
		return reply{}, err
	}
	select {
	case o := <-answer:
		if o.err == nil && !o.r.ok() {
			o.err = o.r.final
		}
		return o.r, o.err
	case <-ctx.Done():
		return reply{}, ctx.Err()
	case <-l.done: // what was submitted in the moment of the end
		select {
		case o := <-answer:
			return o.r, o.err
		default:
			return reply{}, errStopped
		}
	}
}

// read hands the port's bytes to run.
func (l *link) read(failed chan<- error, stop <-chan struct{}) {
	defer func() {
		if r := recover(); r != nil {
			failed <- fmt.Errorf("read the modem: %v", r)
		}
		close(failed)
	}()
	for {
		var buf []byte
		select {
		case buf = <-l.spare:
		case <-stop:
			return
		}
		n, err := l.port.Read(buf[:cap(buf)])
		if n > 0 {
			select {
			case l.rx <- buf[:n]:
			case <-stop:
				return
			}
		} else {
			l.spare <- buf
		}
		if err != nil {
			failed <- fmt.Errorf("read the modem: %w", err)
			return
		}
	}
}

func (l *link) run() {
	failed, stop := make(chan error, 2), make(chan struct{})
	go l.read(failed, stop)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for l.fault == nil && !l.closing {
		l.next()
		l.arm(timer)
		if l.fault != nil {
			break
		}
		requests := l.requests
		if l.pending != nil || l.ending != nil {
			requests = nil
		}
		select {
		case <-l.quit:
			l.closing = true
		case r := <-requests:
			l.begin(r)
		case p := <-l.rx:
			l.feed(p)
			l.spare <- p[:cap(p)]
		case err := <-failed:
			for len(l.rx) > 0 { // what it said before it went
				l.feed(<-l.rx)
			}
			l.fault = err
		case <-timer.C:
			l.expired(time.Now())
		}
	}
	l.stop(failed, stop)
}

func (l *link) stop(failed <-chan error, stop chan<- struct{}) {
	close(stop)
	if err := l.port.Close(); err != nil {
		l.log.Warn("the modem's port did not close cleanly", "error", err)
	}
	for range failed { // closed when the reader has ended
		continue
	}
	l.err = l.fault
	if l.sound != nil {
		l.sound.stop()
	}
	for _, r := range []*linkRequest{l.pending, l.ending} {
		if r != nil {
			r.sink(reply{}, errStopped)
		}
	}
	close(l.done)
	for {
		select {
		case r := <-l.requests:
			r.sink(reply{}, errStopped)
		default:
			return
		}
	}
}

// begin carries out one request.
func (l *link) begin(r linkRequest) {
	switch {
	case r.text == "" && l.mode == inCommand: // it has ended already
		r.sink(reply{final: at.Final{Code: at.OK}}, nil)
	case r.text == "":
		l.ending, l.try = &r, -1
		l.nextEnd()
	case l.mode != inCommand:
		r.sink(reply{}, errBusy)
	default:
		l.pending, l.reply = &r, reply{}
		l.tok.Sent(r.text)
		if l.until = time.Now().Add(l.timing.Reply); r.timeout > 0 {
			l.until = time.Now().Add(r.timeout)
		}
		l.recorder.Add(at.Sent, []byte(r.text+"\r"))
		l.write([]byte(r.text+"\r"), writePatience)
	}
}

// write gives the port bytes, and ends the link when the port does not take them.
func (l *link) write(p []byte, patience time.Duration) {
	err := l.port.SetWriteDeadline(time.Now().Add(patience))
	if err == nil {
		_, err = l.port.Write(p)
	}
	if err != nil && l.fault == nil {
		l.fault = fmt.Errorf("write to the modem: %w", err)
	}
}

// nextEnd tries the next way to end the stream.
func (l *link) nextEnd() {
	ends := l.ends
	if l.deaf {
		ends = receiveEnds
	}
	if l.try++; l.try == len(ends) {
		l.fault = errNoEnd
		return
	}
	l.until = time.Now().Add(l.timing.End)
	l.recorder.Add(at.Sent, []byte(ends[l.try]))
	l.write([]byte(ends[l.try]), writePatience)
}

// arm sets the timer for what must happen next.
func (l *link) arm(t *time.Timer) {
	var at time.Time
	if l.pending != nil || l.ending != nil {
		at = l.until
	}
	if l.mode != inCommand && l.ending == nil {
		wait := l.timing.Drought
		if l.mode == inTail {
			wait = l.timing.Tail
		}
		if by := l.heard.Add(wait); at.IsZero() || by.Before(at) {
			at = by
		}
	}
	if at.IsZero() {
		t.Stop()
		return
	}
	t.Reset(time.Until(at))
}

func (l *link) expired(now time.Time) {
	switch {
	case l.pending != nil && !now.Before(l.until):
		// Its answer may still come and would be taken for the next one's: only a new start is sure.
		l.log.Warn("modem did not answer", "command", l.pending.text)
		l.complete(errMute)
		l.fault = errMute
	case l.ending != nil && !now.Before(l.until):
		if l.mode == inCommand { // ended without an OK, as some do
			l.endedAsAsked()
			return
		}
		l.nextEnd()
	case l.mode == inTail && l.ending == nil && now.Sub(l.heard) >= l.timing.Tail:
		l.streamOver()
	case l.mode == inStream && l.ending == nil && l.deaf && now.Sub(l.heard) >= l.timing.Drought:
		l.begin(linkRequest{sink: func(reply, error) {}}) // nothing is to be heard there, and no call is lost by it
	case l.mode == inStream && l.ending == nil && now.Sub(l.heard) >= l.timing.Drought:
		if l.fault = errDrought; l.dec.shielded {
			l.fault = fmt.Errorf("%w in the middle of a DLE pair", errDrought)
		}
	}
}

// next is a place for what must be done before waiting: the sound pays the modem what it owes.
func (l *link) next() {
	if l.mode == inStream && l.ending == nil && l.sound != nil {
		if err := l.sound.give(l.port); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			l.fault = fmt.Errorf("write to the modem: %w", err)
		}
	}
}

func (l *link) complete(err error) {
	r := l.pending
	l.pending = nil
	r.sink(l.reply, err)
}

func (l *link) endedAsAsked() {
	r := l.ending
	l.ending = nil
	r.sink(reply{final: at.Final{Code: at.OK}}, nil)
}

// feed takes bytes from the port.
func (l *link) feed(p []byte) {
	if l.mode == inCommand {
		l.recorder.Add(at.Received, p)
	}
	l.heard = time.Now()
	for len(p) > 0 && l.fault == nil {
		switch l.mode {
		case inCommand:
			l.letter(p[0])
			p = p[1:]
		case inTail:
			p = l.tail(p)
		case inStream:
			p = l.stream(p)
		}
	}
}

// letter is one byte in command state, where events may stand between the lines.
func (l *link) letter(c byte) {
	switch {
	case l.shield:
		if l.shield = false; c != etx && c != dle {
			l.tell(news{event: c})
		}
	case c == dle:
		l.shield = true
	default:
		l.tok.Feed([]byte{c}, l.token)
	}
}

// stream decodes sound and returns what is left behind its end.
func (l *link) stream(p []byte) []byte {
	if l.newline {
		if l.newline = false; p[0] == '\n' {
			p = p[1:]
		}
	}
	var taken int
	var ended bool
	l.samples, taken, ended = l.dec.decode(l.samples[:0], p, func(code byte) {
		l.tell(news{event: code})
		if code == 'u' && l.sound != nil {
			l.sound.underrun()
		}
	})
	if l.sound != nil && l.ending == nil && len(l.samples) > 0 {
		l.sound.take(l.samples)
	}
	if ended {
		l.held = l.held[:0]
		if l.mode = inTail; l.ending != nil {
			l.toCommand()
		}
	}
	return p[taken:]
}

// toCommand leaves the stream; the OK of an end that was asked for may come yet.
func (l *link) toCommand() {
	l.mode, l.sound, l.until = inCommand, nil, time.Now().Add(l.timing.End)
	l.tok, l.dec, l.shield = at.Tokeniser{}, decoder{}, false
}

// lastWords are the results that may stand behind the end of a stream.
var lastWords = []string{"OK", "VCON", "NO CARRIER", "ERROR", "BUSY", "NO ANSWER", "NO DIALTONE"}

// tail judges an end that nobody asked for: behind a true one stands a result, behind a damaged sample stands sound.
func (l *link) tail(p []byte) []byte {
	for i, c := range p {
		l.held = append(l.held, c)
		text := string(l.held)
		for len(text) > 0 && (text[0] == '\r' || text[0] == '\n') {
			text = text[1:]
		}
		possible := text == ""
		for _, w := range lastWords {
			if len(text) > len(w) && text[:len(w)] == w && (text[len(w)] == '\r' || text[len(w)] == '\n') {
				l.streamOver()
				return p[i+1:]
			}
			possible = possible || len(text) <= len(w) && w[:len(text)] == text
		}
		if !possible || len(l.held) > 16 {
			again := append(append([]byte(nil), l.held...), p[i+1:]...)
			l.mode, l.dec = inStream, decoder{}
			return again
		}
	}
	return nil
}

// streamOver is a stream that ended by itself.
func (l *link) streamOver() {
	l.toCommand()
	l.tell(news{ended: true})
}

func (l *link) tell(n news) {
	if !l.deliver(n) && l.fault == nil {
		l.fault = errFlood
	}
}

func (l *link) token(t at.Token) {
	if t.Kind != at.Line {
		return
	}
	final, is := at.ParseFinal(t.Text)
	if t.Text == "VCON" || t.Text == "+VCON" { // OK, before V.253
		final, is = at.Final{Code: at.OK, Text: t.Text}, true
	}
	switch {
	case is && l.ending != nil:
		l.endedAsAsked()
	case is && l.pending != nil:
		l.reply.final = final
		if l.pending.sound != nil && final.Code == at.Connect {
			l.mode, l.dec, l.newline, l.sound = inStream, decoder{}, true, l.pending.sound
			_, l.deaf = l.sound.(*snoop)
			l.samples = l.samples[:0]
		}
		l.complete(nil)
	case is:
		l.tell(news{line: t.Text})
	case l.pending != nil && l.pending.plain && !unasked(t.Text):
		if len(l.reply.lines) < maxReplyLines {
			l.reply.lines = append(l.reply.lines, t.Text)
		}
	default:
		l.tell(news{line: t.Text})
	}
}
