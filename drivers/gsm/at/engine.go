package at

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Errors of commands and of the engine.
var (
	// ErrTimeout means that the modem did not answer this command in time; the engine has resynchronised or will.
	ErrTimeout = errors.New("the modem did not answer in time")
	// ErrQueueFull means that too many commands wait already.
	ErrQueueFull = errors.New("too many commands wait for the modem")
	// ErrStopped means that the engine has ended; Err says why.
	ErrStopped = errors.New("the command port is closed")
	// ErrMute ends the engine: the modem answers nothing any more.
	ErrMute = errors.New("the modem is mute")
	// ErrOverflow ends the engine: nobody took the unsolicited lines, and none may be lost silently.
	ErrOverflow = errors.New("too many unsolicited lines")
	// ErrPrompt means that the modem took the command for the text of a message; it was not carried out.
	ErrPrompt = errors.New("the modem waited for a message text")
	// ErrAborted means that an urgent command came before the modem had asked for the text: it has none.
	ErrAborted = errors.New("an urgent command came first")
	// ErrTextGiven accompanies another error of a command with a Body whose text the modem has: what it
	// did with it is not known.
	ErrTextGiven = errors.New("the modem has the text and did not say what became of it")
)

// Port is the byte stream of a modem: serialport.Command, or a pipe in tests.
type Port interface {
	io.ReadWriteCloser
	SetWriteDeadline(time.Time) error
}

// Command is one AT command and the shape of its answer.
type Command struct {
	Text     string // without the final CR
	Body     string // what the modem asks for with its prompt, without the final Ctrl-Z: the text of AT+CMGS
	Prefix   string // of the information lines that belong to the answer, e.g. "+CSQ:"
	Plain    bool   // the answer has lines without a prefix (AT+CGMM)
	Progress bool   // ATD and ATA: call-progress results are finals of this command
	// Urgent goes before all that wait. It aborts a pending Progress command (V.250 section 5.6.1), and one
	// with a Body whose text was not given yet; after that the modem takes no command before its final.
	Urgent  bool
	Secret  bool          // the text is kept out of the record
	Timeout time.Duration // 0 = Config.Timeout
}

// Reply is the answer to a command.
type Reply struct {
	Lines []string // information lines in order
	Final Final
}

// Config is what an Engine needs; zero durations and limits get their defaults.
type Config struct {
	Log         *slog.Logger
	Recorder    *Recorder
	Unsolicited func(line string) bool // lines that are never the answer to a Plain command
	// Deliver, when set, takes each unsolicited line in place of Lines, on the engine's goroutine, so
	// that a consumer sees lines and answers in one order. It must not block; false means that it is
	// full, which ends the engine with ErrOverflow.
	Deliver func(line string) bool
	Timeout time.Duration // of a command that names none; default 5 s
	Probe   time.Duration // wait for one resync probe; default 1 s
	Abort   time.Duration // wait for the end of an aborted command; default 2 s
	Queue   int           // commands that may wait; default 32
	Backlog int           // unsolicited lines that may wait; default 256
}

// Stats counts since the start.
type Stats struct {
	Commands, Timeouts, Resyncs uint64
	Echoes                      uint64 // commands that the modem sent back
	Strays                      uint64 // finals and lines that belonged to nothing and were dropped
	Prompts                     uint64 // prompts that nobody asked for
}

// maxReplyLines bounds an answer; a modem that floods is cut, not stored.
const maxReplyLines = 128

// writePatience bounds one write to the port: a port that takes no bytes is as good as gone.
const writePatience = time.Second

type request struct {
	Command
	ctx  context.Context
	sink func(Reply, error)
}

// probes are the questions of a resync, each used once in a row. Every answer names its question, so a
// late OK of an earlier command can not be taken for it, and since a modem answers in order, the
// answer to the last one means that nothing older is pending.
var probes = [...]struct{ text, prefix string }{
	{"AT+CMEE?", "+CMEE:"}, {"AT+CRC?", "+CRC:"}, {"AT+CMGF?", "+CMGF:"},
}

// escape takes back the text at a prompt, and substitute ends it (3GPP TS 27.005 section 4.3).
const (
	escape     = 0x1b
	substitute = 0x1a
)

