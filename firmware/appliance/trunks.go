package appliance

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// trunks are the carriers of the configuration in force. Only Build and Run, then the owner of the
// configuration, then close use it.
type trunks struct {
	b       *Box
	open    []carrier
	trusted map[string]stack.PeerTLS // what was said of certificates, by host
	leaving sync.WaitGroup           // trunks that say goodbye
}

// carrier is a trunk and what it was made of.
type carrier struct {
	cfg     config.Trunk // the lasting part
	numbers []tel.Number // the other part
	trunk   *trunk.Trunk
}

func (b *Box) openTrunks() error {
	if err := b.trunks.trust(b.config().Trunks); err != nil {
		return err
	}
	kept := b.hot.Load(trunk.KindTrunk)
	for _, c := range b.config().Trunks {
		t, err := b.trunks.make(c)
		if err != nil {
			return err
		}
		if err := t.trunk.Restore(kept); err != nil {
			b.log.Warn("trunk starts afresh", "trunk", c.ID, "err", err)
		}
		b.trunks.open = append(b.trunks.open, t)
	}
	b.office.SetTrunks(b.trunks.all())
	return nil
}

func (t *trunks) make(c config.Trunk) (carrier, error) {
	cfg, err := trunkConfig(c)
	if err != nil {
		return carrier{}, fmt.Errorf("trunk %q: %w", c.ID, err)
	}
	made, err := trunk.New(cfg, trunk.Deps{
		Log: t.b.log.With("room", "trunk"), Stack: t.b.stack, Directory: t.b.opts.Carriers, Journal: t.b.hot, Changed: t.b.lineChanged,
	})
	if err != nil {
		return carrier{}, fmt.Errorf("trunk %q: %w", c.ID, err)
	}
	return carrier{lasting(c), cfg.Numbers, made}, nil
}

// lasting is the part of a trunk whose change makes a new one: its numbers and where they lead do not.
func lasting(c config.Trunk) config.Trunk {
	c.In, c.Numbers = nil, nil
	return c
}

func (t *trunks) all() []*trunk.Trunk {
	all := make([]*trunk.Trunk, len(t.open))
	for i, c := range t.open {
		all[i] = c.trunk
	}
	return all
}

// find returns the carrier of an id; its trunk is nil when there is none.
func (t *trunks) find(id tel.TrunkID) carrier {
	for _, c := range t.open {
		if c.cfg.ID == id {
			return c
		}
	}
	return carrier{}
}

func (t *trunks) start() {
	for _, c := range t.open {
		c.trunk.Start()
	}
}

func (t *trunks) close() {
	for _, c := range t.open {
		c.trunk.Close()
	}
	t.leaving.Wait()
}

// verify finds out what the trunk's own check says of a configuration.
func (t *trunks) verify(all []config.Trunk) error {
	var errs []error
	if _, err := trusted(all); err != nil {
		errs = append(errs, err)
	}
	for _, c := range all {
		made, err := t.make(c)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		made.trunk.Close()
	}
	return errors.Join(errs...)
}

// replace keeps the trunks that are the same, and closes the others. A call that is up keeps the
// trunk that it came with; its place does not count for the new one's limit.
func (t *trunks) replace(all []config.Trunk) (live.Outcome, error) {
	if err := t.trust(all); err != nil {
		return 0, err
	}
	var next []carrier
	outcome := live.Unchanged
	for _, c := range all {
		have := t.find(c.ID)
		if have.trunk == nil || !reflect.DeepEqual(have.cfg, lasting(c)) {
			made, err := t.make(c)
			if err != nil {
				for _, n := range next { // Close is harmless to those that were never started
					if t.find(n.cfg.ID).trunk != n.trunk {
						n.trunk.Close()
					}
				}
				return 0, err
			}
			have, outcome = made, live.Applied
		}
		if now := numbersOf(c); !slices.Equal(have.numbers, now) {
			have.trunk.SetNumbers(now)
			have.numbers, outcome = now, max(outcome, live.Applied)
		}
		next = append(next, have)
	}
	was := t.open
	t.open = next
	t.b.office.SetTrunks(t.all())
	for _, old := range was {
		now := t.find(old.cfg.ID)
		if now.trunk == old.trunk {
			continue
		}
		outcome = max(outcome, live.Applied)
		if old.trunk.Status().Calls > 0 {
			outcome = live.AfterDrain
		}
		switch {
		case now.trunk == nil:
			t.leave(old.trunk)
			t.forget(old.cfg.ID)
		case sameAccount(old.cfg, now.cfg):
			old.trunk.Close()
			now.trunk.Succeed(old.trunk)
		default:
			t.leave(old.trunk)
		}
	}
	t.start()
	return outcome, nil
}

