package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/useragent"
)

// errGone is why a run stops before its end by itself.
var errGone = errors.New("the server does not answer any more")

// run is one run under way.
type run struct {
	cfg    Config
	server netip.AddrPort
	domain string
	audio  *useragent.Audio
	phones []*useragent.Phone
	abort  context.CancelCauseFunc
	gone   atomic.Bool // the server is
	tally  tally

	mu       sync.Mutex
	closing  bool           // calls that come in are refused
	incoming sync.WaitGroup // what answers; grows under mu while not closing
	answerer context.Context
}

// Run does what cfg asks for and reports it. An end of ctx ends all calls in order and makes a report of what was done
// until then. The error is of a run that could not begin.
func Run(ctx context.Context, cfg Config, progress io.Writer) (*Report, error) {
	r := &run{cfg: cfg}
	if err := enoughFiles(cfg); err != nil {
		return nil, err
	}
	if err := r.resolve(ctx); err != nil {
		return nil, err
	}
	var err error
	if r.audio, err = useragent.OpenAudio(cfg.Codec); err != nil {
		return nil, err
	}
	defer r.audio.Close()
	sounding, silence := context.WithCancel(context.Background())
	var background sync.WaitGroup
	background.Go(func() { r.audio.Run(sounding) })
	defer background.Wait()
	defer silence()
	answerer, dismiss := context.WithCancel(context.Background())
	defer dismiss()
	r.answerer = answerer
	defer func() {
		for _, p := range r.phones {
			p.Close()
		}
	}()
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	if err := r.register(ctx); err != nil {
		return nil, errors.Join(err, r.unregister())
	}
	fmt.Fprintf(progress, "%d users at %s over %s; %d calls, %g per second, %v each\n", len(r.phones), r.server, cfg.Transport, cfg.Calls, cfg.Rate, cfg.For)
	meter := startMeter(cfg.Pid)
	calling, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	r.abort = abort
	refreshing, enough := context.WithCancel(context.Background())
	defer enough()
	var refreshed sync.WaitGroup
	if cfg.Register {
		for _, p := range r.phones {
			refreshed.Go(func() { r.keepRegistered(refreshing, p) })
		}
	}
	r.placeAll(calling)
	r.endAnswered(dismiss)
	used := meter.stop()
	enough()
	refreshed.Wait()
	cause := context.Cause(calling)
	if !errors.Is(cause, errGone) {
		if err := r.unregister(); err != nil {
			r.tally.note(err.Error())
		}
	}
	return r.report(used, cause), nil
}

// resolve finds the server's address.
func (r *run) resolve(ctx context.Context) error {
	host, port, err := net.SplitHostPort(r.cfg.Server)
	if err != nil {
		return fmt.Errorf("-server %q: %w", r.cfg.Server, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("-server %q: %w", r.cfg.Server, err)
	}
	ctx, stop := context.WithTimeout(ctx, useragent.Patience)
	defer stop()
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil || len(all) == 0 {
		return fmt.Errorf("-server %s: no IPv4 address of that name is known: %w", host, err)
	}
	r.server, r.domain = netip.AddrPortFrom(all[0].Unmap(), uint16(n)), host
	return nil
}

// files is how many files a run opens beside its calls'.
const files = 64

// enoughFiles refuses what this machine would refuse in the middle.
func enoughFiles(cfg Config) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	atOnce := min(float64(cfg.Calls), math.Ceil(cfg.Rate*(cfg.For+5*time.Second).Seconds()))
	if need := 2*atOnce + float64(len(cfg.Users)) + files; need > float64(limit.Cur) {
		return fmt.Errorf("%g calls at once need %g open files, this machine allows %d: raise it (ulimit -n) or ask for less", atOnce, need, limit.Cur)
	}
	return nil
}

func (r *run) open(ctx context.Context) error {
	for i, u := range r.cfg.Users {
		a := useragent.Account{
			User: u.Name, Password: u.Password, Server: r.server, Domain: r.domain, Transport: r.cfg.Transport, Codec: r.cfg.Codec,
			Expires: 10 * time.Minute, Rung: r.rung,
		}
		if n := len(r.cfg.Bind); n > 0 {
			a.Bind = r.cfg.Bind[i%n]
		}
		p, err := useragent.Open(ctx, a)
		if err != nil {
			return fmt.Errorf("no way to %s over %s: %w", r.server, r.cfg.Transport, err)
		}
		r.phones = append(r.phones, p)
	}
	return nil
}

