package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// Agent is a phone to play.
type Agent struct{ User, Password string }

// ParseAgents reads "user:password,user:password"; the empty list has no agents.
func ParseAgents(list string) ([]Agent, error) {
	var all []Agent
	for entry := range strings.SplitSeq(list, ",") {
		if entry == "" {
			continue
		}
		user, password, ok := strings.Cut(entry, ":")
		if !ok || user == "" || password == "" {
			return nil, fmt.Errorf("entry %d is not user:password", len(all)+1)
		}
		all = append(all, Agent{user, password})
	}
	return all, nil
}

// Config says what to play. Times of zero take those of people.
type Config struct {
	Out     io.Writer // one line for each happening
	Dir     string    // where the ports of the modems appear
	Box     netip.AddrPort
	Carrier netip.AddrPort
	Account string // the office's number and password at the carrier
	Quirks  peer.Quirks
	Agents  []Agent
	// Supervisors are phones whose people listen to those of Agents now and then. An agent's extension is the
	// name of the phone.
	Supervisors []Agent
	Seed        uint64
	PerMinute   float64        // customers
	Pace        float64        // how much faster than people everything goes; default 1
	Mishaps     []string       // of ParseMishaps, that befall the modem in turn
	Socket      string         // where faults can be asked for, see Ask; empty: nowhere
	Page        netip.AddrPort // of the page with a button for each fault, on this machine; not valid: none
}

// lab is what all players share.
type lab struct {
	cfg     Config
	ctx     context.Context // ends the play; players wait on it between their acts
	wg      sync.WaitGroup
	number  string // of the office
	carrier *peer.Peer
	mobile  *mobile
	analog  *analog
	second  atomic.Pointer[analog] // the same, for agents, whose phones are there before it

	mu   sync.Mutex // guards dice, Out and over
	dice *rand.Rand
	over bool // nobody may join wg any more
}

// Run plays until ctx ends, then hangs up everywhere and returns. Ports that are taken are an error.
func Run(ctx context.Context, cfg Config) error {
	number, password, ok := strings.Cut(cfg.Account, ":")
	if !ok {
		return errors.New("the account at the carrier is not number:password")
	}
	if cfg.Pace <= 0 {
		cfg.Pace = 1
	}
	l := &lab{cfg: cfg, ctx: ctx, number: number, dice: rand.New(rand.NewPCG(cfg.Seed, 0))}
	var peers []*peer.Peer
	defer func() {
		for _, p := range peers {
			p.Close()
		}
	}()
	var err error
	l.carrier, err = peer.New(peer.Config{
		Listen: cfg.Carrier, Box: cfg.Box, Accounts: map[string]string{number: password}, Hz: 440, Law: tone.ALaw, Incoming: l.called,
		Quirks: cfg.Quirks,
	})
	if err != nil {
		return fmt.Errorf("the carrier cannot listen on %s: %w", cfg.Carrier, err)
	}
	peers = append(peers, l.carrier)
	phone := func(a Agent, incoming func(*peer.Call)) (*peer.Peer, error) {
		p, err := peer.New(peer.Config{
			Listen: netip.AddrPortFrom(cfg.Box.Addr(), 0), Box: cfg.Box, User: a.User, Password: a.Password,
			Hz: 560 + 40*len(peers), Law: tone.ALaw, Incoming: incoming,
		})
		if err != nil {
			return nil, fmt.Errorf("phone %s: %w", a.User, err)
		}
		peers = append(peers, p)
		p.KeepRegistered(10 * time.Minute)
		return p, nil
	}
	var agents []*agent
	for _, a := range cfg.Agents {
		x := &agent{lab: l, user: a.User}
		if x.phone, err = phone(a, x.rung); err != nil {
			return err
		}
		agents = append(agents, x)
	}
	var supervisors []*peer.Peer
	for _, s := range cfg.Supervisors {
		p, err := phone(s, func(c *peer.Call) { c.Reject(486) }) // they do not answer calls
		if err != nil {
			return err
		}
		supervisors = append(supervisors, p)
	}
	if l.mobile, err = newMobile(l); err != nil {
		return fmt.Errorf("the modem: %w", err)
	}
	if l.analog, err = newAnalog(l); err != nil {
		return errors.Join(fmt.Errorf("the voice modem: %w", err), l.mobile.Close())
	}
	l.second.Store(l.analog)
	if cfg.Socket != "" {
		desk, err := openDesk(l)
		if err != nil {
			return errors.Join(err, l.mobile.Close(), l.analog.sim.Close())
		}
		defer desk.close()
	}
	if cfg.Page.IsValid() {
		if err := l.openPage(); err != nil {
			l.say("%v; the play goes on without it", err)
		}
	}
	l.say("the carrier listens on %s, the modem is plugged in, the analog line has its dial tone, %d people are at their phones, %d supervise", cfg.Carrier, len(agents), len(supervisors))
	l.play(l.customers)
	l.play(func() { l.errands(agents) })
	l.play(l.writers)
	for i, p := range supervisors {
		l.play(func() { l.supervise(p, cfg.Supervisors[i].User, agents) })
	}
	if len(cfg.Mishaps) > 0 {
		l.play(l.misfortune)
	}
	<-ctx.Done()
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	l.wg.Wait()
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	for _, p := range peers {
		p.HangUpAll(bye)
	}
	return errors.Join(l.mobile.Close(), l.analog.sim.Close())
}

// play runs f on a goroutine that Run waits for; at the end of the play it does nothing.
func (l *lab) play(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		l.wg.Go(f)
	}
}

// say writes one line.
func (l *lab) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.cfg.Out, "%s %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// between draws a time, at the lab's pace.
func (l *lab) between(low, high time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Duration(float64(low+time.Duration(l.dice.Int64N(int64(high-low)))) / l.cfg.Pace)
}

// chance is true so many times of a hundred.
func (l *lab) chance(percent int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dice.IntN(100) < percent
}

// pick draws one of n.
func (l *lab) pick(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dice.IntN(n)
}

// pause waits; false when one of the reasons to stop came first.
func (l *lab) pause(d time.Duration, stop <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-stop:
		return false
	case <-l.ctx.Done():
		return false
	}
}