// Engine is the owner of a port.
type Engine struct {
	cfg      Config
	port     Port
	requests chan request
	lines    chan string
	rx       chan []byte
	readErr  chan error
	quit     chan struct{}
	done     chan struct{}
	closing  sync.Once
	reading  sync.WaitGroup

	gate    sync.RWMutex // held for writing when stopped is set, so that no request is left behind
	stopped bool         // guarded by gate
	err     error        // written by run before done is closed, read after it

	commands, timeouts, resyncs, echoes, strays, promptsSeen atomic.Uint64

	// Owned by run.
	tok     Tokeniser
	queue   []request
	pending *request
	reply   Reply
	timer   *time.Timer
	probe   int  // 0 = not resynchronising, else the number of the probe sent last
	probed  bool // the information line of that probe has come
	prompt  bool // a prompt may still be open
	bodied  bool // the pending command's Body was written
	aborted bool // the pending command's prompt was refused
	fault   error
}

// Start returns a running engine that owns port and closes it in the end.
func Start(port Port, cfg Config) *Engine {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Recorder == nil {
		cfg.Recorder = NewRecorder()
	}
	if cfg.Unsolicited == nil {
		cfg.Unsolicited = func(string) bool { return false }
	}
	cfg.Timeout = orDefault(cfg.Timeout, 5*time.Second)
	cfg.Probe = orDefault(cfg.Probe, time.Second)
	cfg.Abort = orDefault(cfg.Abort, 2*time.Second)
	cfg.Queue = orDefault(cfg.Queue, 32)
	cfg.Backlog = orDefault(cfg.Backlog, 256)
	e := &Engine{
		cfg: cfg, port: port,
		requests: make(chan request, cfg.Queue),
		lines:    make(chan string, cfg.Backlog),
		rx:       make(chan []byte, 16),
		readErr:  make(chan error, 1),
		quit:     make(chan struct{}),
		done:     make(chan struct{}),
		timer:    time.NewTimer(time.Hour),
	}
	e.timer.Stop()
	e.reading.Add(1)
	go e.read()
	go e.run()
	return e
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Lines is the ordered stream of unsolicited lines; it is closed when the engine has ended.
func (e *Engine) Lines() <-chan string { return e.lines }

// Done is closed when the engine has ended.
func (e *Engine) Done() <-chan struct{} { return e.done }

// Err says why the engine ended, nil after Close. It may be called once Done is closed.
func (e *Engine) Err() error { return e.err }

// Stats may be called from any goroutine.
func (e *Engine) Stats() Stats {
	return Stats{
		Commands: e.commands.Load(), Timeouts: e.timeouts.Load(), Resyncs: e.resyncs.Load(),
		Echoes: e.echoes.Load(), Strays: e.strays.Load(), Prompts: e.promptsSeen.Load(),
	}
}

// Close ends the engine, fails what waits with ErrStopped, closes the port and waits.
func (e *Engine) Close() error {
	e.closing.Do(func() { close(e.quit) })
	<-e.done
	return nil
}

// Submit queues a command and returns at once. sink is called exactly once, on the engine's goroutine,
// and must not block; an error of Submit means that it never will be. A command whose ctx has ended is
// not written any more; one already written is waited for, so that its answer is not credited to another.
func (e *Engine) Submit(ctx context.Context, c Command, sink func(Reply, error)) error {
	e.gate.RLock()
	defer e.gate.RUnlock()
	if e.stopped {
		return ErrStopped
	}
	select {
	case e.requests <- request{Command: c, ctx: ctx, sink: sink}:
		return nil
	default:
		return ErrQueueFull
	}
}

// Do sends a command and waits for its answer, at most until ctx ends. Any final but OK is an error of
// type Final, returned beside the reply.
func (e *Engine) Do(ctx context.Context, c Command) (Reply, error) {
	type outcome struct {
		reply Reply
		err   error
	}
	answer := make(chan outcome, 1)
	if err := e.Submit(ctx, c, func(r Reply, err error) { answer <- outcome{r, err} }); err != nil {
		return Reply{}, err
	}
	select {
	case o := <-answer:
		if o.err == nil && o.reply.Final.Code != OK {
			o.err = o.reply.Final
		}
		return o.reply, o.err
	case <-ctx.Done():
		return Reply{}, ctx.Err()
	}
}

// read hands the port's bytes to run. A panic in the serial library ends the port, not the process.
func (e *Engine) read() {
	defer e.reading.Done()
	defer func() {
		if r := recover(); r != nil {
			e.readErr <- fmt.Errorf("read the modem: %v", r)
		}
	}()
	buf := make([]byte, 4096)
	for {
		n, err := e.port.Read(buf)
		if n > 0 {
			e.cfg.Recorder.Add(Received, buf[:n])
			select {
			case e.rx <- append([]byte(nil), buf[:n]...):
			case <-e.quit:
				return
			}
		}
		if err != nil {
			e.readErr <- fmt.Errorf("read the modem: %w", err)
			return
		}
	}
}

func (e *Engine) run() {
	closed := false
	for e.fault == nil && !closed {
		e.next()
		if e.fault != nil {
			break
		}
		select {
		case <-e.quit:
			closed = true
		case r := <-e.requests:
			e.enqueue(r)
		case p := <-e.rx:
			e.tok.Feed(p, e.token)
		case err := <-e.readErr:
			e.drain()
			e.fault = err
		case <-e.timer.C:
			e.expired()
		}
	}
	e.stop()
}

// drain reads what had arrived before the port ended.
func (e *Engine) drain() {
	for {
		select {
		case p := <-e.rx:
			e.tok.Feed(p, e.token)
		default:
			return
		}
	}
}

func (e *Engine) stop() {
	e.timer.Stop()
	e.closing.Do(func() { close(e.quit) })
	if err := e.port.Close(); err != nil {
		e.cfg.Log.Warn("command port did not close cleanly", "error", err)
	}
	e.reading.Wait()
	e.gate.Lock()
	e.stopped = true
	e.gate.Unlock()
	e.err = e.fault
	if e.pending != nil {
		e.complete(ErrStopped)
	}
	for _, r := range e.queue {
		r.sink(Reply{}, ErrStopped)
	}
	for {
		select {
		case r := <-e.requests:
			r.sink(Reply{}, ErrStopped)
			continue
		default:
		}
		break
	}
	close(e.lines)
	close(e.done)
}

func (e *Engine) enqueue(r request) {
	switch {
	case len(e.queue) >= e.cfg.Queue:
		r.sink(Reply{}, ErrQueueFull)
	case r.Urgent:
		e.queue = append([]request{r}, e.queue...)
		e.abort()
	default:
		e.queue = append(e.queue, r)
	}
}

// abort makes room for an urgent command where the protocol allows it.
func (e *Engine) abort() {
	switch {
	case e.pending == nil, e.probe > 0:
	case e.pending.Progress:
		e.write("\r", false)
		e.timer.Reset(e.cfg.Abort)
	case e.pending.Body != "" && !e.bodied && !e.aborted:
		e.aborted = true
		e.write(string(rune(escape)), false)
		e.timer.Reset(e.cfg.Abort)
	}
}

// next writes the first waiting command when nothing is pending.
func (e *Engine) next() {
	for e.fault == nil && e.pending == nil && e.probe == 0 && len(e.queue) > 0 {
		r := e.queue[0]
		e.queue = append(e.queue[:0], e.queue[1:]...)
		if err := r.ctx.Err(); err != nil {
			r.sink(Reply{}, err)
			continue
		}
		e.commands.Add(1)
		e.pending, e.reply, e.bodied, e.aborted = &r, Reply{}, false, false
		e.tok.Sent(r.Text)
		e.timer.Reset(orDefault(r.Timeout, e.cfg.Timeout))
		e.write(r.Text+"\r", r.Secret)
	}
}

func (e *Engine) write(text string, secret bool) {
	if secret {
		e.cfg.Recorder.Add(Sent, []byte("(secret)\r"))
	} else {
		e.cfg.Recorder.Add(Sent, []byte(text))
	}
	err := e.port.SetWriteDeadline(time.Now().Add(writePatience))
	if err == nil {
		_, err = e.port.Write([]byte(text))
	}
	if err != nil && e.fault == nil {
		e.fault = fmt.Errorf("write to the modem: %w", err)
	}
}

func (e *Engine) complete(err error) {
	r := e.pending
	e.pending = nil
	e.timer.Stop()
	switch {
	case err != nil && e.bodied:
		err = errors.Join(ErrTextGiven, err)
	case e.aborted:
		err = errors.Join(ErrAborted, err)
	}
	r.sink(e.reply, err)
}

func (e *Engine) expired() {
	if e.pending != nil {
		e.timeouts.Add(1)
		e.prompt = e.prompt || e.pending.Body != "" // its prompt, or the Ctrl-Z that closes it, may be lost
		e.cfg.Log.Warn("modem did not answer", "timeout", orDefault(e.pending.Timeout, e.cfg.Timeout))
		e.complete(ErrTimeout)
		e.resync()
		return
	}
	if e.probe == 0 {
		return // the timer fired while the answer came
	}
	if e.probe == len(probes) {
		e.fault = ErrMute
		return
	}
	e.prompt = true // an unseen prompt would swallow probe after probe
	e.sendProbe()
}

func (e *Engine) resync() {
	e.resyncs.Add(1)
	e.probe = 0
	e.sendProbe()
}

func (e *Engine) sendProbe() {
	p := probes[e.probe]
	e.probe++
	e.probed = false
	e.tok.Sent(p.text)
	text := p.text + "\r"
	if e.prompt {
		e.prompt = false
		text = string(rune(escape)) + "\r" + text
	}
	e.timer.Reset(e.cfg.Probe)
	e.write(text, false)
}

func (e *Engine) token(t Token) {
	switch t.Kind {
	case Echo:
		e.echoes.Add(1)
	case Prompt:
		switch {
		case e.asks():
			e.giveBody()
			return
		case e.pending != nil && e.aborted:
			return // it was on its way when we took the command back
		}
		e.promptsSeen.Add(1)
		e.prompt = true
		if e.pending != nil {
			e.complete(ErrPrompt)
			e.resync()
		}
	case Line:
		e.line(t.Text)
	}
}

// asks reports whether a prompt is what the pending command waits for.
func (e *Engine) asks() bool {
	return e.pending != nil && e.pending.Body != "" && !e.bodied && !e.aborted && e.probe == 0
}

// giveBody answers the prompt. What the network does with it may take the whole time again.
func (e *Engine) giveBody() {
	e.bodied = true
	e.tok.Sent(e.pending.Body)
	e.timer.Reset(orDefault(e.pending.Timeout, e.cfg.Timeout))
	e.write(e.pending.Body+string(rune(substitute)), e.pending.Secret)
}

// line gives one line to the probe, to the pending command, or to the consumer of unsolicited lines.
func (e *Engine) line(text string) {
	final, isFinal := ParseFinal(text)
	switch {
	case e.probe > 0:
		e.lineInResync(text, isFinal, final)
	case isFinal && !final.CallProgress():
		if e.pending == nil {
			e.strays.Add(1)
			return
		}
		e.reply.Final = final
		e.complete(nil)
	case isFinal && e.pending != nil && e.pending.Progress:
		e.reply.Final = final
		e.complete(nil)
	case !isFinal && e.pending != nil && e.answers(text):
		if len(e.reply.Lines) < maxReplyLines {
			e.reply.Lines = append(e.reply.Lines, text)
		} else {
			e.strays.Add(1)
		}
	default:
		e.unsolicited(text)
	}
}

func (e *Engine) answers(text string) bool {
	if p := e.pending.Prefix; p != "" && len(text) >= len(p) && text[:len(p)] == p {
		return true
	}
	return e.pending.Plain && !e.cfg.Unsolicited(text)
}

// lineInResync drops the late answer of the command that timed out, but nothing unsolicited.
func (e *Engine) lineInResync(text string, isFinal bool, final Final) {
	prefix := probes[e.probe-1].prefix
	switch {
	case len(text) >= len(prefix) && text[:len(prefix)] == prefix:
		e.probed = true
	case isFinal && e.probed && final.Code == OK:
		e.probe, e.probed = 0, false
		e.timer.Stop()
	case isFinal && final.CallProgress():
		e.unsolicited(text) // the end of a call must be heard even now
	case !isFinal && e.cfg.Unsolicited(text):
		e.unsolicited(text)
	default:
		e.strays.Add(1)
	}
}

func (e *Engine) unsolicited(text string) {
	if e.cfg.Deliver != nil {
		if !e.cfg.Deliver(text) && e.fault == nil {
			e.fault = ErrOverflow
		}
		return
	}
	select {
	case e.lines <- text:
	default:
		if e.fault == nil {
			e.fault = ErrOverflow
		}
	}
}