// register logs the users in, one after the other, and stops at the first that the server does not take.
func (r *run) register(ctx context.Context) error {
	if !r.cfg.Register {
		return nil
	}
	for _, p := range r.phones {
		if err := ctx.Err(); err != nil {
			return errors.New("interrupted before the first call")
		}
		if err := p.Register(); err != nil {
			return fmt.Errorf("%s over %s: %w", r.server, r.cfg.Transport, err)
		}
	}
	return nil
}

// unregister logs out who is logged in, unless the server is gone.
func (r *run) unregister() error {
	if !r.cfg.Register {
		return nil
	}
	for i, p := range r.phones {
		if p.Granted() == 0 {
			continue
		}
		if err := p.Unregister(); errors.Is(err, useragent.ErrNoAnswer) || errors.Is(err, useragent.ErrNobodyListens) {
			return fmt.Errorf("%d users stay registered until the server forgets them: %w", len(r.phones)-i, err)
		}
	}
	return nil
}

// keepRegistered registers a phone again when four fifths of its time have passed.
func (r *run) keepRegistered(ctx context.Context, p *useragent.Phone) {
	for {
		timer := time.NewTimer(max(p.Granted()*4/5, time.Second))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		if err := p.Refresh(); err != nil {
			r.tally.note("registered no more: " + err.Error())
			return
		}
	}
}

// who gives the i-th call's phone and number.
func (r *run) who(i int) (*useragent.Phone, string) {
	if len(r.cfg.Numbers) == 0 {
		half := len(r.phones) / 2
		return r.phones[i%half], r.phones[i%half+half].User
	}
	number := r.cfg.Numbers[i%len(r.cfg.Numbers)]
	dialled := map[string]bool{}
	for _, n := range r.cfg.Numbers {
		dialled[n] = true
	}
	var callers []*useragent.Phone
	for _, p := range r.phones {
		if !dialled[p.User] {
			callers = append(callers, p)
		}
	}
	if len(callers) == 0 { // all are dialled: everybody calls
		callers = r.phones
	}
	p := callers[i%len(callers)]
	if p.User == number { // nobody calls himself
		p = callers[(i+1)%len(callers)]
	}
	return p, number
}

// placeAll places the calls at their rate and waits for the end of all.
func (r *run) placeAll(ctx context.Context) {
	var calls sync.WaitGroup
	defer calls.Wait()
	begin := time.Now()
	for i := range r.cfg.Calls {
		due := begin.Add(time.Duration(float64(i) / r.cfg.Rate * float64(time.Second)))
		timer := time.NewTimer(time.Until(due))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		p, number := r.who(i)
		r.tally.placed(time.Since(due))
		calls.Go(func() { r.call(ctx, p, number) })
	}
}

// rung answers a call in a goroutine of its own.
func (r *run) rung(c *useragent.Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		c.Reject(480)
		return
	}
	r.incoming.Go(func() { r.answer(c) })
}

// grace is how long after the last of our calls those that it made the server place may last.
const grace = 2 * time.Second

// endAnswered waits for the calls that came in, and hangs up what the server leaves open.
func (r *run) endAnswered(dismiss func()) {
	r.mu.Lock()
	r.closing = true
	r.mu.Unlock()
	timer := time.AfterFunc(grace, dismiss)
	defer timer.Stop()
	r.incoming.Wait()
}

// heard is when the server last said anything to any user.
func (r *run) heard() (last time.Time) {
	for _, p := range r.phones {
		if at := p.Heard(); at.After(last) {
			last = at
		}
	}
	return last
}

// silent stops the run when the server has said nothing to anybody while a request went unanswered.
func (r *run) silent() {
	if time.Since(r.heard()) >= time.Second {
		r.gone.Store(true)
		r.abort(errGone)
	}
}