// sameAccount reports that a carrier would ring the box twice if the new trunk had a contact of its own.
func sameAccount(old, now config.Trunk) bool {
	o, err1 := old.Filled()
	n, err2 := now.Filled()
	return err1 == nil && err2 == nil && !now.Disabled && o.Domain == n.Domain && o.User == n.User
}

// leaveLimit is how long a carrier may take to hear that we leave.
const leaveLimit = 3 * time.Second

// leave ends a registration that is no longer wanted, in the background: the carrier may be silent.
func (t *trunks) leave(old *trunk.Trunk) {
	gone := old.Leave()
	t.leaving.Go(func() {
		limit := time.NewTimer(leaveLimit)
		defer limit.Stop()
		select {
		case <-gone:
		case <-limit.C:
			t.b.log.Warn("the carrier does not hear that we leave", "trunk", old.ID())
		}
		old.Close()
	})
}

// forget removes what is kept of a trunk that is no longer configured.
func (t *trunks) forget(id tel.TrunkID) {
	if err := t.b.hot.Delete(trunk.KindTrunk, string(id)); err != nil {
		t.b.log.Warn("registration of a removed trunk stays", "trunk", id, "err", err)
	}
	t.b.forgetLine("trunk:" + string(id))
}

// trunkConfig makes a trunk's settings of a carrier in the file, with its preset filled in.
func trunkConfig(written config.Trunk) (trunk.Config, error) {
	c, err := written.Filled()
	if err != nil {
		return trunk.Config{}, err
	}
	public, err := c.Public()
	if err != nil {
		return trunk.Config{}, err
	}
	t := trunk.Config{
		ID: c.ID, Name: c.Name, Mode: trunk.Address, Disabled: c.Disabled,
		Domain: c.Domain, Proxy: c.Proxy, Transport: c.Transport,
		User: c.User, Credentials: digest.Credentials{Username: c.AuthUser, Password: digest.NewSecret(string(c.Password))}, Realm: c.Realm,
		Sources: c.Match, Expires: c.Expires, Retry: c.Retry, Qualify: c.Qualify,
		Number: c.Number, Numbers: numbersOf(written), Limit: c.MaxCalls, Country: c.Country, Public: public, Seen: c.Seen(), STUN: c.STUN(), KeepAlive: c.KeepAlive,
		Incoming: formats[c.NumberIn], Outgoing: formats[c.NumberOut],
		Called: calledFrom[c.DID], From: fromUsers[c.FromUser], Caller: callerIDs[c.CallerID],
		SessionExpires: c.SessionExpires, Unreliable: c.NoReliable,
		DSCP:  c.SIPDSCP,
		Media: trunk.Media{Codecs: c.CodecIDs(), DSCP: c.DSCP},
	}
	if c.Server != "" {
		t.Servers = append([]string{c.Server}, c.Servers...)
	}
	if c.NoSessionTimer {
		t.SessionExpires = noTimer
	}
	if c.Register {
		t.Mode = trunk.Register
	}
	for _, a := range c.Assert {
		t.Assert |= asserts[a]
	}
	return t, nil
}

// The words of the file.
var (
	formats = map[string]trunk.Format{
		"as_is": trunk.AsIs, "e164": trunk.E164, "e164_bare": trunk.Bare, "national": trunk.National, "prefixed": trunk.Prefixed,
	}
	calledFrom = map[string]trunk.CalledFrom{
		"request": trunk.CalledRequestLine, "to": trunk.CalledTo, "p_called_party_id": trunk.CalledPartyID, "diversion": trunk.CalledDiversion,
	}
	fromUsers = map[string]trunk.FromUser{"account": trunk.FromAccount, "number": trunk.FromNumber, "e164": trunk.FromE164}
	callerIDs = map[string]trunk.CallerID{"extension": trunk.CallerExtension, "own": trunk.CallerOwn, "pass": trunk.CallerPass}
	asserts   = map[string]trunk.Assert{"pai": trunk.AssertPAI, "ppi": trunk.AssertPPI, "rpid": trunk.AssertRPID}
)

// numbersOf are the numbers of an account beside the main one: those that are named, and those that
// calls are routed by.
func numbersOf(c config.Trunk) []tel.Number {
	all := slices.Clone(c.Numbers)
	for n := range c.In {
		if _, ok := n.E164(); ok {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
